//! Small dataset files, right and wrong, made on the spot.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use eagleeye_data::{DataError, Dataset, Files, Limits, Preprocess};
use eagleeye_spec::report::DatasetReport;
use eagleeye_spec::{ChannelOrder, Filter, Resize};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ExtendedColorType, ImageEncoder};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;

/// A dataset's files in a folder of their own. The names say nothing: the content must tell.
pub struct OnDisk {
    pub files: Files,
    _folder: TempDir,
}

impl OnDisk {
    pub fn one(images: &[u8]) -> Self {
        Self::new(images, None)
    }

    pub fn two(images: &[u8], labels: &[u8]) -> Self {
        Self::new(images, Some(labels))
    }

    fn new(images: &[u8], labels: Option<&[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| -> PathBuf {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let files = Files { images: write("a.jpg", images), labels: labels.map(|bytes| write("b.tar", bytes)) };
        Self { files, _folder: folder }
    }

    pub fn check(&self) -> Result<DatasetReport, DataError> {
        self.check_within(&Limits::default())
    }

    pub fn check_within(&self, limits: &Limits) -> Result<DatasetReport, DataError> {
        eagleeye_data::check(&self.files, limits)
    }

    pub fn open(&self) -> Dataset {
        Dataset::open(&self.files, &Limits::default()).unwrap()
    }
}

/// Of what [`eagleeye_data::check`] says, the part that tests compare: images, channels, width, height, and each class
/// with its count.
pub fn outline(report: &DatasetReport) -> (u64, u32, u32, u32, Vec<(&str, u64)>) {
    let content = &report.content;
    let classes = content.classes.iter().map(|class| (class.name.as_str(), class.count)).collect();
    (content.images, content.channels, content.width, content.height, classes)
}

/// An input of this size whose values are those that are stored.
pub fn as_stored(channels: usize, height: usize, width: usize) -> Preprocess {
    Preprocess {
        channels,
        height,
        width,
        mean: vec![0.0],
        deviation: vec![1.0],
        scale: 1.0,
        resize: Resize::default(),
        filter: Filter::default(),
        order: ChannelOrder::default(),
    }
}

pub const U8: u8 = 0x08;
pub const F32: u8 = 0x0d;
pub const F64: u8 = 0x0e;

/// An IDX file: two zeros, the element type, the number of axes, their big-endian sizes, the data.
pub fn idx(element: u8, sizes: &[u32], data: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, element, sizes.len() as u8];
    file.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    file.extend(data);
    file
}

/// Four images of 3x2 pixels that count up, and labels 0, 2, 2, 0.
pub fn small_idx() -> (Vec<u8>, Vec<u8>) {
    let pixels: Vec<u8> = (0..24).collect();
    (idx(U8, &[4, 2, 3], &pixels), idx(U8, &[4], &[0, 2, 2, 0]))
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An NPY array of format 1.0: magic, length of the header, a Python dictionary padded to a multiple of 64, the data.
pub fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy_with(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), data)
}

/// An NPY array with any header.
pub fn npy_with(header: &str, data: &[u8]) -> Vec<u8> {
    let mut header = header.to_owned();
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

pub fn npz(images: &[u8], labels: &[u8]) -> Vec<u8> {
    zip(&[("images.npy", images), ("labels.npy", labels)])
}

/// A zip of deflated entries. A name that ends in `/` is a folder.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        if name.ends_with('/') {
            writer.add_directory(*name, SimpleFileOptions::default()).unwrap();
            continue;
        }
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar, whatever its names look like. A name that ends in `/` is a folder.
pub fn tar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let kind = if name.ends_with('/') { tar::EntryType::Directory } else { tar::EntryType::Regular };
        builder.append(&tar_header(name, kind, bytes.len() as u64), *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

pub fn tar_header(name: &str, kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // `set_path` refuses the names that an attacker would write.
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header
}

/// A grey PNG.
pub fn grey_png(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    png(width, height, pixels, ExtendedColorType::L8)
}

/// A colour PNG of one colour.
pub fn colour_png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    png(width, height, &colour.repeat((width * height) as usize), ExtendedColorType::Rgb8)
}

pub fn png(width: u32, height: u32, pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(pixels, width, height, colour).unwrap();
    bytes
}

/// A grey JPEG of one value.
pub fn jpeg(width: u32, height: u32, value: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let pixels = vec![value; (width * height) as usize];
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.write_image(&pixels, width, height, ExtendedColorType::L8).unwrap();
    bytes
}

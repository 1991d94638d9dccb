//! Decoded images in a file, so that they are decoded once and need not fit into memory.
//!
//! After a header there is a checksum for each of a dataset's images and then a place for each; a checksum of 0 says that the image
//! has not been decoded. Places that nobody has written take no room on the disk. Checksums are written after the images, so that
//! an image is either whole or not there, whoever dies when.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::picture::{SampleType, Samples};

const MAGIC: [u8; 8] = *b"EEpixel1";
/// Magic, bytes of an image, number of images.
const HEADER: u64 = 24;

/// Why decoded images cannot be kept in a file, or read from one.
#[derive(Debug, thiserror::Error)]
pub enum PixelFileError {
    #[error("decoded images: {0}")]
    Io(#[from] io::Error),
    #[error("the decoded image {index} is damaged")]
    Damaged { index: usize },
    #[error("there is no decoded image {index}; there are places for {images}")]
    NoSuchImage { index: usize, images: usize },
}

/// The decoded images of one dataset, all of one size. Several threads may read while one writes.
#[derive(Debug)]
pub struct PixelFile {
    file: File,
    element: SampleType,
    image_bytes: usize,
    sums: Vec<AtomicU32>,
}

impl PixelFile {
    /// A file without a name, which goes when it is closed, for `images` images of `values` values each.
    pub fn unnamed(element: SampleType, values: usize, images: usize) -> Result<Self, PixelFileError> {
        Self::begun(tempfile::tempfile()?, element, values, images)
    }

    /// The file of this name, made anew where there is none that fits. `None` while another process has it.
    pub fn open(
        path: &Path,
        element: SampleType,
        values: usize,
        images: usize,
    ) -> Result<Option<Self>, PixelFileError> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        match Self::continued(file.try_clone()?, element, values, images)? {
            Some(found) => Ok(Some(found)),
            None => Self::begun(file, element, values, images).map(Some),
        }
    }

    fn begun(file: File, element: SampleType, values: usize, images: usize) -> Result<Self, PixelFileError> {
        let begun = Self { file, element, image_bytes: values * element.bytes(), sums: none_of(images) };
        begun.file.set_len(0)?;
        begun.file.set_len(begun.place(images))?;
        begun.file.write_all_at(&begun.header(), 0)?;
        Ok(begun)
    }

    /// What is there, where it is for the same images.
    fn continued(
        file: File,
        element: SampleType,
        values: usize,
        images: usize,
    ) -> Result<Option<Self>, PixelFileError> {
        let mut found = Self { file, element, image_bytes: values * element.bytes(), sums: none_of(images) };
        let mut header = [0; HEADER as usize];
        if found.file.metadata()?.len() != found.place(images) {
            return Ok(None);
        }
        found.file.read_exact_at(&mut header, 0)?;
        if header != found.header() {
            return Ok(None);
        }
        let mut sums = vec![0; images * size_of::<u32>()];
        found.file.read_exact_at(&mut sums, HEADER)?;
        let (sums, _) = sums.as_chunks::<4>();
        found.sums = sums.iter().map(|&sum| AtomicU32::new(u32::from_le_bytes(sum))).collect();
        Ok(Some(found))
    }

    fn header(&self) -> [u8; HEADER as usize] {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(&MAGIC);
        header[8..16].copy_from_slice(&(self.image_bytes as u64).to_le_bytes());
        header[16..].copy_from_slice(&(self.sums.len() as u64).to_le_bytes());
        header
    }

    fn place(&self, index: usize) -> u64 {
        HEADER + (self.sums.len() * size_of::<u32>()) as u64 + index as u64 * self.image_bytes as u64
    }

    /// Bytes of one image.
    pub fn image_bytes(&self) -> usize {
        self.image_bytes
    }

    pub fn element(&self) -> SampleType {
        self.element
    }

    /// Whether an image is there, and what was written.
    pub fn has(&self, index: usize) -> Result<bool, PixelFileError> {
        if self.sum(index).is_none_or(|sum| sum == 0) {
            return Ok(false);
        }
        match self.read(&[index]) {
            Ok(_) => Ok(true),
            Err(PixelFileError::Damaged { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps images, one behind the other in the order of `indices`.
    pub fn write(&self, indices: &[usize], samples: &Samples) -> Result<(), PixelFileError> {
        let bytes = to_bytes(samples);
        for (&index, image) in indices.iter().zip(bytes.chunks_exact(self.image_bytes.max(1))) {
            self.known(index)?;
            self.file.write_all_at(image, self.place(index))?;
        }
        for (&index, image) in indices.iter().zip(bytes.chunks_exact(self.image_bytes.max(1))) {
            let sum = checksum(image);
            self.sums[index].store(sum, Ordering::Release);
            self.file.write_all_at(&sum.to_le_bytes(), HEADER + (index * size_of::<u32>()) as u64)?;
        }
        Ok(())
    }

    /// Some images, one behind the other.
    ///
    /// # Errors
    /// [`PixelFileError::Damaged`] where one is not what was written.
    pub fn read(&self, indices: &[usize]) -> Result<Samples, PixelFileError> {
        let mut bytes = vec![0; indices.len() * self.image_bytes];
        for (&index, image) in indices.iter().zip(bytes.chunks_exact_mut(self.image_bytes.max(1))) {
            self.known(index)?;
            self.file.read_exact_at(image, self.place(index))?;
            if self.sum(index) != Some(checksum(image)) {
                return Err(PixelFileError::Damaged { index });
            }
        }
        Ok(from_bytes(bytes, self.element))
    }

    fn sum(&self, index: usize) -> Option<u32> {
        Some(self.sums.get(index)?.load(Ordering::Acquire))
    }

    fn known(&self, index: usize) -> Result<(), PixelFileError> {
        let images = self.sums.len();
        if index < images { Ok(()) } else { Err(PixelFileError::NoSuchImage { index, images }) }
    }
}

fn none_of(images: usize) -> Vec<AtomicU32> {
    std::iter::repeat_with(AtomicU32::default).take(images).collect()
}

/// Never 0, which says that there is nothing.
fn checksum(image: &[u8]) -> u32 {
    crc32fast::hash(image).max(1)
}

fn to_bytes(samples: &Samples) -> std::borrow::Cow<'_, [u8]> {
    match samples {
        Samples::U8(values) => values.into(),
        Samples::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into(),
    }
}

fn from_bytes(bytes: Vec<u8>, element: SampleType) -> Samples {
    match element {
        SampleType::U8 => Samples::U8(bytes),
        SampleType::F32 => Samples::F32(bytes.as_chunks().0.iter().map(|&value| f32::from_le_bytes(value)).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path) -> PixelFile {
        PixelFile::open(path, SampleType::U8, 4, 10).unwrap().unwrap()
    }

    #[test]
    fn images_are_there_after_the_file_was_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixels");
        let file = open(&path);
        file.write(&[7, 2], &Samples::U8(vec![1, 2, 3, 4, 5, 6, 7, 8])).unwrap();
        assert!(PixelFile::open(&path, SampleType::U8, 4, 10).unwrap().is_none(), "another process would have it");
        drop(file);
        let file = open(&path);
        assert_eq!((0..10).filter(|&index| file.has(index).unwrap()).collect::<Vec<_>>(), [2, 7]);
        assert_eq!(file.read(&[2, 7]).unwrap(), Samples::U8(vec![5, 6, 7, 8, 1, 2, 3, 4]));
        assert!(matches!(file.read(&[3]), Err(PixelFileError::Damaged { index: 3 })));
        assert!(matches!(file.read(&[10]), Err(PixelFileError::NoSuchImage { index: 10, images: 10 })));
    }

    #[test]
    fn a_damaged_image_is_noticed_and_a_file_for_other_images_begins_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pixels");
        open(&path).write(&[0, 1], &Samples::U8(vec![9; 8])).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = HEADER as usize + 40 + 7;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let file = open(&path);
        assert_eq!(file.read(&[0]).unwrap(), Samples::U8(vec![9; 4]));
        assert!(matches!(file.read(&[1]), Err(PixelFileError::Damaged { index: 1 })));
        assert_eq!([0, 1].map(|index| file.has(index).unwrap()), [true, false]);
        drop(file);
        for (values, images) in [(5, 10), (4, 11)] {
            let other = PixelFile::open(&path, SampleType::U8, values, images).unwrap().unwrap();
            assert!((0..images).all(|index| !other.has(index).unwrap()));
        }
        std::fs::write(&path, b"something else").unwrap();
        assert!(!open(&path).has(0).unwrap());
    }

    #[test]
    fn numbers_come_back_to_the_last_bit() {
        let file = PixelFile::unnamed(SampleType::F32, 2, 3).unwrap();
        let samples = Samples::F32(vec![0.1, -1e-30]);
        file.write(&[1], &samples).unwrap();
        assert_eq!(file.read(&[1]).unwrap(), samples);
    }
}

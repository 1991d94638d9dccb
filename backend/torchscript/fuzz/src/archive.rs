//! Archives taken apart and packed again.

use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// Bytes of one entry; seeds have some hundred.
const MOST_BYTES: u64 = 1 << 16;

/// An entry of an archive: its name and content.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub content: Vec<u8>,
}

/// The entries of an archive, or `None` where it is damaged.
pub fn unpacked(bytes: &[u8]) -> Option<Vec<Entry>> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).ok()?;
        let name = entry.name().ok()?.to_string();
        let mut content = Vec::new();
        entry.take(MOST_BYTES).read_to_end(&mut content).ok()?;
        entries.push(Entry { name, content });
    }
    Some(entries)
}

/// An archive of these entries; `deflated` compresses those with code.
pub fn packed(entries: &[Entry], deflated: bool) -> Option<Vec<u8>> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for Entry { name, content } in entries {
        let compress = deflated && name.ends_with(".py");
        let method = if compress { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).ok()?;
        writer.write_all(content).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

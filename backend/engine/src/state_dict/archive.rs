//! The archive: entries in a fixed order, with a fixed time, so that the same network gives the same bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use super::error::StateDictError;

/// A file of the archive.
pub(super) struct Entry<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    /// Weights are noise to a compressor.
    pub compressed: bool,
}

pub(super) fn write(path: &Path, entries: &[Entry]) -> Result<(), StateDictError> {
    let failed = |source| StateDictError::Write { path: path.to_owned(), source };
    let mut archive = ZipWriter::new(File::create(path).map_err(failed)?);
    for entry in entries {
        let method = if entry.compressed { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let large = entry.bytes.len() as u64 >= u64::from(u32::MAX);
        let options = SimpleFileOptions::default()
            .compression_method(method)
            .last_modified_time(DateTime::default())
            .unix_permissions(0o644)
            .large_file(large);
        archive.start_file(entry.name, options)?;
        archive.write_all(entry.bytes).map_err(failed)?;
    }
    archive.finish()?;
    Ok(())
}

/// Whether the archive has these entries and no others, to the last byte.
pub(super) fn check(path: &Path, entries: &[Entry]) -> Result<(), StateDictError> {
    let failed = |source: io::Error| StateDictError::Read { path: path.to_owned(), source };
    let mut archive = ZipArchive::new(File::open(path).map_err(failed)?)?;
    if archive.len() != entries.len() {
        return Err(StateDictError::Entry(format!("{} entries", archive.len())));
    }
    for entry in entries {
        let mut found = Vec::with_capacity(entry.bytes.len());
        archive.by_name(entry.name)?.read_to_end(&mut found).map_err(failed)?;
        if found != entry.bytes {
            return Err(StateDictError::Entry(entry.name.to_owned()));
        }
    }
    Ok(())
}

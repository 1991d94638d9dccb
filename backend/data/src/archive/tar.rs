//! The headers of a tar.

use ::tar::EntryType;

use crate::archive::Place;
use crate::archive::layout::{Entry, EntryKind};
use crate::error::DataError;
use crate::limits::Limits;
use crate::storage::Storage;

const BLOCK: u64 = 512;

/// Folders and files with where their bytes lie; no content is read.
pub fn entries(storage: &Storage, limits: &Limits) -> Result<Vec<Entry>, DataError> {
    let damaged = |error: std::io::Error| DataError::Archive { reason: error.to_string() };
    let mut archive = ::tar::Archive::new(storage.reader());
    let mut found = Vec::new();
    let mut end = 0;
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (offset, bytes) = (entry.raw_file_position(), entry.size());
        end = offset.saturating_add(bytes);
        if end > storage.length() {
            return Err(DataError::Archive { reason: format!("it ends in the middle of `{name}`") });
        }
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => EntryKind::File(Place::Tar { offset, bytes }),
            EntryType::Directory => EntryKind::Folder,
            EntryType::XGlobalHeader => continue,
            _ => return Err(DataError::SpecialEntry { entry: name }),
        };
        found.push(Entry::new(&name, kind)?);
        if found.len() as u64 > limits.images.saturating_mul(2) {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
    }
    // Cut between two entries it looks complete, but for the block of zeros that every archive ends with.
    if end.next_multiple_of(BLOCK).saturating_add(BLOCK) > storage.length() {
        return Err(DataError::Archive { reason: "it is truncated: its end marker is missing".to_owned() });
    }
    Ok(found)
}

//! The headers of a tar.

use ::tar::EntryType;

use crate::archive::Place;
use crate::archive::layout::{Entry, EntryKind};
use crate::error::DataError;
use crate::limits::Limits;
use crate::storage::Storage;

/// Folders and files with where their bytes lie; no content is read.
pub fn entries(storage: &Storage, limits: &Limits) -> Result<Vec<Entry>, DataError> {
    let damaged = |error: std::io::Error| DataError::Archive { reason: error.to_string() };
    let mut archive = ::tar::Archive::new(storage.reader());
    let mut found = Vec::new();
    for entry in archive.entries_with_seek().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let kind = match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {
                let (offset, bytes) = (entry.raw_file_position(), entry.size());
                let end = offset.checked_add(bytes).unwrap_or(u64::MAX);
                if end > storage.length() {
                    let reason = format!("it ends within `{name}`");
                    return Err(DataError::Archive { reason });
                }
                EntryKind::File(Place::Tar { offset, bytes })
            }
            EntryType::Directory => EntryKind::Folder,
            EntryType::XGlobalHeader => continue,
            _ => return Err(DataError::SpecialEntry { entry: name }),
        };
        found.push(Entry::new(&name, kind)?);
        if found.len() as u64 > limits.images.saturating_mul(2) {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
    }
    Ok(found)
}

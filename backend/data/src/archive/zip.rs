//! The index of a zip.

use ::zip::ZipArchive;

use crate::archive::layout::{Entry, EntryKind};
use crate::archive::{Place, unreadable};
use crate::error::DataError;
use crate::limits::Limits;
use crate::storage::{Storage, StorageReader};

pub fn open(storage: &Storage) -> Result<ZipArchive<StorageReader>, DataError> {
    ZipArchive::new(storage.reader()).map_err(|error| DataError::Archive { reason: error.to_string() })
}

/// Folders and files by the zip's central directory; nothing is unpacked.
pub fn entries(archive: &ZipArchive<StorageReader>, limits: &Limits) -> Result<Vec<Entry>, DataError> {
    if archive.len() as u64 > limits.images.saturating_mul(2) {
        return Err(DataError::TooManyImages { limit: limits.images });
    }
    let entry = |index| {
        let data = archive.by_index_data(index).map_err(|error| DataError::Archive { reason: error.to_string() })?;
        let name = data.name().map_err(|error| DataError::Archive { reason: error.to_string() })?;
        if data.is_symlink() {
            return Err(DataError::SpecialEntry { entry: name.into_owned() });
        }
        if data.encrypted() {
            return Err(unreadable(&name, "it is encrypted"));
        }
        let kind = if data.is_dir() { EntryKind::Folder } else { EntryKind::File(Place::Zip(index)) };
        Entry::new(&name, kind)
    };
    (0..archive.len()).map(entry).collect()
}

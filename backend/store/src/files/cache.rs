//! Copies of a remote store's files in a local folder: verified, bounded, and shared by any number of processes.
//!
//! Whoever uses a copy holds a shared lock on it, so that it is not removed under his hands; whoever adds or removes
//! copies holds the folder's own lock.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use super::FileHash;
use super::verify::{Identity, LocalFile, blocking, open};
use crate::error::{Damage, StoreError};
use crate::private;
use crate::private::{LOCK, TEMPORARY};

/// Ending of the files that say when a copy was used.
const NOTE: &str = "used";

/// Where copies go, and how many bytes of them may stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheConfig {
    pub folder: PathBuf,
    pub bytes: u64,
}

/// The folder of copies.
#[derive(Debug, Clone)]
pub(super) struct Cache(CacheConfig);

/// A file for a download, locked for as long as it goes on. It is gone when this is dropped, unless it was taken in
/// before.
#[derive(Debug)]
pub(super) struct Download {
    path: PathBuf,
    pub file: File,
}

impl Download {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        _ = std::fs::remove_file(&self.path);
    }
}

struct Copy {
    path: PathBuf,
    bytes: u64,
    used: SystemTime,
}

impl Cache {
    pub fn open(config: CacheConfig) -> Result<Self, StoreError> {
        for folder in [config.folder.clone(), config.folder.join(TEMPORARY)] {
            private::folder(&folder)?;
        }
        private::tighten(&config.folder, private::is_of_store);
        Ok(Cache(config))
    }

    pub fn temporary_folder(&self) -> PathBuf {
        self.0.folder.join(TEMPORARY)
    }

    /// A place for a download of `bytes`, for which room is made.
    pub async fn place(&self, bytes: u64) -> Result<Download, StoreError> {
        let cache = self.clone();
        blocking(self.temporary_folder(), move || {
            let _changing = cache.changing()?;
            cache.make_room(bytes)?;
            let path = cache.temporary_folder().join(Uuid::now_v7().to_string());
            let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(cache.failed())?;
            file.lock_shared().map_err(cache.failed())?;
            Ok(Download { path, file })
        })
        .await
    }

    /// The copy that is there and good, or nothing. `known` is what the caller has verified.
    pub async fn find(&self, hash: &FileHash, known: Option<Identity>) -> Result<Option<LocalFile>, StoreError> {
        let (cache, hash) = (self.clone(), hash.clone());
        blocking(self.path(&hash), move || cache.find_now(&hash, known)).await
    }

    /// Takes in a verified download, and returns the copy in its place.
    pub async fn add(&self, hash: &FileHash, download: Download) -> Result<LocalFile, StoreError> {
        let (cache, hash) = (self.clone(), hash.clone());
        blocking(self.path(&hash), move || cache.add_now(&hash, &download)).await
    }

    fn find_now(&self, hash: &FileHash, known: Option<Identity>) -> Result<Option<LocalFile>, StoreError> {
        let path = self.path(hash);
        loop {
            let opened = match open(&path, hash) {
                Ok(opened) => opened,
                Err(StoreError::Damaged { damage: Damage::Missing, .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            opened.file.lock_shared().map_err(self.failed())?;
            // It may have been removed before the lock was there.
            if !std::fs::metadata(&path).is_ok_and(|meta| opened.identity.is_same_file(&meta)) {
                continue;
            }
            note_use(&path);
            return match opened.verified(known) {
                Ok(file) => Ok(Some(file)),
                Err(StoreError::Damaged { damage, .. }) => {
                    tracing::warn!(%hash, %damage, "a cached copy is damaged; fetching it again");
                    Ok(None)
                }
                Err(error) => Err(error),
            };
        }
    }

    fn add_now(&self, hash: &FileHash, download: &Download) -> Result<LocalFile, StoreError> {
        let path = self.path(hash);
        let changing = self.changing()?;
        private::folder(path.parent().unwrap_or(&self.0.folder))?;
        // Another process may have added the same copy, and somebody use it. What it holds was not good enough here.
        if let Some(copy) = self.find_now(hash, None)? {
            return Ok(copy);
        }
        std::fs::rename(&download.path, &path).map_err(self.failed())?;
        let copy = open(&path, hash)?;
        copy.file.lock_shared().map_err(self.failed())?;
        drop(changing);
        copy.verified(None)
    }

    /// Removes what downloads that were killed have left, and the copies that were not used for the longest time, until
    /// `wanted` more bytes fit. What is in use stays. The caller holds the folder's lock.
    fn make_room(&self, wanted: u64) -> Result<(), StoreError> {
        for entry in std::fs::read_dir(self.temporary_folder()).map_err(self.failed())? {
            remove_unused(&entry.map_err(self.failed())?.path());
        }
        let mut copies = self.copies()?;
        let mut held: u64 = copies.iter().map(|copy| copy.bytes).sum();
        copies.sort_by_key(|copy| copy.used);
        for copy in copies {
            if held.saturating_add(wanted) <= self.0.bytes {
                break;
            }
            if remove_unused(&copy.path) {
                held -= copy.bytes;
            }
        }
        Ok(())
    }

    fn copies(&self) -> Result<Vec<Copy>, StoreError> {
        let mut copies = Vec::new();
        for folder in std::fs::read_dir(&self.0.folder).map_err(self.failed())? {
            let folder = folder.map_err(self.failed())?;
            let is_ours = folder.file_name().len() == 2 && folder.path().is_dir();
            if !is_ours {
                continue;
            }
            for entry in std::fs::read_dir(folder.path()).map_err(self.failed())? {
                let path = entry.map_err(self.failed())?.path();
                let Ok(meta) = path.metadata() else { continue };
                if path.extension().is_none() {
                    copies.push(Copy { used: last_use(&path, &meta), bytes: meta.len(), path });
                }
            }
        }
        Ok(copies)
    }

    /// The folder's lock, held until it is dropped.
    fn changing(&self) -> Result<File, StoreError> {
        let open = || -> io::Result<File> {
            let lock = File::options().create(true).append(true).open(self.0.folder.join(LOCK))?;
            lock.lock()?;
            Ok(lock)
        };
        open().map_err(self.failed())
    }

    fn path(&self, hash: &FileHash) -> PathBuf {
        let (folder, name) = hash.split();
        self.0.folder.join(folder).join(name)
    }

    fn failed(&self) -> impl Fn(io::Error) -> StoreError + '_ {
        |source| StoreError::Disk { path: self.0.folder.clone(), source }
    }
}

/// Removes a copy that nobody has locked.
fn remove_unused(path: &Path) -> bool {
    // The lock is held until the copy is gone: whoever waits for it then sees that it is.
    let Ok(file) = File::open(path) else { return false };
    if file.try_lock().is_err() || std::fs::remove_file(path).is_err() {
        return false;
    }
    _ = std::fs::remove_file(note(path));
    true
}

/// Beside each copy is an empty file whose time says when it was used. The copy's own times stay as they are, since
/// they stand for its content.
fn note(path: &Path) -> PathBuf {
    path.with_extension(NOTE)
}

fn note_use(path: &Path) {
    let noted = File::options()
        .create(true)
        .append(true)
        .open(note(path))
        .and_then(|file| file.set_modified(SystemTime::now()));
    if let Err(error) = noted {
        tracing::debug!(%error, "cannot record the use of a cached copy");
    }
}

fn last_use(path: &Path, meta: &Metadata) -> SystemTime {
    let noted = note(path).metadata().and_then(|note| note.modified());
    noted.or_else(|_| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

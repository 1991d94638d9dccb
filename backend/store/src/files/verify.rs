//! Whether a file on disk still has the content that its hash stands for.
//!
//! A file is read whole before its first use in a process, and again once it was written to: name, size and times of
//! the inode tell. A job reads it whole each time, since it uses all of it anyway.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::OwnedMutexGuard;

use super::FileHash;
use crate::error::{Damage, StoreError};

/// Files remembered before those that nobody is looking at are forgotten.
const REMEMBERED: usize = 10_000;
/// Clocks of file systems go in steps of a few milliseconds: a file that was written to a moment ago may be written to
/// again without its times telling.
const SETTLED_AFTER: Duration = Duration::from_millis(100);

/// How much of what was found before is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// A file that this process has verified, and that nobody has written to since, is not read again.
    Once,
    /// The file is read whole, whatever is known of it.
    Anew,
}

/// A stored file on this machine that was found to have the content of its hash.
///
/// The path must not be written to. It stays valid for as long as the value lives, also in a cache that others clear.
#[derive(Debug, Clone)]
pub struct LocalFile {
    hash: FileHash,
    path: PathBuf,
    /// Open for reading at its beginning; in a cache it holds the lock that keeps the file there.
    file: Arc<File>,
    identity: Identity,
    /// Whether another write would show in the identity.
    is_settled: bool,
}

impl LocalFile {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// Fails when the file was written to since it was verified; for readers to ask when they are done with it.
    pub fn still_intact(&self) -> Result<(), StoreError> {
        let unchanged = self.file.metadata().is_ok_and(|meta| self.identity.has_content_of(&meta));
        if unchanged { Ok(()) } else { Err(damaged(&self.hash, Damage::Changed)) }
    }

    pub(super) fn handle(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// What later looks may go by.
    pub(super) fn memory(&self) -> Option<Identity> {
        Some(self.identity).filter(|_| self.is_settled)
    }
}

/// What changes when a file is replaced or written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Of the inode. Unlike the time of the last write it cannot be set back, but a new link changes it, too.
    changed: (i64, i64),
}

impl Identity {
    pub fn of(meta: &Metadata) -> Self {
        Identity {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// Whether it is the same file and nobody has written to it. Links may have come or gone.
    pub fn has_content_of(&self, meta: &Metadata) -> bool {
        Identity { changed: self.changed, ..Identity::of(meta) } == *self
    }

    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (seconds, nanoseconds) = self.changed.max(self.modified);
        let seconds = u64::try_from(seconds).unwrap_or_default();
        let changed = Duration::new(seconds, u32::try_from(nanoseconds).unwrap_or_default());
        changed + SETTLED_AFTER <= now
    }

    pub fn is_same_file(&self, meta: &Metadata) -> bool {
        (self.device, self.inode) == (meta.dev(), meta.ino())
    }
}

/// What this process has verified. One slot per file, which whoever looks at the file holds: nobody reads it twice.
#[derive(Debug, Clone, Default)]
pub(super) struct Known(Arc<Mutex<HashMap<FileHash, Arc<Slot>>>>);

type Slot = tokio::sync::Mutex<Option<Identity>>;

impl Known {
    pub async fn slot(&self, hash: &FileHash) -> OwnedMutexGuard<Option<Identity>> {
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if slots.len() >= REMEMBERED {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1);
            }
            Arc::clone(slots.entry(hash.clone()).or_default())
        };
        slot.lock_owned().await
    }

    /// Opens and verifies a file, off the runtime's threads.
    pub async fn open(&self, hash: &FileHash, path: PathBuf, check: Check) -> Result<LocalFile, StoreError> {
        let mut slot = self.slot(hash).await;
        let known = (*slot).filter(|_| check == Check::Once);
        *slot = None;
        let wanted = hash.clone();
        let file = blocking(path.clone(), move || open(&path, &wanted)?.verified(known)).await?;
        *slot = file.memory();
        Ok(file)
    }
}

/// A file that was opened and not looked into.
pub(super) struct Opened {
    pub file: File,
    pub identity: Identity,
    is_settled: bool,
    path: PathBuf,
    hash: FileHash,
}

pub(super) fn open(path: &Path, hash: &FileHash) -> Result<Opened, StoreError> {
    let failed = |source: io::Error| match source.kind() {
        ErrorKind::NotFound => damaged(hash, Damage::Missing),
        _ => unreadable(path, hash, source),
    };
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    if !meta.is_file() {
        return Err(damaged(hash, Damage::Missing));
    }
    let identity = Identity::of(&meta);
    Ok(Opened { file, identity, is_settled: identity.is_settled(), path: path.to_owned(), hash: hash.clone() })
}

impl Opened {
    /// Reads the file, unless it is `known` to have the right content.
    pub fn verified(mut self, known: Option<Identity>) -> Result<LocalFile, StoreError> {
        if known != Some(self.identity) {
            let mut hasher = blake3::Hasher::new();
            let read = hasher.update_reader(&self.file).map(drop).and_then(|()| self.file.rewind());
            read.map_err(|source| unreadable(&self.path, &self.hash, source))?;
            let found = FileHash::from(hasher.finalize());
            if found != self.hash {
                return Err(damaged(&self.hash, Damage::Altered { found }));
            }
        }
        let Opened { file, identity, is_settled, path, hash } = self;
        Ok(LocalFile { hash, path, file: Arc::new(file), identity, is_settled })
    }
}

/// Runs file operations on a thread that may wait for the disk.
pub(super) async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.unwrap_or_else(|error| Err(StoreError::Disk { path, source: io::Error::other(error) }))
}

pub(super) fn damaged(hash: &FileHash, damage: Damage) -> StoreError {
    StoreError::Damaged { hash: hash.clone(), damage }
}

/// A disk that cannot give the bytes back has lost them; anything else is a matter of rights or of the machine.
fn unreadable(path: &Path, hash: &FileHash, source: io::Error) -> StoreError {
    /// EIO of the operating system, which has no kind of its own.
    const INPUT_OUTPUT: i32 = 5;
    match source.raw_os_error() {
        Some(INPUT_OUTPUT) => damaged(hash, Damage::Unreadable),
        _ => StoreError::Unreadable { path: path.to_owned(), source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn found(known: &Known, path: &Path, check: Check) -> Result<LocalFile, StoreError> {
        known.open(&FileHash::from(blake3::hash(b"weights")), path.to_owned(), check).await
    }

    #[tokio::test]
    async fn a_verified_file_is_read_again_once_it_was_written_to_or_when_a_job_asks() {
        let folder = tempfile::tempdir().unwrap();
        let (path, known) = (folder.path().join("file"), Known::default());
        std::fs::write(&path, "weights").unwrap();
        let file = found(&known, &path, Check::Once).await.unwrap();
        assert_eq!((file.path(), file.size()), (path.as_path(), 7));

        let hash = FileHash::from(blake3::hash(b"weights"));
        assert_eq!(*known.slot(&hash).await, None, "a file so young may be written to without a trace");
        std::thread::sleep(2 * SETTLED_AFTER);
        found(&known, &path, Check::Once).await.unwrap();
        assert_eq!(*known.slot(&hash).await, Some(file.identity), "then it is not read again");
        std::fs::write(&path, "wEights").unwrap();
        assert!(matches!(file.still_intact(), Err(StoreError::Damaged { damage: Damage::Changed, .. })));
        let altered = found(&known, &path, Check::Once).await.unwrap_err();
        assert!(matches!(altered, StoreError::Damaged { damage: Damage::Altered { .. }, .. }), "{altered}");
        // A lie about what is known shows whether the file is read.
        *known.slot(&hash).await = Some(Identity::of(&std::fs::metadata(&path).unwrap()));
        assert!(found(&known, &path, Check::Once).await.is_ok(), "what is known is believed");
        assert!(found(&known, &path, Check::Anew).await.is_err(), "but not by a job");
        assert!(found(&known, &path, Check::Once).await.is_err(), "nor by anybody after it");
    }

    #[tokio::test]
    async fn times_that_were_set_back_hide_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, known) = (folder.path().join("file"), Known::default());
        std::fs::write(&path, "weights").unwrap();
        std::thread::sleep(2 * SETTLED_AFTER);
        let before = std::fs::metadata(&path).unwrap().modified().unwrap();
        found(&known, &path, Check::Once).await.unwrap();
        std::fs::write(&path, "wEights").unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
        assert!(found(&known, &path, Check::Once).await.is_err());
    }

    #[test]
    fn a_folder_in_the_place_of_a_file_is_a_missing_file() {
        let folder = tempfile::tempdir().unwrap();
        let hash = FileHash::from(blake3::hash(b""));
        for path in [folder.path().to_owned(), folder.path().join("absent")] {
            let error = open(&path, &hash).err().unwrap();
            assert!(matches!(error, StoreError::Damaged { damage: Damage::Missing, .. }), "{error}");
        }
    }
}

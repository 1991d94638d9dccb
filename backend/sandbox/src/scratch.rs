//! Folders for temporary files that do not outlive their process by much.

use std::fs::{self, DirBuilder, File, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PREFIX: &str = "eagleeye-scratch-";
/// A file in each folder that its process holds locked. The lock goes with the process, however that ends.
const LOCK: &str = ".lock";
/// How long to wait for others that make or remove such folders in the same place.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process's own folder for temporary files. It goes when the last clone is dropped; where the process was killed,
/// the next one that makes such a folder beside it removes it.
#[derive(Debug, Clone)]
pub struct Scratch(Arc<Owned>);

#[derive(Debug)]
struct Owned {
    folder: TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes a folder in `parent`, which is made when missing, and removes what processes that were killed have left
    /// there.
    pub fn within(parent: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
        let parent = parent.canonicalize()?;
        // Held until the new folder is locked: while it is made, it looks as if its process were gone.
        let turn = File::open(&parent)?;
        if is_our_turn(&turn) {
            sweep(&parent)?;
        }
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)?;
        let lock = File::create_new(folder.path().join(LOCK))?;
        lock.lock()?;
        Ok(Self(Arc::new(Owned { folder, _lock: lock })))
    }

    /// Makes a folder where the environment says that temporary files go.
    pub fn in_environment() -> io::Result<Self> {
        Self::within(&std::env::temp_dir())
    }

    pub fn path(&self) -> &Path {
        self.0.folder.path()
    }

    /// Has all temporary files of this process go there from now on.
    pub fn take_over(&self) {
        if let Err(earlier) = tempfile::env::override_temp_dir(self.path()) {
            tracing::debug!(folder = %earlier.display(), "the folder for temporary files is already set");
        }
    }
}

/// Waits for the lock of a folder, but not for ever: in one that everybody may read, anybody may hold it.
fn is_our_turn(turn: &File) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while turn.try_lock().is_err() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Removes the folders in `parent` whose processes have ended. One that cannot be removed is left.
fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let is_named_so = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        // What vanishes meanwhile was removed by another process.
        let Ok(meta) = path.symlink_metadata() else { continue };
        if is_named_so && is_own_folder(&meta) && is_left(&path, &meta) {
            tracing::info!(folder = %path.display(), "removed temporary files left by a killed process");
            if let Err(error) = fs::remove_dir_all(&path) {
                tracing::warn!(folder = %path.display(), %error, "cannot remove temporary files left by a killed \
                    process");
            }
        }
    }
    Ok(())
}

/// In a folder that everybody may write to, others could put a trap.
fn is_own_folder(meta: &Metadata) -> bool {
    meta.is_dir() && meta.uid() == rustix::process::geteuid().as_raw()
}

/// Whether nobody holds the lock. A folder without one is being made at this moment, or was by a process that did not
/// live to make the lock.
fn is_left(path: &Path, meta: &Metadata) -> bool {
    match File::open(path.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => meta.modified().ok().and_then(|made| made.elapsed().ok()).is_some_and(|age| age.as_secs() > 60),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn names(folder: &Path) -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn a_folder_of_a_living_process_stays_and_goes_with_its_last_clone() {
        let parent = tempfile::tempdir().unwrap();
        let scratch = Scratch::within(&parent.path().join("tmp")).unwrap();
        let other = Scratch::within(&parent.path().join("tmp")).unwrap();
        assert_ne!(scratch.path(), other.path());
        drop((other, scratch.clone()));
        assert!(scratch.path().is_dir());
        drop(scratch);
        assert_eq!(names(&parent.path().join("tmp")), Vec::<PathBuf>::new());
    }

    #[test]
    fn many_that_begin_at_once_leave_each_others_folders_alone() {
        let parent = tempfile::tempdir().unwrap();
        let begin = || (0..20).map(|_| Scratch::within(parent.path()).unwrap()).collect::<Vec<_>>();
        let all: Vec<Scratch> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(begin)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert!(all.iter().all(|scratch| scratch.path().join(LOCK).exists()));
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_not_ours_stays() {
        let parent = tempfile::tempdir().unwrap();
        let killed = parent.path().join(format!("{PREFIX}killed"));
        fs::create_dir_all(killed.join("check-1")).unwrap();
        fs::write(killed.join("check-1/model.onnx"), "weights").unwrap();
        // No process holds this one.
        fs::write(killed.join(LOCK), "").unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        fs::write(elsewhere.path().join(LOCK), "").unwrap();
        let link = parent.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(elsewhere.path(), &link).unwrap();
        let notes = parent.path().join("notes");
        fs::write(&notes, "").unwrap();

        let scratch = Scratch::within(parent.path()).unwrap();
        assert!(!killed.exists());
        assert!(elsewhere.path().join(LOCK).exists());
        let mut left = names(parent.path());
        left.sort();
        let mut expected = vec![scratch.path().to_owned(), link, notes];
        expected.sort();
        assert_eq!(left, expected);
    }
}

//! Folders and files that their owner alone may look into: models and datasets may be confidential, and whoever could
//! write to them would decide what a search finds.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::StoreError;

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a folder, with those above it that are missing, for its owner alone. One that is there is tightened.
pub fn folder(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    restrict(path, FOLDER);
    Ok(())
}

/// Takes away what other users may do with a folder of the store and all that is in it. Links are not followed.
pub fn tighten(path: &Path) {
    restrict(path, FOLDER);
    let Ok(entries) = std::fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => tighten(&entry.path()),
            Ok(kind) if kind.is_file() => restrict(&entry.path(), FILE),
            _ => {}
        }
    }
}

/// A database's file, made when it is missing, and those that SQLite keeps beside it. SQLite gives new ones the rights of
/// the database.
pub(crate) fn database(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(FOLDER).create(parent)?;
    }
    OpenOptions::new().create(true).append(true).mode(FILE).open(path)?;
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        restrict(Path::new(&name), FILE);
    }
    Ok(())
}

fn restrict(path: &Path, wanted: u32) {
    let outcome = path.metadata().and_then(|meta| {
        let mode = meta.permissions().mode() & 0o7777;
        // What the owner has taken from himself stays taken.
        let stricter = mode & wanted;
        if stricter == mode { Ok(()) } else { std::fs::set_permissions(path, Permissions::from_mode(stricter)) }
    });
    match outcome {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "other users may look into this, and it cannot be changed");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn folders_become_700_and_files_600_and_links_are_not_followed() {
        let (outside, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let inner = root.path().join("data/ab");
        std::fs::create_dir_all(&inner).unwrap();
        let (file, other) = (inner.join("cd"), outside.path().join("other"));
        for path in [&file, &other] {
            std::fs::write(path, "weights").unwrap();
            std::fs::set_permissions(path, Permissions::from_mode(0o666)).unwrap();
        }
        std::fs::set_permissions(&inner, Permissions::from_mode(0o777)).unwrap();
        std::os::unix::fs::symlink(&other, inner.join("link")).unwrap();

        tighten(&root.path().join("data"));
        assert_eq!([mode(&root.path().join("data")), mode(&inner), mode(&file)], [0o700, 0o700, 0o600]);
        assert_eq!(mode(&other), 0o666);
        folder(&root.path().join("new/inner")).unwrap();
        assert_eq!([mode(&root.path().join("new")), mode(&root.path().join("new/inner"))], [0o700, 0o700]);
    }

    #[test]
    fn what_is_stricter_already_stays_so() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        std::fs::write(&file, "weights").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o400)).unwrap();
        tighten(root.path());
        assert_eq!(mode(&file), 0o400);
    }
}

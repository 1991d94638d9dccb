//! Folders and files that their owner alone may look into: models and datasets may be confidential, and whoever could
//! write to them would decide what a search finds.

use std::fs::{DirBuilder, DirEntry, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::error::StoreError;

/// The file that says which database a file store belongs to.
pub(crate) const MARKER: &str = "store-id";
/// The folder of uploads in progress.
pub(crate) const TEMPORARY: &str = "tmp";
/// Name of the file whose lock orders changes of a cache's folder.
pub(crate) const LOCK: &str = "lock";

const FOLDER: u32 = 0o700;
const FILE: u32 = 0o600;

/// Makes a folder, with those above it that are missing, for its owner alone. One that is there is tightened.
pub fn folder(path: &Path) -> Result<(), StoreError> {
    let made = DirBuilder::new().recursive(true).mode(FOLDER).create(path);
    made.map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
    restrict(path, FOLDER);
    Ok(())
}

/// Takes away what other users may do with a folder, and with what in it `is_ours` by its name, whatever lies below
/// that. All else in it may be somebody's own. Links are not followed.
pub fn tighten(folder: &Path, is_ours: impl Fn(&str) -> bool) {
    restrict(folder, FOLDER);
    for entry in entries(folder) {
        if entry.file_name().to_str().is_some_and(&is_ours) {
            tighten_entry(&entry);
        }
    }
}

/// Whether a file store or a cache makes entries of this name: folders by the first digits of hashes, and a few more.
pub fn is_of_store(name: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (name.len() == 2 && name.bytes().all(is_digit)) || [TEMPORARY, MARKER, LOCK].contains(&name)
}

fn tighten_entry(entry: &DirEntry) {
    match entry.file_type() {
        Ok(kind) if kind.is_dir() => {
            restrict(&entry.path(), FOLDER);
            entries(&entry.path()).for_each(|entry| tighten_entry(&entry));
        }
        Ok(kind) if kind.is_file() => restrict(&entry.path(), FILE),
        _ => {}
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = DirEntry> {
    std::fs::read_dir(folder).into_iter().flatten().flatten()
}

/// A database's file, made when it is missing, and those that SQLite keeps beside it. SQLite gives new ones the rights
/// of the database.
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
            tracing::warn!(path = %path.display(), %error, "other users can read this, and its permissions cannot be \
                changed");
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

        tighten(&root.path().join("data"), is_of_store);
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
        tighten(root.path(), |name| name == "file");
        assert_eq!(mode(&file), 0o400);
    }

    #[test]
    fn what_the_store_did_not_make_keeps_its_rights() {
        let root = tempfile::tempdir().unwrap();
        let (own, theirs) = (["ab/cd", "tmp/x", MARKER, LOCK], ["notes", "src/main.rs", "AB/cd", "abc/d"]);
        for file in own.into_iter().chain(theirs).map(|name| root.path().join(name)) {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, "content").unwrap();
            std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        }
        tighten(root.path(), is_of_store);
        assert_eq!(own.map(|name| mode(&root.path().join(name))), [0o600; 4]);
        assert_eq!(theirs.map(|name| mode(&root.path().join(name))), [0o644; 4]);
        assert_eq!(mode(root.path()), 0o700);
    }
}

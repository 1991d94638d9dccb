//! What lies at a location, as a text: which files, how large they are and when they were written to. Its hash stands for the
//! dataset. No file is opened, so that a change which keeps size and time is not seen.

use std::fmt::Write;
use std::fs::{Metadata, read_dir};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::roots::Located;
use crate::files::FileHash;

/// First line of a listing: what it is, and in which version.
const HEAD: &str = "eagleeye dataset by reference 1";
/// Files of one dataset: two for each of the images that a dataset may have.
const MOST_FILES: usize = 8_000_000;

/// Names, sizes and times of a dataset's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    text: String,
    /// Size of all files in bytes.
    pub bytes: u64,
}

/// Why files cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    #[error("`{}` cannot be listed: {source}", name.display())]
    Unreadable { name: PathBuf, source: io::Error },
    #[error("it has more than {MOST_FILES} files, which is the limit")]
    TooMany,
}

impl Listing {
    /// Lists a file, or all files below a folder. Files and folders whose names begin with a dot are left out, and links are not
    /// followed.
    pub fn of(located: &Located) -> Result<Self, ListingError> {
        let failed = |source| ListingError::Unreadable { name: PathBuf::new(), source };
        let meta = located.path.symlink_metadata().map_err(failed)?;
        let mut found = Vec::new();
        if meta.is_dir() {
            gather(&located.path, &mut found)?;
        } else {
            found.push(Found::of(String::new(), &meta));
        }
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut text = format!("{HEAD}\n{}\n", escaped(&located.location));
        let mut bytes: u64 = 0;
        for Found { name, size, modified } in found {
            bytes = bytes.saturating_add(size);
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{size} {modified} {name}");
        }
        Ok(Self { text, bytes })
    }

    /// What stands for the dataset: it differs where a name, a size or a time does.
    pub fn fingerprint(&self) -> FileHash {
        FileHash::from(blake3::hash(self.text.as_bytes()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// What is kept of a file, of which there may be millions.
struct Found {
    /// On one line, from the location on.
    name: String,
    /// Bytes.
    size: u64,
    /// Microseconds since 1970.
    modified: i64,
}

impl Found {
    fn of(name: String, meta: &Metadata) -> Self {
        Self { name, size: meta.len(), modified: microseconds(meta) }
    }
}

/// Everything below a folder but folders.
fn gather(root: &Path, found: &mut Vec<Found>) -> Result<(), ListingError> {
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        let failed = |source| ListingError::Unreadable { name: folder.clone(), source };
        for entry in read_dir(root.join(&folder)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let name = folder.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                waiting.push(name);
                continue;
            }
            let meta = entry.metadata().map_err(|source| ListingError::Unreadable { name: name.clone(), source })?;
            found.push(Found::of(escaped(&name.to_string_lossy()), &meta));
            if found.len() > MOST_FILES {
                return Err(ListingError::TooMany);
            }
        }
    }
    Ok(())
}

/// A name on one line.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\").replace('\n', "\\n")
}

/// Of the last write, since 1970. Shared folders do not give nanoseconds to all machines alike.
fn microseconds(meta: &Metadata) -> i64 {
    meta.mtime().saturating_mul(1_000_000).saturating_add(meta.mtime_nsec() / 1000)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::Duration;

    use super::*;

    fn located(path: &Path) -> Located {
        Located { location: path.display().to_string(), path: path.to_owned() }
    }

    #[test]
    fn another_name_size_time_or_place_makes_another_fingerprint_and_a_hidden_file_does_not() {
        let place = tempfile::tempdir().unwrap();
        let set = place.path().join("set");
        fs::create_dir_all(set.join("cat")).unwrap();
        fs::write(set.join("cat/1.png"), "1234").unwrap();
        fs::write(set.join("b\n.png"), "12").unwrap();
        let now = || Listing::of(&located(&set)).unwrap();
        let first = now();
        assert_eq!(first.bytes, 6);
        assert_eq!((first.text().lines().count(), first.text().contains(" cat/1.png\n")), (4, true));
        fs::write(set.join("cat/.hidden"), "1").unwrap();
        assert_eq!(now().fingerprint(), first.fingerprint());

        let time = fs::metadata(set.join("cat/1.png")).unwrap().modified().unwrap();
        let touch = |time| File::options().write(true).open(set.join("cat/1.png")).unwrap().set_modified(time).unwrap();
        touch(time + Duration::from_micros(1));
        assert_ne!(now().fingerprint(), first.fingerprint());
        touch(time);
        assert_eq!(now().fingerprint(), first.fingerprint());
        fs::write(set.join("cat/2.png"), "").unwrap();
        assert_ne!(now().fingerprint(), first.fingerprint());
        fs::remove_file(set.join("cat/2.png")).unwrap();
        fs::rename(&set, place.path().join("moved")).unwrap();
        let moved = Listing::of(&located(&place.path().join("moved"))).unwrap();
        assert_ne!(moved.fingerprint(), first.fingerprint());
    }

    #[test]
    fn a_file_is_listed_alone() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "123").unwrap();
        let listing = Listing::of(&located(file.path())).unwrap();
        assert_eq!((listing.bytes, listing.text().lines().count()), (3, 3));
    }
}

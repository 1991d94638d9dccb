//! Which folders datasets may be registered from, and what a location is below them.

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};

/// Folders below which datasets may be read where they lie. None, unless the operator says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatasetRoots(Vec<PathBuf>);

/// A setting that is no such folder.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    #[error("dataset root `{0}` is not an absolute path; write it from `/` on, without `..`")]
    Relative(String),
    #[error("dataset root `{0}` is not a folder of this machine; s3:// and other addresses cannot be roots")]
    Remote(String),
}

/// Something below a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The root as the operator has written it, and the way from there without links and `..`.
    pub location: String,
    /// Where that is, without links.
    pub path: PathBuf,
}

/// Why a location cannot be used. What lies outside of the roots is never looked at: messages are the same whether it exists or not.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    #[error("no folders are set from which datasets may be registered; the operator sets them with --dataset-roots")]
    NoRoots,
    #[error("it must be the absolute path of a file or folder, in the style of /data/images")]
    Relative,
    #[error("it is outside of the folders from which datasets may be registered: {}", .roots.join(", "))]
    Outside { roots: Vec<String> },
    #[error("the folder {root}, from which datasets may be registered, is missing")]
    RootMissing { root: String },
    #[error("there is nothing")]
    Missing,
    #[error("it cannot be reached: {0}")]
    Unreadable(io::Error),
}

impl DatasetRoots {
    /// # Errors
    /// [`RootError`] for the first that is not the absolute path of a folder. It need not exist yet.
    pub fn new(roots: impl IntoIterator<Item = String>) -> Result<Self, RootError> {
        let root = |root: String| {
            let path = PathBuf::from(&root);
            let climbs = path.components().any(|part| part == Component::ParentDir);
            match () {
                () if root.contains("://") => Err(RootError::Remote(root)),
                () if !path.is_absolute() || climbs => Err(RootError::Relative(root)),
                () => Ok(path.components().collect()),
            }
        };
        Ok(Self(roots.into_iter().filter(|root| !root.trim().is_empty()).map(root).collect::<Result<_, _>>()?))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As the operator has written them.
    pub fn names(&self) -> Vec<String> {
        self.0.iter().map(|root| root.display().to_string()).collect()
    }

    /// Follows links and `..`, and finds the root that what they lead to lies below. It is a file or a folder.
    ///
    /// # Errors
    /// [`LocationError`] says why there is none.
    pub fn resolve(&self, location: &str) -> Result<Located, LocationError> {
        if self.is_empty() {
            return Err(LocationError::NoRoots);
        }
        let location = Path::new(location);
        if !location.is_absolute() {
            return Err(LocationError::Relative);
        }
        match location.canonicalize() {
            Ok(path) => self.above(&path).ok_or_else(|| self.outside()),
            Err(error) => Err(self.unresolved(location, error)),
        }
    }

    /// The root that a path without links lies below.
    fn above(&self, path: &Path) -> Option<Located> {
        self.0.iter().find_map(|root| {
            let below = path.strip_prefix(root.canonicalize().ok()?).ok()?;
            let joined = if below.as_os_str().is_empty() { root.clone() } else { root.join(below) };
            Some(Located { location: joined.to_str()?.to_owned(), path: path.to_owned() })
        })
    }

    /// What to say of a path that does not lead to anything: more than that it is outside only if as much of it as there is
    /// lies below a root.
    fn unresolved(&self, location: &Path, error: io::Error) -> LocationError {
        for before in location.ancestors().skip(1) {
            match before.canonicalize() {
                Ok(there) if self.above(&there).is_some() && !ends_in_link(location, before) => {
                    return match error.kind() {
                        ErrorKind::NotFound | ErrorKind::NotADirectory => LocationError::Missing,
                        _ => LocationError::Unreadable(error),
                    };
                }
                Ok(_) => break,
                Err(_) => {}
            }
        }
        // The root itself may be what is not there.
        let missing = self.0.iter().find(|root| location.starts_with(root) && root.canonicalize().is_err());
        match missing {
            Some(root) => LocationError::RootMissing { root: root.display().to_string() },
            None => self.outside(),
        }
    }

    fn outside(&self) -> LocationError {
        LocationError::Outside { roots: self.names() }
    }
}

/// Whether the first part of a location behind `before` is a link, which then leads to nothing, wherever that is.
fn ends_in_link(location: &Path, before: &Path) -> bool {
    let next: Option<&OsStr> = location.strip_prefix(before).ok().and_then(|rest| rest.iter().next());
    next.is_some_and(|next| before.join(next).is_symlink())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A root `root` with a folder `set`, and a folder `secret` beside it.
    fn place() -> (tempfile::TempDir, DatasetRoots) {
        let place = tempfile::tempdir().unwrap();
        for folder in ["root/set", "secret"] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        let root = place.path().join("root").display().to_string();
        (place, DatasetRoots::new([root]).unwrap())
    }

    fn resolved(place: &tempfile::TempDir, roots: &DatasetRoots, location: &str) -> Result<String, String> {
        let prefix = format!("{}/", place.path().display());
        let located = roots.resolve(&format!("{prefix}{location}"));
        let shortened = |text: String| text.replace(&prefix, "");
        located.map(|located| shortened(located.location)).map_err(|error| shortened(error.to_string()))
    }

    #[test]
    fn links_and_dots_are_followed_before_the_roots_are_asked() {
        let (place, roots) = place();
        symlink("set", place.path().join("root/same")).unwrap();
        for location in ["root/set", "root/set/", "root/../root/./set", "root/same", "secret/../root/set"] {
            assert_eq!(resolved(&place, &roots, location), Ok("root/set".to_owned()), "{location}");
        }
        assert_eq!(resolved(&place, &roots, "root"), Ok("root".to_owned()));
    }

    #[test]
    fn what_is_outside_is_refused_alike_whether_it_exists_or_not() {
        let (place, roots) = place();
        fs::write(place.path().join("secret/file"), "").unwrap();
        symlink(place.path().join("secret"), place.path().join("root/link")).unwrap();
        symlink(place.path().join("secret/no"), place.path().join("root/dangling")).unwrap();
        fs::create_dir(place.path().join("root-2")).unwrap();
        let outside = Err("it is outside of the folders from which datasets may be registered: root".to_owned());
        for location in [
            "secret",
            "secret/file",
            "secret/no",
            "secret/no/file",
            "secret/file/no",
            "root/../secret",
            "root/../no",
            "root/set/../../secret/file",
            "root/link",
            "root/link/file",
            "root/link/no",
            "root/link/file/no",
            "root/dangling",
            "root/dangling/no",
            "root-2",
            "root-3",
            "",
        ] {
            assert_eq!(resolved(&place, &roots, location), outside, "{location}");
        }
    }

    #[test]
    fn below_a_root_it_is_said_that_there_is_nothing() {
        let (place, roots) = place();
        fs::write(place.path().join("root/file"), "").unwrap();
        for location in ["root/no", "root/set/no/no", "root/file/no", "root/no/../../secret"] {
            assert_eq!(resolved(&place, &roots, location), Err("there is nothing".to_owned()), "{location}");
        }
        fs::remove_dir_all(place.path().join("root")).unwrap();
        let gone = resolved(&place, &roots, "root/set").unwrap_err();
        assert!(gone.contains("is missing"), "{gone}");
    }

    #[test]
    fn roots_are_absolute_paths_and_none_by_default() {
        let (place, _) = place();
        assert!(matches!(DatasetRoots::default().resolve("/"), Err(LocationError::NoRoots)));
        let roots = DatasetRoots::new([place.path().display().to_string(), String::new()]).unwrap();
        assert_eq!(roots.names().len(), 1);
        assert!(matches!(roots.resolve("root/set"), Err(LocationError::Relative)));
        for bad in ["data", "./data", "/data/../etc"] {
            assert_eq!(DatasetRoots::new([bad.to_owned()]), Err(RootError::Relative(bad.to_owned())));
        }
        let bucket = "s3://bucket/prefix".to_owned();
        assert_eq!(DatasetRoots::new([bucket.clone()]), Err(RootError::Remote(bucket)));
    }

    #[test]
    fn a_root_may_be_a_link_and_stays_one_in_the_location() {
        let (place, _) = place();
        symlink("root", place.path().join("mounted")).unwrap();
        let roots = DatasetRoots::new([place.path().join("mounted").display().to_string()]).unwrap();
        assert_eq!(resolved(&place, &roots, "mounted/set"), Ok("mounted/set".to_owned()));
        assert_eq!(resolved(&place, &roots, "root/set"), Ok("mounted/set".to_owned()));
    }
}

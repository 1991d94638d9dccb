//! What a command writes replaces nothing that it reads.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// # Errors
/// [`Failure::Replaced`] where a file to be written is one that is read, under whatever name.
pub fn check_replaced<'a>(
    written: impl IntoIterator<Item = &'a Path>,
    read: impl IntoIterator<Item = &'a Path> + Clone,
) -> Result<(), Failure> {
    for out in written {
        if let Some(same) = read.clone().into_iter().find(|path| is_same(out, path)) {
            return Err(Failure::Replaced { path: out.to_owned(), read: same.to_owned() });
        }
    }
    Ok(())
}

/// Whether both names are of one file, or would be if it were made.
fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino())).ok();
    match (identity(one), identity(other)) {
        (Some(one), Some(other)) => one == other,
        (None, None) => place(one) == place(other),
        _ => false,
    }
}

/// The folder without links, and the name in it.
fn place(path: &Path) -> Option<PathBuf> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.canonicalize().ok()?.join(path.file_name()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_under_all_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("model.pt"), "m").unwrap();
        fs::create_dir(at("sub")).unwrap();
        std::os::unix::fs::symlink(at("model.pt"), at("link.pt")).unwrap();
        fs::hard_link(at("model.pt"), at("hard.pt")).unwrap();
        for name in ["model.pt", "./model.pt", "sub/../model.pt", "link.pt", "hard.pt"] {
            let (out, model) = (at(name), at("model.pt"));
            assert!(check_replaced([&out as &Path], [&model as &Path]).is_err(), "{name}");
        }
        let check = |out: &str, read: &str| check_replaced([&at(out) as &Path], [&at(read) as &Path]);
        assert!(check("new.md", "sub/../new.md").is_err(), "both would be made");
        assert!(check("new.pt", "model.pt").is_ok());
        assert!(check("sub/model.pt", "model.pt").is_ok());
    }
}

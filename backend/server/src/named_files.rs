//! Stored files under the names that they came with.

use std::io::ErrorKind;
use std::path::PathBuf;

use eagleeye_sandbox::place;
use eagleeye_store::LocalFile;
use tempfile::TempDir;

use crate::problem::{Kind, Problem};
use crate::store_problem::storage;

/// Verified files in a folder of their own, which goes when it is dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    _files: Vec<LocalFile>,
}

impl Folder {
    /// Puts the files into a folder: they refer to each other by name, and a message that names a file should name it
    /// as the client does.
    pub async fn of(files: Vec<(&str, LocalFile)>) -> Result<Self, Problem> {
        let folder = tempfile::Builder::new().prefix("eagleeye-check-").tempdir().map_err(storage)?;
        let mut held = Vec::with_capacity(files.len());
        for (name, file) in files {
            let (from, to) = (file.path().to_owned(), folder.path().join(name));
            // An importer follows no link from a model to weights in another folder; the model itself may be one.
            let is_first = held.is_empty();
            let placed = tokio::task::spawn_blocking(move || place(&from, &to, is_first)).await;
            placed.map_err(Problem::internal)?.map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists => {
                    let detail = format!("two parts have the file name `{name}`; file names must be unique");
                    Problem::new(Kind::MalformedUpload, detail)
                }
                _ => storage(error),
            })?;
            held.push(file);
        }
        Ok(Folder { folder, _files: held })
    }

    pub fn path_of(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

//! Stored files under the names that they came with.

use std::io::ErrorKind;

use eagleeye_store::{FileHash, Store};
use tempfile::TempDir;

use crate::problem::{Kind, Problem};

/// Links the files into a folder of their own, which goes when it is dropped: files refer to each other by name, and a
/// message that names a file should name it as the client does.
pub async fn linked(store: &Store, files: &[(&str, &FileHash)]) -> Result<TempDir, Problem> {
    let folder = tempfile::Builder::new().prefix("eagleeye-check-").tempdir().map_err(Problem::internal)?;
    for (name, hash) in files {
        let stored = store.files().materialize(hash).await?;
        tokio::fs::symlink(stored, folder.path().join(name)).await.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                let detail = format!("two parts have the file name `{name}`; give each its own");
                Problem::new(Kind::MalformedUpload, detail)
            }
            _ => Problem::internal(error),
        })?;
    }
    Ok(folder)
}

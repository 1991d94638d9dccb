//! A file as a path, for libraries that open paths; and what is left in folders of temporary files.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{FileHash, Files, Place, TEMPORARY};
use crate::error::{Kind, StoreError};

impl Files {
    /// A local path with the file's content, which must not be written to.
    ///
    /// In a local store this is the file itself; a remote file is downloaded once, checked against its hash, and kept
    /// in the cache folder.
    pub async fn materialize(&self, hash: &FileHash) -> Result<PathBuf, StoreError> {
        let (folder, name) = hash.split();
        match &self.place {
            Place::Local(root) => {
                let path = root.join(folder).join(name);
                if is_file(&path).await { Ok(path) } else { Err(StoreError::not_found(Kind::File, hash)) }
            }
            Place::Remote { cache } => {
                let path = cache.join(folder).join(name);
                if !is_file(&path).await {
                    self.download(hash, cache, &path).await?;
                }
                Ok(path)
            }
        }
    }

    /// Deletes temporary files that nobody has written to for `age`.
    pub(crate) async fn sweep_temporary(&self, age: Duration) -> Result<u64, StoreError> {
        let Some(oldest) = SystemTime::now().checked_sub(age) else { return Ok(0) };
        match &self.place {
            // Uploads in progress are hidden from the object store's own listing.
            Place::Local(root) => sweep_folder(&root.join(TEMPORARY), oldest).await,
            Place::Remote { cache } => {
                let oldest_listed = chrono::DateTime::<chrono::Utc>::from(oldest);
                let mut swept = 0;
                let mut listing = self.objects.list(Some(&self.prefix.clone().join(TEMPORARY)));
                while let Some(object) = listing.try_next().await? {
                    if object.last_modified < oldest_listed {
                        self.objects.delete(&object.location).await?;
                        swept += 1;
                    }
                }
                Ok(swept + sweep_folder(&cache.join(TEMPORARY), oldest).await?)
            }
        }
    }

    async fn download(&self, hash: &FileHash, cache: &Path, path: &Path) -> Result<(), StoreError> {
        let folder_error = |path: &Path| {
            let path = path.to_path_buf();
            move |source| StoreError::Folder { path, source }
        };
        let parent = path.parent().unwrap_or(cache);
        let temporary_folder = cache.join(TEMPORARY);
        for folder in [parent, &temporary_folder] {
            tokio::fs::create_dir_all(folder).await.map_err(folder_error(folder))?;
        }

        let temporary = temporary_folder.join(Uuid::now_v7().to_string());
        let outcome = self.download_to(hash, &temporary).await;
        if outcome.is_err() {
            // The error of the download matters more than that of tidying up after it.
            let _ = tokio::fs::remove_file(&temporary).await;
        }
        outcome?;
        tokio::fs::rename(&temporary, path).await.map_err(folder_error(path))
    }

    async fn download_to(&self, hash: &FileHash, path: &Path) -> Result<(), StoreError> {
        let failed = |source| StoreError::Folder { path: path.to_path_buf(), source };
        let mut body = self.read(hash).await?.stream;
        let mut file = tokio::fs::File::create_new(path).await.map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        while let Some(chunk) = body.try_next().await? {
            hasher.update(&chunk);
            file.write_all(&chunk).await.map_err(failed)?;
        }
        file.sync_all().await.map_err(failed)?;
        let found = FileHash::from(hasher.finalize());
        if &found != hash {
            return Err(StoreError::Damaged { hash: hash.to_string(), found: found.to_string() });
        }
        Ok(())
    }
}

async fn is_file(path: &Path) -> bool {
    tokio::fs::metadata(path).await.is_ok_and(|meta| meta.is_file())
}

async fn sweep_folder(folder: &Path, oldest: SystemTime) -> Result<u64, StoreError> {
    let failed = |source| StoreError::Folder { path: folder.to_path_buf(), source };
    let mut entries = match tokio::fs::read_dir(folder).await {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(failed(error)),
    };
    let mut swept = 0;
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        // A file that vanishes meanwhile was finished or swept by somebody else.
        let Ok(modified) = entry.metadata().await.and_then(|meta| meta.modified()) else { continue };
        if modified < oldest && tokio::fs::remove_file(entry.path()).await.is_ok() {
            swept += 1;
        }
    }
    Ok(swept)
}

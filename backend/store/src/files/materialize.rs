//! A file as a path, for libraries that open paths; and what is left in folders of temporary files.

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures::TryStreamExt;
use object_store::{GetResult, ObjectStore, ObjectStoreExt};
use tokio::io::AsyncWriteExt;

use super::cache::{Cache, Download};
use super::verify::damaged;
use super::{Check, FileHash, Files, LocalFile, Place};
use crate::error::{Damage, StoreError};
use crate::private::TEMPORARY;

impl Files {
    /// The file on this machine, verified.
    ///
    /// In a local store this is the file itself. A remote file is copied into the cache, and fetched again where the copy
    /// was damaged.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that is missing or no longer has its content.
    pub async fn materialize(&self, hash: &FileHash, check: Check) -> Result<LocalFile, StoreError> {
        let (folder, name) = hash.split();
        match &self.place {
            Place::Local(root) => self.known.open(hash, root.join(folder).join(name), check).await,
            Place::Remote(cache) => {
                let mut slot = self.known.slot(hash).await;
                let known = slot.take().filter(|_| check == Check::Once);
                let file = match cache.find(hash, known).await? {
                    Some(file) => file,
                    None => self.fetch(hash, cache).await?,
                };
                *slot = file.memory();
                Ok(file)
            }
        }
    }

    /// Deletes temporary files that nobody has written to for `age`.
    pub(crate) async fn sweep_temporary(&self, age: Duration) -> Result<u64, StoreError> {
        let Some(oldest) = SystemTime::now().checked_sub(age) else { return Ok(0) };
        match &self.place {
            // Uploads in progress are hidden from the object store's own listing.
            Place::Local(root) => sweep_folder(&root.join(TEMPORARY), oldest).await,
            Place::Remote(cache) => {
                let oldest_listed = chrono::DateTime::<chrono::Utc>::from(oldest);
                let mut swept = 0;
                let mut listing = self.objects.list(Some(&self.prefix.clone().join(TEMPORARY)));
                while let Some(object) = listing.try_next().await? {
                    if object.last_modified < oldest_listed {
                        self.objects.delete(&object.location).await?;
                        swept += 1;
                    }
                }
                Ok(swept + sweep_folder(&cache.temporary_folder(), oldest).await?)
            }
        }
    }

    /// Copies a remote file into the cache.
    async fn fetch(&self, hash: &FileHash, cache: &Cache) -> Result<LocalFile, StoreError> {
        let found = self.objects.get(&self.key(hash)).await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => damaged(hash, Damage::Missing),
            other => other.into(),
        })?;
        let download = cache.place(found.meta.size).await?;
        write(found, hash, &download).await?;
        cache.add(hash, download).await
    }
}

async fn write(found: GetResult, hash: &FileHash, download: &Download) -> Result<(), StoreError> {
    let failed = |source| StoreError::Disk { path: download.path().to_owned(), source };
    let mut body = found.into_stream();
    let mut file = tokio::fs::File::from_std(download.file.try_clone().map_err(failed)?);
    let mut hasher = blake3::Hasher::new();
    while let Some(chunk) = body.try_next().await? {
        hasher.update(&chunk);
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.sync_all().await.map_err(failed)?;
    let found = FileHash::from(hasher.finalize());
    if &found == hash { Ok(()) } else { Err(damaged(hash, Damage::Altered { found })) }
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

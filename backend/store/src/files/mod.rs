//! Content-addressed files: the bytes of every upload and export, kept under their blake3 hash.
//!
//! A local folder by default, S3 behind the cargo feature `s3`. Layout: `ab/cdef…` for a file whose hash starts with
//! `abcdef`, and `tmp/` for uploads in progress. Nothing here knows the database; which rows name a file is
//! [`crate::garbage`]'s subject.

mod address;
mod hash;
mod materialize;
mod staged;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};

use crate::address::Address;
use crate::error::{Kind, StoreError};

pub use hash::FileHash;
pub(crate) use staged::Staged;

/// The file that says which database a file store belongs to.
pub(crate) const MARKER: &str = "store-id";
/// The folder of uploads in progress.
const TEMPORARY: &str = "tmp";

/// A handle on the file store; clones are cheap and share it.
#[derive(Debug, Clone)]
pub struct Files {
    objects: Arc<dyn ObjectStore>,
    /// Prefix of every key; empty in a local folder.
    prefix: ObjectPath,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// Files lie in this folder and can be opened where they are.
    Local(PathBuf),
    /// Files are elsewhere; those that need a path are downloaded into this folder.
    Remote { cache: PathBuf },
}

/// The content of a file on its way to a reader.
pub struct FileBody {
    /// Size of the whole file in bytes.
    pub size: u64,
    /// The bytes that `stream` yields: the whole file, or the range asked for.
    pub range: Range<u64>,
    pub stream: BoxStream<'static, Result<Bytes, StoreError>>,
}

impl Files {
    /// Opens a file store: a folder's path, `file://` and a path, or `s3://bucket/prefix`. Folders are made.
    ///
    /// `cache` is where files of a remote store are downloaded to when a path is needed.
    pub fn open(address: &Address, cache: PathBuf) -> Result<Self, StoreError> {
        address::open(address, cache)
    }

    /// A file store on any object store, below `prefix`; `cache` is the folder for downloads.
    pub fn remote(objects: Arc<dyn ObjectStore>, prefix: ObjectPath, cache: PathBuf) -> Result<Self, StoreError> {
        std::fs::create_dir_all(&cache).map_err(|source| StoreError::Folder { path: cache.clone(), source })?;
        Ok(Files { objects, prefix, place: Place::Remote { cache } })
    }

    fn local(folder: PathBuf) -> Result<Self, StoreError> {
        for path in [folder.clone(), folder.join(TEMPORARY)] {
            std::fs::create_dir_all(&path).map_err(|source| StoreError::Folder { path, source })?;
        }
        let folder = folder.canonicalize().map_err(|source| StoreError::Folder { path: folder, source })?;
        let objects = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        Ok(Files { objects: Arc::new(objects), prefix: ObjectPath::default(), place: Place::Local(folder) })
    }

    /// The whole file as a stream.
    pub async fn read(&self, hash: &FileHash) -> Result<FileBody, StoreError> {
        self.read_with(hash, None).await
    }

    /// Part of the file as a stream; `range` is cut at the file's end.
    pub async fn read_range(&self, hash: &FileHash, range: Range<u64>) -> Result<FileBody, StoreError> {
        self.read_with(hash, Some(GetRange::Bounded(range))).await
    }

    /// The whole file in memory; for small ones, such as thumbnails.
    pub async fn bytes(&self, hash: &FileHash) -> Result<Bytes, StoreError> {
        let found = self.objects.get(&self.key(hash)).await.map_err(|error| missing(hash, error))?;
        Ok(found.bytes().await?)
    }

    /// The size in bytes, or `None` when there is no such file.
    pub async fn size(&self, hash: &FileHash) -> Result<Option<u64>, StoreError> {
        match self.objects.head(&self.key(hash)).await {
            Ok(meta) => Ok(Some(meta.size)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a file; one that is not there counts as deleted.
    pub(crate) async fn delete(&self, hash: &FileHash) -> Result<(), StoreError> {
        match self.objects.delete(&self.key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Where the files lie, for messages.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Local(folder) => folder.display().to_string(),
            Place::Remote { .. } => format!("{} below `{}`", self.objects, self.prefix),
        }
    }

    /// What this file store says it is, where it says so.
    pub(crate) async fn marker(&self) -> Result<Option<String>, StoreError> {
        match self.objects.get(&self.prefix.clone().join(MARKER)).await {
            Ok(found) => Ok(Some(String::from_utf8_lossy(&found.bytes().await?).trim().to_string())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Marks a file store that has no mark yet.
    pub(crate) async fn mark(&self, id: &str) -> Result<(), StoreError> {
        self.objects.put(&self.prefix.clone().join(MARKER), format!("{id}\n").into()).await?;
        Ok(())
    }

    async fn read_with(&self, hash: &FileHash, range: Option<GetRange>) -> Result<FileBody, StoreError> {
        let options = GetOptions { range, ..GetOptions::default() };
        let found = self.objects.get_opts(&self.key(hash), options).await.map_err(|error| missing(hash, error))?;
        let (size, range) = (found.meta.size, found.range.clone());
        Ok(FileBody { size, range, stream: found.into_stream().map_err(StoreError::from).boxed() })
    }

    fn key(&self, hash: &FileHash) -> ObjectPath {
        let (folder, name) = hash.split();
        self.prefix.clone().join(folder).join(name)
    }

    fn temporary_key(&self, name: &str) -> ObjectPath {
        self.prefix.clone().join(TEMPORARY).join(name)
    }
}

fn missing(hash: &FileHash, error: object_store::Error) -> StoreError {
    match error {
        object_store::Error::NotFound { .. } => StoreError::not_found(Kind::File, hash),
        other => other.into(),
    }
}

//! Content-addressed files: the bytes of every upload and export, kept under their blake3 hash.
//!
//! A local folder by default, S3 behind the cargo feature `s3`. Layout: `ab/cdef…` for a file whose hash starts with
//! `abcdef`, and `tmp/` for uploads in progress. Nothing here knows the database; which rows name a file is
//! [`crate::garbage`]'s subject.
//!
//! Nothing is handed out that was not found to have the content of its hash: what is on a disk may have changed.

mod address;
mod cache;
mod hash;
mod materialize;
mod sha256;
mod staged;
mod verify;

use std::io::SeekFrom;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use crate::address::Address;
use crate::error::StoreError;
use crate::private::{self, MARKER, TEMPORARY};
use cache::Cache;
use verify::Known;

pub use cache::CacheConfig;
pub use hash::{BadHash, FileHash};
pub use sha256::Sha256;
pub(crate) use staged::Staged;
pub use verify::{Check, LocalFile};

/// Bytes of a download that are read at once.
const READ_BYTES: usize = 1 << 18;

/// A handle on the file store; clones are cheap and share it.
#[derive(Debug, Clone)]
pub struct Files {
    objects: Arc<dyn ObjectStore>,
    /// Prefix of every key; empty in a local folder.
    prefix: ObjectPath,
    place: Place,
    /// What this process has verified.
    known: Known,
}

#[derive(Debug, Clone)]
enum Place {
    /// Files lie in this folder and can be opened where they are.
    Local(PathBuf),
    /// Files are elsewhere, and copied to be read.
    Remote(Cache),
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
    /// `cache` is for the copies of a remote store's files.
    pub fn open(address: &Address, cache: CacheConfig) -> Result<Self, StoreError> {
        address::open(address, cache)
    }

    /// A file store on any object store, below `prefix`, with a cache for copies.
    pub fn remote(objects: Arc<dyn ObjectStore>, prefix: ObjectPath, cache: CacheConfig) -> Result<Self, StoreError> {
        Ok(Files { objects, prefix, place: Place::Remote(Cache::open(cache)?), known: Known::default() })
    }

    fn local(folder: PathBuf) -> Result<Self, StoreError> {
        for path in [folder.clone(), folder.join(TEMPORARY)] {
            private::folder(&path)?;
        }
        private::tighten(&folder, private::is_of_store);
        let folder = folder.canonicalize().map_err(|source| StoreError::Folder { path: folder, source })?;
        let objects = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        let (prefix, place) = (ObjectPath::default(), Place::Local(folder));
        Ok(Files { objects: Arc::new(objects), prefix, place, known: Known::default() })
    }

    /// The size in bytes, or `None` when there is no such file. The content is not looked at.
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
            Place::Remote(_) => format!("{} below `{}`", self.objects, self.prefix),
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

    fn key(&self, hash: &FileHash) -> ObjectPath {
        let (folder, name) = hash.split();
        self.prefix.clone().join(folder).join(name)
    }

    fn temporary_key(&self, name: &str) -> ObjectPath {
        self.prefix.clone().join(TEMPORARY).join(name)
    }
}

impl LocalFile {
    /// Streams part of the file, which must lie within it; ends with an error where the file is written to meanwhile.
    pub async fn stream(self, range: Range<u64>) -> Result<FileBody, StoreError> {
        let path = self.path().to_owned();
        let failed = move |source| StoreError::Unreadable { path: path.clone(), source };
        // The position belongs to this stream alone: the file was opened for it.
        let mut file = tokio::fs::File::from_std(self.handle().try_clone().map_err(&failed)?);
        file.seek(SeekFrom::Start(range.start)).await.map_err(&failed)?;
        let size = self.size();
        let chunks = ReaderStream::with_capacity(file.take(range.end - range.start), READ_BYTES);
        let stream = chunks.map(move |chunk| {
            let chunk = chunk.map_err(&failed)?;
            self.still_intact()?;
            Ok(chunk)
        });
        Ok(FileBody { size, range, stream: stream.boxed() })
    }
}

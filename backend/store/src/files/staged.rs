//! Uploads in progress: bytes go to a temporary object while they are hashed and counted, and are moved to their
//! address once they are complete. Memory stays constant whatever the size.

use std::io;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use object_store::{ObjectStoreExt, WriteMultipart};
use sha2::Digest;
use uuid::Uuid;

use super::{FileHash, Files, Sha256};
use crate::error::StoreError;

/// Parts in flight at once; with the part size this bounds the memory of one upload.
const PARTS_IN_FLIGHT: usize = 2;
/// S3 wants at least 5 MiB, and at most 10,000 parts: 80 GB.
const PART_BYTES: usize = 8 << 20;

/// A complete upload that has no address yet. Dropped without being published, it is deleted.
pub(crate) struct Staged {
    pub hash: FileHash,
    pub sha256: Sha256,
    pub bytes: u64,
    files: Files,
    name: Option<String>,
}

impl Files {
    /// Streams an upload into a temporary object.
    ///
    /// A stream that fails or is longer than `limit` bytes, and a call that is dropped half way, leave nothing behind.
    pub(crate) async fn stage<S, E>(&self, content: S, limit: u64) -> Result<Staged, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let name = Uuid::now_v7().to_string();
        let upload = self.objects.put_multipart(&self.temporary_key(&name)).await?;
        let mut writing = Writing(Some(WriteMultipart::new_with_chunk_size(upload, PART_BYTES)));
        let (mut hasher, mut sha256) = (blake3::Hasher::new(), sha2::Sha256::new());
        let mut received = 0u64;

        let mut content = std::pin::pin!(content);
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(|error| StoreError::Interrupted { received, source: io::Error::other(error) })?;
            received += chunk.len() as u64;
            if received > limit {
                return Err(StoreError::TooLarge { limit });
            }
            hasher.update(&chunk);
            sha256.update(&chunk);
            writing.write(&chunk).await?;
        }
        writing.finish().await?;
        let (hash, sha256) = (hasher.finalize().into(), sha256.into());
        Ok(Staged { hash, sha256, bytes: received, files: self.clone(), name: Some(name) })
    }
}

impl Staged {
    /// Moves the content to its address. What is there already is replaced: it may have been damaged meanwhile.
    pub async fn publish(mut self) -> Result<(), StoreError> {
        let Some(name) = &self.name else { return Ok(()) };
        let (from, to) = (self.files.temporary_key(name), self.files.key(&self.hash));
        self.files.objects.rename(&from, &to).await?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        let (Some(name), Ok(runtime)) = (self.name.take(), tokio::runtime::Handle::try_current()) else { return };
        let files = self.files.clone();
        runtime.spawn(async move {
            if let Err(error) = files.objects.delete(&files.temporary_key(&name)).await {
                tracing::warn!(%error, name, "an abandoned upload is left for the next sweep");
            }
        });
    }
}

/// Aborts the multipart upload when it is dropped unfinished, so that a remote store keeps no parts.
struct Writing(Option<WriteMultipart>);

impl Writing {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        if let Some(writer) = &mut self.0 {
            writer.wait_for_capacity(PARTS_IN_FLIGHT).await?;
            writer.write(chunk);
        }
        Ok(())
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        if let Some(writer) = self.0.take() {
            writer.finish().await?;
        }
        Ok(())
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let (Some(writer), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "an interrupted upload is left for the next sweep");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::{TryStreamExt, stream};
    use object_store::ObjectStore;
    use object_store::memory::InMemory;

    use super::*;
    use crate::files::CacheConfig;

    fn remote() -> (Arc<InMemory>, Files, tempfile::TempDir) {
        let (objects, cache) = (Arc::new(InMemory::new()), tempfile::tempdir().unwrap());
        let config = CacheConfig { folder: cache.path().join("cache"), bytes: 1 << 20 };
        let files = Files::remote(objects.clone(), "eagleeye".into(), config).unwrap();
        (objects, files, cache)
    }

    async fn keys(objects: &InMemory) -> Vec<String> {
        let listing: Vec<_> = objects.list(None).try_collect().await.unwrap();
        listing.into_iter().map(|object| object.location.to_string()).collect()
    }

    fn parts(content: &'static [&'static str]) -> impl Stream<Item = Result<Bytes, io::Error>> + Send {
        stream::iter(content.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))))
    }

    #[tokio::test]
    async fn a_remote_upload_ends_at_its_address_with_no_temporary_object() {
        let (objects, files, _cache) = remote();
        for _ in 0..2 {
            let staged = files.stage(parts(&["wei", "ghts"]), u64::MAX).await.unwrap();
            assert_eq!((staged.bytes, &staged.hash), (7, &FileHash::from(blake3::hash(b"weights"))));
            assert_eq!(staged.sha256, sha2::Sha256::new_with_prefix(b"weights").into());
            staged.publish().await.unwrap();
        }
        let hash = FileHash::from(blake3::hash(b"weights"));
        let (folder, name) = hash.split();
        assert_eq!(keys(&objects).await, [format!("eagleeye/{folder}/{name}")]);
        let file = files.materialize(&hash, crate::files::Check::Anew).await.unwrap();
        assert_eq!(std::fs::read(file.path()).unwrap(), b"weights");
    }

    #[tokio::test]
    async fn a_staged_upload_that_is_dropped_leaves_nothing() {
        let (objects, files, _cache) = remote();
        let staged = files.stage(parts(&["weights"]), u64::MAX).await.unwrap();
        assert_eq!(keys(&objects).await.len(), 1);
        drop(staged);
        while !keys(&objects).await.is_empty() {
            tokio::task::yield_now().await;
        }
        let refused = files.stage(parts(&["weights"]), 6).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { limit: 6 })));
        assert!(keys(&objects).await.is_empty());
    }
}

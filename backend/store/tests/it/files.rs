//! Bytes: streamed in, stored once under their hash, streamed out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use eagleeye_store::{FileHash, Files, Kind, StoreError};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use crate::support::{World, eventually};

fn chunks(count: usize, size: usize) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    stream::iter((0..count).map(move |number| Ok(Bytes::from(vec![number as u8; size]))))
}

async fn content(files: &Files, hash: &FileHash) -> Vec<u8> {
    let body = files.read(hash).await.unwrap();
    let parts: Vec<Bytes> = body.stream.try_collect().await.unwrap();
    parts.concat()
}

#[tokio::test]
async fn a_stream_is_stored_under_its_hash() {
    let world = World::new().await;
    let upload = world.store.upload(chunks(40, 300_000), u64::MAX).await.unwrap();
    let expected: Vec<u8> = (0..40u8).flat_map(|number| vec![number; 300_000]).collect();
    assert_eq!(upload.hash, FileHash::from(blake3::hash(&expected)));
    assert_eq!(upload.bytes, 12_000_000);
    assert_eq!(content(world.store.files(), &upload.hash).await, expected);
    let (folder, name) = upload.hash.as_str().split_at(2);
    assert_eq!(world.files_on_disk(), [format!("{folder}/{name}")]);
}

#[tokio::test]
async fn the_same_content_is_stored_once_and_kept_until_both_are_gone() {
    let world = World::new().await;
    let first = world.store.upload_bytes("same").await.unwrap();
    let second = world.store.upload_bytes("same").await.unwrap();
    assert_eq!(first.hash, second.hash);
    assert_eq!(world.files_on_disk().len(), 1);
    world.store.discard(&first).await.unwrap();
    assert_eq!(content(world.store.files(), &second.hash).await, b"same");
    world.store.discard(&second).await.unwrap();
    assert!(world.files_on_disk().is_empty());
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let world = World::new().await;
    let broken = chunks(30, 1_000_000).chain(stream::iter([Err(io::Error::other("connection reset"))]));
    let error = world.store.upload(broken, u64::MAX).await.unwrap_err();
    assert!(matches!(error, StoreError::Interrupted { received: 30_000_000, .. }), "{error}");
    eventually(|| world.files_on_disk().is_empty()).await;
}

#[tokio::test]
async fn an_upload_over_the_limit_leaves_nothing() {
    let world = World::new().await;
    let error = world.store.upload(chunks(30, 1_000_000), 20_000_000).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 20_000_000 }), "{error}");
    eventually(|| world.files_on_disk().is_empty()).await;
    world.store.upload(chunks(20, 1_000_000), 20_000_000).await.unwrap();
}

#[tokio::test]
async fn an_upload_whose_client_went_away_leaves_nothing() {
    let world = World::new().await;
    let store = world.store.clone();
    let endless = chunks(20, 1_000_000).chain(stream::pending());
    let upload = tokio::spawn(async move { store.upload(endless, u64::MAX).await });
    eventually(|| !world.files_on_disk().is_empty()).await;
    upload.abort();
    assert!(upload.await.unwrap_err().is_cancelled());
    eventually(|| world.files_on_disk().is_empty()).await;
}

#[tokio::test]
async fn a_range_is_read_without_the_rest() {
    let world = World::new().await;
    let upload = world.store.upload_bytes("0123456789").await.unwrap();
    let body = world.store.files().read_range(&upload.hash, 3..6).await.unwrap();
    assert_eq!((body.size, body.range.clone()), (10, 3..6));
    let parts: Vec<Bytes> = body.stream.try_collect().await.unwrap();
    assert_eq!(parts.concat(), b"345");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let world = World::new().await;
    let hash = FileHash::from(blake3::hash(b"nothing"));
    let error = world.store.files().read(&hash).await.err().unwrap();
    assert!(matches!(error, StoreError::NotFound { kind: Kind::File, .. }), "{error}");
    let error = world.store.files().materialize(&hash).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { kind: Kind::File, .. }), "{error}");
    assert_eq!(world.store.files().size(&hash).await.unwrap(), None);
}

#[tokio::test]
async fn a_local_file_is_opened_where_it_lies() {
    let world = World::new().await;
    let source = world.folder.path().join("source");
    std::fs::write(&source, "weights").unwrap();
    let upload = world.store.upload_file(&source).await.unwrap();
    let path = world.store.files().materialize(&upload.hash).await.unwrap();
    assert!(path.starts_with(world.folder.path().join("files").canonicalize().unwrap()));
    assert_eq!(std::fs::read(path).unwrap(), b"weights");
}

#[tokio::test]
async fn a_remote_file_is_downloaded_once_and_checked() {
    let folder = tempfile::tempdir().unwrap();
    let objects = Arc::new(InMemory::new());
    let files = Files::remote(objects.clone(), "eagleeye".into(), folder.path().join("cache")).unwrap();
    let hash = FileHash::from(blake3::hash(b"weights"));
    let (first, rest) = hash.as_str().split_at(2);
    let key = format!("eagleeye/{first}/{rest}").into();

    objects.put(&key, "tampered".into()).await.unwrap();
    let error = files.materialize(&hash).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");

    objects.put(&key, "weights".into()).await.unwrap();
    let path = files.materialize(&hash).await.unwrap();
    objects.delete(&key).await.unwrap();
    assert_eq!(files.materialize(&hash).await.unwrap(), path);
    assert_eq!(std::fs::read(path).unwrap(), b"weights");
}

#[tokio::test]
async fn an_unknown_address_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["ftp://somewhere", "s3://"] {
        let error = Files::open(&url.into(), folder.path().to_path_buf()).unwrap_err();
        assert!(matches!(error, StoreError::BadFilesUrl { .. }), "{url}: {error}");
    }
}

#[tokio::test]
async fn a_sweep_removes_what_a_crash_left() {
    let world = World::new().await;
    let kept = world.model("weights").await;
    world.store.upload_bytes("never used").await.unwrap();
    let temporary = world.folder.path().join("files/tmp/0190-half#1");
    std::fs::write(&temporary, "half").unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    std::fs::File::options().write(true).open(&temporary).unwrap().set_modified(long_ago).unwrap();

    let hour = Duration::from_secs(3600);
    let swept = world.store.sweep(hour).await.unwrap();
    assert_eq!((swept.uploads, swept.files, swept.temporary), (0, 0, 1));
    world.wait(3601);
    let swept = world.store.sweep(hour).await.unwrap();
    assert_eq!((swept.uploads, swept.files, swept.temporary), (1, 1, 0));
    assert_eq!(content(world.store.files(), &kept.hash).await, b"weights");
    assert_eq!(world.files_on_disk().len(), 1);
}

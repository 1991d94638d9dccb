//! Bytes: streamed in, stored once under their hash, streamed out.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use eagleeye_store::{CacheConfig, Check, Damage, FileHash, Files, StoreError};
use futures::{StreamExt, TryStreamExt, stream};

use crate::support::{World, content, eventually};

fn chunks(count: usize, size: usize) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    stream::iter((0..count).map(move |number| Ok(Bytes::from(vec![number as u8; size]))))
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
async fn a_part_of_a_file_is_streamed_after_the_whole_was_verified() {
    let world = World::new().await;
    let upload = world.store.upload_bytes("0123456789").await.unwrap();
    let file = world.store.files().materialize(&upload.hash, Check::Anew).await.unwrap();
    let body = file.clone().stream(3..6).await.unwrap();
    assert_eq!((body.size, body.range.clone()), (10, 3..6));
    let parts: Vec<Bytes> = body.stream.try_collect().await.unwrap();
    assert_eq!(parts.concat(), b"345");

    // Times of files go in steps.
    tokio::time::sleep(Duration::from_millis(50)).await;
    std::fs::write(file.path(), "012345678X").unwrap();
    let error = world.store.files().materialize(&upload.hash, Check::Anew).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { damage: Damage::Altered { .. }, .. }), "{error}");
    let changed: Result<Vec<Bytes>, _> = file.stream(3..6).await.unwrap().stream.try_collect().await;
    assert!(matches!(changed, Err(StoreError::Damaged { damage: Damage::Changed, .. })));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_missing() {
    let world = World::new().await;
    let hash = FileHash::from(blake3::hash(b"nothing"));
    let missing = |error: &StoreError| matches!(error, StoreError::Damaged { damage: Damage::Missing, .. });
    let error = world.store.files().materialize(&hash, Check::Once).await.unwrap_err();
    assert!(missing(&error), "{error}");
    assert_eq!(world.store.files().size(&hash).await.unwrap(), None);
}

#[tokio::test]
async fn a_local_file_is_opened_where_it_lies() {
    let world = World::new().await;
    let source = world.folder.path().join("source");
    std::fs::write(&source, "weights").unwrap();
    let upload = world.store.upload_file(&source).await.unwrap();
    let file = world.store.files().materialize(&upload.hash, Check::Anew).await.unwrap();
    assert!(file.path().starts_with(world.folder.path().join("files").canonicalize().unwrap()));
    assert_eq!(std::fs::read(file.path()).unwrap(), b"weights");
}

#[tokio::test]
async fn another_upload_of_the_same_content_heals_a_damaged_file() {
    let world = World::new().await;
    let model = world.model("weights").await;
    let path = world.store.files().materialize(&model.hash, Check::Once).await.unwrap().path().to_owned();
    let damages: [fn(&Path); 3] = [
        |path| std::fs::write(path, "wEights").unwrap(),
        |path| std::fs::write(path, "weigh").unwrap(),
        |path| std::fs::remove_file(path).unwrap(),
    ];
    for damage in damages {
        damage(&path);
        let error = world.store.models().local(&model, Check::Once).await.unwrap_err();
        let (said, named) = (error.to_string(), matches!(error, StoreError::DamagedFile { .. }));
        assert!(named && said.contains("`mobilenet.pt` of model `MobileNetV1`"), "{said}");
        assert!(said.contains("upload it again") && !said.contains(model.hash.as_str()), "{said}");
        world.store.upload_bytes("weights").await.unwrap();
        let files = world.store.models().local(&model, Check::Once).await.unwrap();
        assert_eq!(std::fs::read(files[0].path()).unwrap(), b"weights");
    }
}

#[tokio::test]
async fn an_unknown_address_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["ftp://somewhere", "s3://"] {
        let cache = CacheConfig { folder: folder.path().join("cache"), bytes: 1 };
        let error = Files::open(&url.into(), cache).unwrap_err();
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

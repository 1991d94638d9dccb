//! Uploads that go on after their connection has broken.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use eagleeye_store::{Kind, StoreError};
use futures::stream;

use crate::support::World;

/// More than two parts.
const LENGTH: usize = (9 << 20) + 17;

fn content() -> Vec<u8> {
    (0..LENGTH).map(|place| (place * 31 % 251) as u8).collect()
}

/// The bytes as they come over a connection, which breaks behind them.
fn broken(bytes: &[u8]) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + use<> {
    let mut chunks: Vec<_> = bytes.chunks(1 << 16).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    chunks.push(Err(io::ErrorKind::ConnectionReset.into()));
    stream::iter(chunks)
}

fn whole(bytes: &[u8]) -> impl futures::Stream<Item = io::Result<Bytes>> + Send + use<> {
    stream::iter([Ok(Bytes::copy_from_slice(bytes))])
}

#[tokio::test]
async fn what_has_arrived_is_kept_and_the_rest_may_come_by_another_process() {
    let world = World::new().await;
    let (content, other) = (content(), world.other_process().await);
    let upload = world.store.resumables().create("network.onnx", LENGTH as u64).await.unwrap();
    let error = world.store.resumables().append(upload.id, 0, broken(&content[..5_000_000])).await.unwrap_err();
    assert!(matches!(error, StoreError::Interrupted { received: 5_000_000, .. }), "{error}");

    let now = other.resumables().get(upload.id).await.unwrap();
    assert_eq!((now.received, now.length, now.name.as_str()), (5_000_000, LENGTH as u64, "network.onnx"));
    let error = other.resumables().assemble(upload.id).await.unwrap_err();
    assert!(error.to_string().contains("5000000 of"), "{error}");
    let error = other.resumables().append(upload.id, 1, whole(&content[1..])).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { kind: Kind::Upload, .. }), "{error}");
    let done = other.resumables().append(upload.id, 5_000_000, whole(&content[5_000_000..])).await.unwrap();
    assert_eq!(done.received, LENGTH as u64);

    let file = world.store.resumables().assemble(upload.id).await.unwrap();
    assert_eq!((file.name.as_str(), file.upload.bytes), ("network.onnx", LENGTH as u64));
    assert_eq!(file.upload.hash.to_string(), blake3::hash(&content).to_string());
    world.store.resumables().delete(upload.id).await.unwrap();
    world.store.discard(&file.upload).await.unwrap();
    assert_eq!(world.files_on_disk().len(), 0, "neither the parts are left nor the file");
    assert!(world.store.resumables().get(upload.id).await.is_err());
}

#[tokio::test]
async fn more_than_was_announced_is_refused_and_what_nobody_goes_on_with_is_swept() {
    let world = World::new().await;
    let upload = world.store.resumables().create("a.pt", 10).await.unwrap();
    let error = world.store.resumables().append(upload.id, 0, whole(b"eleven more")).await.unwrap_err();
    assert!(matches!(error, StoreError::TooLarge { limit: 10 }), "{error}");
    world.store.resumables().append(upload.id, 0, whole(b"five.")).await.unwrap();
    world.store.sweep(Duration::from_secs(60)).await.unwrap();
    assert_eq!(world.store.resumables().get(upload.id).await.unwrap().received, 5);
    world.wait(61);
    let swept = world.store.sweep(Duration::from_secs(60)).await.unwrap();
    assert_eq!((swept.uploads, swept.files, world.files_on_disk().len()), (1, 1, 0));
}

#[tokio::test]
async fn a_part_that_the_disk_has_damaged_is_no_fault_of_whoever_sent_it() {
    let world = World::new().await;
    let upload = world.store.resumables().create("a.pt", 5).await.unwrap();
    world.store.resumables().append(upload.id, 0, whole(b"five.")).await.unwrap();
    let [part] = &world.files_on_disk()[..] else { panic!("one part") };
    std::fs::write(world.folder.path().join("files").join(part), "four.").unwrap();
    let error = world.store.resumables().assemble(upload.id).await.unwrap_err();
    assert!(matches!(&error, StoreError::DamagedFile { owner, .. } if owner.id == upload.id), "{error}");
}

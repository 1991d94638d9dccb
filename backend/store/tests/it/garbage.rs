//! A file lives as long as something names it.

use eagleeye_store::{Exported, StoreError, Upload};

use crate::support::{World, content};

#[tokio::test]
async fn a_file_that_two_models_share_goes_with_the_second() {
    let world = World::new().await;
    let (first, second) = (world.model("weights").await, world.model("weights").await);
    assert_eq!(world.files_on_disk().len(), 1);
    world.store.models().delete(first.id).await.unwrap();
    assert_eq!(content(world.store.files(), &second.hash).await, b"weights");
    world.store.models().delete(second.id).await.unwrap();
    assert!(world.files_on_disk().is_empty());
}

#[tokio::test]
async fn checkpoints_go_with_their_search() {
    let world = World::new().await;
    let search = world.search().await;
    let before = world.files_on_disk();
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();
    for content in ["torchscript", "onnx", "weights"] {
        let lease = world.claim("a").await.lease;
        let upload = world.store.upload_bytes(content).await.unwrap();
        let exported = Exported { upload, max_difference: 0.0 };
        world.store.checkpoints().finish(&lease, &exported).await.unwrap();
    }
    assert_eq!(world.files_on_disk().len(), before.len() + 2, "one checkpoint has the model's own content");
    world.store.searches().delete(search.id).await.unwrap();
    assert_eq!(world.files_on_disk(), before);
}

#[tokio::test]
async fn a_model_that_cannot_be_stored_leaves_no_file() {
    let world = World::new().await;
    let mut new = world.new_model("weights").await;
    new.inspection.report.figures.macs = u64::MAX;
    let error = world.store.models().create(new).await.unwrap_err();
    assert!(matches!(error, StoreError::OutOfRange { field: "macs", .. }), "{error}");
    assert!(world.files_on_disk().is_empty());
}

#[tokio::test]
async fn an_upload_can_be_used_once() {
    let world = World::new().await;
    let new = world.new_model("weights").await;
    world.store.models().create(new.clone()).await.unwrap();
    let error = world.store.models().create(new).await.unwrap_err();
    assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
    assert_eq!(world.files_on_disk().len(), 1);
}

#[tokio::test]
async fn uploads_and_deletions_of_the_same_content_at_once_never_lose_a_named_file() {
    let world = World::new().await;
    let mut hands = Vec::new();
    for _ in 0..4 {
        let store = world.other_process().await;
        hands.push(tokio::spawn(async move {
            let mut kept: Option<Upload> = None;
            for _ in 0..12 {
                let upload = store.upload_bytes("contended").await.unwrap();
                assert_eq!(content(store.files(), &upload.hash).await, b"contended");
                if let Some(older) = kept.replace(upload) {
                    store.discard(&older).await.unwrap();
                }
            }
            store.discard(&kept.unwrap()).await.unwrap();
        }));
    }
    for hand in hands {
        hand.await.unwrap();
    }
    assert!(world.files_on_disk().is_empty());
}

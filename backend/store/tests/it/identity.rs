//! Which file store belongs to which database.

use eagleeye_store::{Store, StoreError};

use crate::support::World;

async fn with_files(world: &World, folder: &str) -> Store {
    let mut config = world.config.clone();
    config.files_url = world.folder.path().join(folder).to_str().unwrap().into();
    Store::connect_with(config).await.unwrap()
}

#[tokio::test]
async fn a_worker_knows_another_file_store_from_the_servers() {
    let world = World::new().await;
    world.store.check_files().await.unwrap();
    world.store.own_files().await.unwrap();
    world.store.own_files().await.unwrap();
    world.other_process().await.check_files().await.unwrap();

    let astray = with_files(&world, "elsewhere").await;
    let error = astray.check_files().await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignFiles { found: None, .. }), "{error}");
    assert!(error.to_string().contains("elsewhere is not the file store of this database"), "{error}");
    assert!(error.waits_for().is_some(), "the job can wait for a worker that has the files");

    std::fs::write(world.folder.path().join("elsewhere/store-id"), "somebody else's\n").unwrap();
    let error = astray.check_files().await.unwrap_err();
    assert!(error.to_string().contains("contains somebody else's"), "{error}");
}

#[tokio::test]
async fn a_server_does_not_take_an_empty_folder_for_its_files() {
    let world = World::new().await;
    world.store.own_files().await.unwrap();
    world.model("weights").await;
    let unmounted = with_files(&world, "unmounted").await;
    for _ in 0..2 {
        let error = unmounted.own_files().await.unwrap_err();
        assert!(matches!(error, StoreError::ForeignFiles { .. }), "{error}");
    }
    world.other_process().await.own_files().await.unwrap();
}

#[tokio::test]
async fn a_file_store_from_before_there_were_marks_is_marked() {
    let world = World::new().await;
    world.model("weights").await;
    world.store.own_files().await.unwrap();
    let id = std::fs::read_to_string(world.folder.path().join("files/store-id")).unwrap();
    assert_eq!(id.trim().len(), 36, "{id}");
    world.store.check_files().await.unwrap();
}

#[tokio::test]
async fn a_file_store_from_before_there_were_marks_is_marked_though_a_file_of_it_is_lost() {
    let world = World::new().await;
    for content in ["first", "second", "third"] {
        let hash = world.model(content).await.hash.to_string();
        if content != "third" {
            std::fs::remove_file(world.folder.path().join("files").join(&hash[..2]).join(&hash[2..])).unwrap();
        }
    }
    world.store.own_files().await.unwrap();
    world.store.check_files().await.unwrap();
}

//! Datasets that lie outside of the file store.

use std::fs;

use eagleeye_store::{
    Check, Dataset, DatasetRoots, Listing, LocalDataset, NewReference, Store, StoreConfig, StoreError,
};

use crate::support::{World, dataset_report};

/// A world whose folder `root` has a dataset, and a store that may read it.
async fn place() -> (World, Store) {
    let world = World::new().await;
    let root = world.folder.path().join("root");
    fs::create_dir_all(root.join("set/cat")).unwrap();
    fs::write(root.join("set/cat/1.png"), "one").unwrap();
    fs::write(root.join("set/cat/2.png"), "two").unwrap();
    let dataset_roots = DatasetRoots::new([root.display().to_string()]).unwrap();
    let store = Store::connect_with(StoreConfig { dataset_roots, ..world.config.clone() }).await.unwrap();
    (world, store)
}

async fn registered(world: &World, store: &Store) -> Dataset {
    let location = world.folder.path().join("root/set").display().to_string();
    let located = store.dataset_roots().resolve(&location).unwrap();
    let listing = Listing::of(&located).unwrap();
    let thumbnails = vec![store.upload_bytes("picture").await.unwrap()];
    let new = NewReference { name: "Cats".to_owned(), located, listing, report: dataset_report(), thumbnails };
    store.datasets().create_reference(new).await.unwrap()
}

/// Why a dataset cannot be read, and what a job then waits for.
async fn refusal(store: &Store, dataset: &Dataset) -> (String, Option<String>) {
    let error = store.datasets().local(dataset, Check::Anew).await.unwrap_err();
    (error.to_string(), error.waits_for())
}

#[tokio::test]
async fn it_comes_back_as_it_was_stored_and_is_found_where_it_lies() {
    let (world, store) = place().await;
    let dataset = registered(&world, &store).await;
    let set = world.folder.path().join("root/set");
    assert_eq!((dataset.location.as_deref(), dataset.images_name.as_str()), (set.to_str(), "set"));
    assert_eq!((dataset.bytes, dataset.thumbnails), (6, 1));
    assert_eq!(store.datasets().get(dataset.id).await.unwrap(), dataset);
    let local = store.datasets().local(&dataset, Check::Anew).await.unwrap();
    assert!(matches!(local, LocalDataset::Referenced(_)));
    assert_eq!((local.images(), local.labels()), (set.canonicalize().unwrap().as_path(), None));
    local.still_intact().unwrap();

    store.datasets().delete(dataset.id).await.unwrap();
    assert_eq!(store.files().size(&dataset.images_hash).await.unwrap(), None, "the listing is gone");
    assert_eq!(fs::read_to_string(set.join("cat/1.png")).unwrap(), "one");
}

#[tokio::test]
async fn what_has_changed_is_named_and_not_waited_for() {
    let (world, store) = place().await;
    let dataset = registered(&world, &store).await;
    let local = store.datasets().local(&dataset, Check::Anew).await.unwrap();
    let set = world.folder.path().join("root/set");
    fs::write(set.join("cat/2.png"), "another").unwrap();
    let meanwhile = local.still_intact().unwrap_err();
    assert!(meanwhile.to_string().contains("written to while they were read"), "{meanwhile}");
    let (said, waits) = refusal(&store, &dataset).await;
    for words in ["dataset `Cats`", "/root/set", "`cat/2.png` was written to", "register it again"] {
        assert!(said.contains(words), "no {words}: {said}");
    }
    assert_eq!(waits, None);
    fs::remove_file(set.join("cat/1.png")).unwrap();
    assert!(refusal(&store, &dataset).await.0.contains("`cat/1.png` is gone"));

    let again = registered(&world, &store).await;
    assert_ne!(again.images_hash, dataset.images_hash);
    store.datasets().local(&again, Check::Anew).await.unwrap();
    fs::remove_dir_all(&set).unwrap();
    let (said, waits) = refusal(&store, &again).await;
    assert!(said.contains("there is nothing") && waits.is_none(), "{said}");
}

#[tokio::test]
async fn a_process_that_may_not_read_it_leaves_it_to_others() {
    let (world, store) = place().await;
    let dataset = registered(&world, &store).await;
    let (said, waits) = refusal(&world.store, &dataset).await;
    assert!(said.contains("--dataset-roots"), "{said}");
    assert!(waits.unwrap().contains("a worker that can reach the dataset"));
    let dataset_roots = DatasetRoots::new(["/usr".to_owned()]).unwrap();
    let other = Store::connect_with(StoreConfig { dataset_roots, ..world.config.clone() }).await.unwrap();
    let (said, waits) = refusal(&other, &dataset).await;
    assert!(said.contains("outside of the folders") && waits.is_some(), "{said}");
}

#[tokio::test]
async fn two_registrations_of_one_place_share_its_listing_and_each_may_go() {
    let (world, store) = place().await;
    let (first, second) = (registered(&world, &store).await, registered(&world, &store).await);
    assert_eq!(first.images_hash, second.images_hash);
    store.datasets().delete(first.id).await.unwrap();
    store.datasets().local(&second, Check::Anew).await.unwrap();
    let missing = store.datasets().get(first.id).await.unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { .. }), "{missing}");
}

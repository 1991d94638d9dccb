//! How the server sees what a worker process writes.

use eagleeye_store::{Progress, SearchState, Uuid};

use crate::support::{KINDS, World};

#[tokio::test]
async fn every_change_by_another_process_is_seen_once() {
    let world = World::new().await;
    let worker = world.other_process().await;
    let id = world.search().await.id;
    let searches = world.store.searches();

    let start = searches.changes_since(id, 0).await.unwrap().unwrap();
    assert_eq!((start.search.state, start.candidates.len()), (SearchState::Queued, 0));
    let mut seen = start.search.revision;
    assert_eq!(searches.changes_since(id, seen).await.unwrap(), None);

    let lease = worker.queue().claim("a", &KINDS).await.unwrap().unwrap().lease;
    let progress = Progress { phase: "decoding".to_string(), done: 1, total: 2 };
    worker.queue().progress(&lease, &progress).await.unwrap();
    let change = searches.changes_since(id, seen).await.unwrap().unwrap();
    assert_eq!((change.search.state, change.search.progress), (SearchState::Running, progress));
    seen = change.search.revision;

    world.record(&lease, 5, 0.9).await;
    world.record(&lease, 2, 0.8).await;
    let change = searches.changes_since(id, seen).await.unwrap().unwrap();
    let indices: Vec<u32> = change.candidates.iter().map(|candidate| candidate.index).collect();
    assert_eq!(indices, [5, 2], "oldest first");
    seen = change.search.revision;

    worker.searches().finish(&lease).await.unwrap();
    let change = searches.changes_since(id, seen).await.unwrap().unwrap();
    assert_eq!((change.search.state, change.candidates.len()), (SearchState::Succeeded, 0));
}

#[tokio::test]
async fn revisions_of_many_searches_come_in_one_answer() {
    let world = World::new().await;
    let first = world.search().await;
    let (model, dataset) = (world.model("w").await, world.dataset("d").await);
    let second = world.search_on(&model, &dataset).await;
    world.claim("a").await;
    let revisions = world.store.searches().revisions(&[first.id, second.id, Uuid::nil()]).await.unwrap();
    assert_eq!(revisions.into_iter().collect::<Vec<_>>(), [(first.id, 2), (second.id, 1)]);
}

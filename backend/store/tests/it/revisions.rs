//! How the server sees what a worker process writes.

use eagleeye_store::{Progress, SearchState};

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

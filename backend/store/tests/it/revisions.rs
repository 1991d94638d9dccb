//! How the server sees what a worker process writes.

use eagleeye_store::{AT_ONCE, Progress, SearchState};

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
async fn many_candidates_come_some_at_a_time_and_none_is_left_out() {
    let world = World::new().await;
    let id = world.search().await.id;
    let lease = world.store.queue().claim("a", &KINDS).await.unwrap().unwrap().lease;
    let count = 2 * AT_ONCE as u32 + 1;
    for index in 0..count {
        world.record(&lease, index, 0.5).await;
    }
    let (mut seen, mut lengths, mut indices) = (0, Vec::new(), Vec::new());
    while let Some(change) = world.store.searches().changes_since(id, seen).await.unwrap() {
        assert_eq!(change.revision == change.search.revision, change.candidates.len() < AT_ONCE);
        lengths.push(change.candidates.len());
        indices.extend(change.candidates.iter().map(|candidate| candidate.index));
        seen = change.revision;
    }
    assert_eq!(lengths, [AT_ONCE, AT_ONCE, 1]);
    assert_eq!(indices, (0..count).collect::<Vec<_>>());
}

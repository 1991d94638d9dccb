//! Jobs that cannot be done for the moment.

use std::time::Duration;

use eagleeye_store::{EXPORT_JOB, SearchState};

use crate::support::{EXPORTS, KINDS, World};

#[tokio::test]
async fn a_job_set_aside_says_what_it_waits_for_and_goes_to_another_worker_first() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.91).await;
    world.store.queue().set_aside(&lease, "space on the disk").await.unwrap();
    let waiting = world.store.searches().get(search.id).await.unwrap();
    assert_eq!((waiting.state, waiting.waiting_for.as_deref()), (SearchState::Queued, Some("space on the disk")));
    assert_eq!(world.store.queue().claim("b", &KINDS).await.unwrap(), None, "not at once");

    world.clock.advance(Duration::from_millis(300));
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None, "not by the worker that could not do it");
    let claim = world.claim("b").await;
    assert_eq!((claim.subject, claim.attempt), (search.id, 1));
    let running = world.store.searches().get(search.id).await.unwrap();
    assert_eq!((running.state, running.waiting_for), (SearchState::Running, None));
}

#[tokio::test]
async fn the_only_worker_tries_again_ever_more_slowly_and_without_end() {
    let world = World::new().await;
    let search = world.search().await;
    let mut lease = world.claim("a").await.lease;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        world.store.queue().set_aside(&lease, "the file store").await.unwrap();
        let mut seconds = 0;
        lease = loop {
            world.wait(1);
            seconds += 1;
            if let Some(claim) = world.store.queue().claim("a", &KINDS).await.unwrap() {
                break claim.lease;
            }
        };
        pauses.push(seconds);
    }
    assert_eq!(pauses, [2, 4, 8, 16, 30, 30, 30, 30]);
    assert_eq!(world.store.searches().get(search.id).await.unwrap().state, SearchState::Running);
}

#[tokio::test]
async fn a_search_that_waits_is_cancelled_at_once() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.queue().set_aside(&lease, "the file store").await.unwrap();
    let cancelled = world.store.searches().cancel(search.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.waiting_for), (SearchState::Cancelled, None));
}

#[tokio::test]
async fn a_job_set_aside_after_its_cancel_is_cancelled() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.store.searches().cancel(search.id).await.unwrap();
    world.store.queue().set_aside(&lease, "the file store").await.unwrap();
    assert_eq!(world.store.searches().get(search.id).await.unwrap().state, SearchState::Cancelled);
}

#[tokio::test]
async fn an_export_that_waits_says_so_as_well() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();
    let claim = world.store.queue().claim("a", &EXPORTS).await.unwrap().unwrap();
    world.store.queue().set_aside(&claim.lease, "space").await.unwrap();
    let id = claim.subject;
    assert_eq!(world.store.checkpoints().get(id).await.unwrap().waiting_for.as_deref(), Some("space"));
}

#[tokio::test]
async fn a_running_search_whose_worker_fell_silent_says_so() {
    let world = World::new().await;
    let search = world.search().await;
    let lease = world.claim("a").await.lease;
    world.wait(11);
    assert_eq!(world.store.queue().reap().await.unwrap(), 0);
    let waiting = world.store.searches().get(search.id).await.unwrap();
    assert_eq!(waiting.waiting_for.as_deref(), Some("a worker: a no longer reports"));
    assert_eq!(world.store.queue().reap().await.unwrap(), 0);
    let again = world.store.searches().get(search.id).await.unwrap();
    assert_eq!(again.revision, waiting.revision, "it is told once");
    world.record(&lease, 0, 0.9).await;
    assert_eq!(world.store.searches().get(search.id).await.unwrap().waiting_for, None);
}

#[tokio::test]
async fn exports_alone_can_be_asked_for() {
    let world = World::new().await;
    world.search().await;
    assert_eq!(world.store.queue().claim("a", &EXPORTS).await.unwrap(), None);
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    world.store.searches().finish(&lease).await.unwrap();
    let (model, dataset) = (world.model("w").await, world.dataset("d").await);
    world.search_on(&model, &dataset).await;
    for _ in 0..3 {
        let claim = world.store.queue().claim("a", &EXPORTS).await.unwrap().unwrap();
        assert_eq!(claim.kind, EXPORT_JOB);
    }
    assert_eq!(world.store.queue().claim("a", &EXPORTS).await.unwrap(), None);
}

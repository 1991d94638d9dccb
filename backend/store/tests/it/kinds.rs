//! Jobs of a kind that the store has never heard of.

use eagleeye_store::{JobState, NewJob, PageRequest, Payload, Progress, StoreError, Turn, Uuid, Wanted};
use serde_json::json;

use crate::support::{KINDS, World};

const POLISH: &str = "polish";
const WANTED: [Wanted<'static>; 1] = [Wanted { kind: POLISH, priority: 5 }];

fn polish(subject: Uuid, rounds: u32) -> NewJob<'static> {
    NewJob { kind: POLISH, subject, payload: Payload::new(3, &json!({ "rounds": rounds })).unwrap(), turn: Turn::Next }
}

async fn states(world: &World) -> Vec<JobState> {
    let jobs = world.store.queue().list(&PageRequest::default()).await.unwrap().items;
    jobs.into_iter().map(|job| job.state).collect()
}

#[tokio::test]
async fn it_is_claimed_with_its_payload_reported_and_finished() {
    let world = World::new().await;
    let queue = world.store.queue();
    let subject = Uuid::now_v7();
    let id = queue.enqueue(polish(subject, 7)).await.unwrap();
    assert_eq!(queue.claim("a", &KINDS).await.unwrap(), None, "a worker gets the kinds that it can do");
    let claim = queue.claim("a", &WANTED).await.unwrap().unwrap();
    assert_eq!((claim.lease.job_id, claim.kind.as_str(), claim.subject), (id, POLISH, subject));
    assert_eq!(
        (claim.payload.version, claim.payload.read::<serde_json::Value>().unwrap()),
        (3, json!({ "rounds": 7 }))
    );

    let progress = Progress { phase: "first round".to_owned(), done: 1, total: 7 };
    queue.progress(&claim.lease, &progress).await.unwrap();
    let listed = queue.list(&PageRequest::default()).await.unwrap().items.remove(0);
    assert_eq!((listed.state, listed.progress), (JobState::Running, Some(progress)));
    queue.finish(&claim.lease).await.unwrap();
    queue.finish(&claim.lease).await.unwrap();
    assert_eq!(states(&world).await, [JobState::Succeeded]);
    assert!(queue.heartbeat(&claim.lease).await.unwrap().lost);
}

#[tokio::test]
async fn a_subject_has_one_job_of_a_kind_which_is_queued_again_when_it_has_ended() {
    let world = World::new().await;
    let queue = world.store.queue();
    let subject = Uuid::now_v7();
    let id = queue.enqueue(polish(subject, 7)).await.unwrap();
    let lease = queue.claim("a", &WANTED).await.unwrap().unwrap().lease;
    assert_eq!(queue.enqueue(polish(subject, 8)).await.unwrap(), id);
    assert_eq!(states(&world).await, [JobState::Running], "what is under way stays so");
    queue.fail(&lease, "no cloth").await.unwrap();
    assert_eq!(queue.enqueue(polish(subject, 8)).await.unwrap(), id);
    let claim = queue.claim("a", &WANTED).await.unwrap().unwrap();
    assert_eq!((claim.lease.number, claim.attempt), (2, 1));
    assert_eq!(claim.payload.content, json!({ "rounds": 8 }));
}

#[tokio::test]
async fn it_is_set_aside_cancelled_and_given_up_like_any_other() {
    let world = World::new().await;
    let queue = world.store.queue();
    let id = queue.enqueue(polish(Uuid::now_v7(), 1)).await.unwrap();
    let lease = queue.claim("a", &WANTED).await.unwrap().unwrap().lease;
    queue.set_aside(&lease, "cloth").await.unwrap();
    assert_eq!(states(&world).await, [JobState::Queued]);
    world.wait(3);
    let lease = queue.claim("a", &WANTED).await.unwrap().unwrap().lease;
    assert_eq!(queue.cancel(id).await.unwrap(), JobState::Running);
    assert!(queue.heartbeat(&lease).await.unwrap().stop_requested);
    queue.stopped(&lease).await.unwrap();
    assert_eq!(states(&world).await, [JobState::Cancelled]);

    queue.enqueue(polish(Uuid::now_v7(), 1)).await.unwrap();
    for _ in 0..3 {
        queue.claim("a", &WANTED).await.unwrap().unwrap();
        world.wait(11);
    }
    assert_eq!(queue.reap().await.unwrap(), 1);
    let worn_out = queue.list(&PageRequest::default()).await.unwrap().items.remove(1);
    let error = "the worker died or stalled 3 times while working on this job before it was done";
    assert_eq!((worn_out.state, worn_out.error.as_deref()), (JobState::Failed, Some(error)));
}

#[tokio::test]
async fn the_worker_says_which_kinds_go_first() {
    let world = World::new().await;
    let search = world.search().await;
    let polished = Uuid::now_v7();
    world.store.queue().enqueue(polish(polished, 1)).await.unwrap();
    for (priority, first) in [(0, polished), (5, search.id)] {
        let wanted = [KINDS[0], KINDS[1], Wanted { kind: POLISH, priority }];
        let claim = world.store.queue().claim("a", &wanted).await.unwrap().unwrap();
        assert_eq!(claim.subject, first);
        world.store.queue().release(&claim.lease).await.unwrap();
    }
}

#[tokio::test]
async fn a_search_does_not_end_without_its_result() {
    let world = World::new().await;
    world.search().await;
    let lease = world.claim("a").await.lease;
    let error = world.store.queue().finish(&lease).await.unwrap_err();
    assert!(matches!(error, StoreError::Conflict { .. }), "{error}");
    assert_eq!(states(&world).await, [JobState::Running]);
}

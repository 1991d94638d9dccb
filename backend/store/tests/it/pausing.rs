//! Searches, tunings and studies that are paused, and go on.

use eagleeye_spec::StudyRequest;
use eagleeye_store::{Lease, SEARCH_JOB, SearchState, Stand, StoreError, TUNING_JOB, TuningState, Uuid};
use serde_json::json;

use crate::races::{claim, get, next, places, race, searched, train, tunings};
use crate::support::{KINDS, World};

async fn state(world: &World, search: Uuid) -> SearchState {
    world.store.searches().get(search).await.unwrap().state
}

/// A search that is running, with one candidate, and is to pause.
async fn about_to_pause(world: &World) -> (Uuid, Lease) {
    let search = world.search().await.id;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.91).await;
    assert_eq!(world.store.searches().pause(search).await.unwrap().state, SearchState::Running);
    (search, lease)
}

#[tokio::test]
async fn a_queued_search_is_paused_at_once_and_keeps_its_place() {
    let world = World::new().await;
    let (first, second) = (world.search().await.id, world.search().await.id);
    let paused = world.store.searches().pause(first).await.unwrap();
    assert_eq!((paused.state, paused.finished_at, paused.waiting_for.clone()), (SearchState::Paused, None, None));
    assert_eq!(world.store.searches().pause(first).await.unwrap(), paused, "once is enough");
    let line = world.store.queue().line(&[SEARCH_JOB, TUNING_JOB], 10).await.unwrap();
    let line: Vec<_> = line.iter().map(|job| (job.subject, job.stand)).collect();
    assert_eq!(line, [(second, Stand::Waiting), (first, Stand::Paused)]);

    assert_eq!(world.store.searches().retry(first).await.unwrap().state, SearchState::Queued);
    assert_eq!(world.claim("a").await.subject, first, "it was queued before the other");
    assert_eq!(world.claim("b").await.subject, second);
}

#[tokio::test]
async fn nobody_is_given_a_paused_search() {
    let world = World::new().await;
    let search = world.search().await.id;
    world.store.searches().pause(search).await.unwrap();
    world.wait(3600);
    assert_eq!(world.store.queue().reap().await.unwrap(), 0);
    assert_eq!(world.store.queue().claim("a", &KINDS).await.unwrap(), None);
    let error = world.store.searches().extend(search, &world.store.searches().get(search).await.unwrap().request).await;
    assert!(matches!(error, Err(StoreError::Conflict { .. })), "{error:?}");
}

#[tokio::test]
async fn a_running_search_is_paused_by_its_worker_and_goes_on_with_its_candidates() {
    let world = World::new().await;
    let (search, lease) = about_to_pause(&world).await;
    let early = world.store.searches().retry(search).await.unwrap_err().to_string();
    assert!(early.contains("is about to pause; resume it when it has"), "{early}");
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().stop_requested);
    world.store.queue().stopped(&lease).await.unwrap();
    insta::assert_snapshot!("paused", world.picture().await);
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().lost);

    world.store.searches().retry(search).await.unwrap();
    let claim = world.claim("b").await;
    assert_eq!((claim.subject, claim.lease.number, claim.attempt), (search, 2, 1));
    let answer = world.store.queue().heartbeat(&claim.lease).await.unwrap();
    assert!(!answer.stop_requested && !answer.lost, "the old wish is fulfilled");
    let late = world.store.searches().record_candidate(&lease, crate::support::candidate(1, 0.5)).await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    let evaluated = world.store.candidates().evaluated(search).await.unwrap();
    assert_eq!(evaluated.iter().map(|stored| stored.index).collect::<Vec<_>>(), [0]);
}

#[tokio::test]
async fn a_search_is_paused_however_its_worker_leaves_it() {
    let world = World::new().await;
    let queue = world.store.queue();
    let (search, lease) = about_to_pause(&world).await;
    queue.release(&lease).await.unwrap();
    assert_eq!(state(&world, search).await, SearchState::Paused);
    let (search, lease) = about_to_pause(&world).await;
    queue.set_aside(&lease, "space on the disk").await.unwrap();
    assert_eq!(state(&world, search).await, SearchState::Paused);
    let (search, _) = about_to_pause(&world).await;
    queue.worker_died("a").await.unwrap();
    assert_eq!(queue.reap().await.unwrap(), 1);
    assert_eq!(state(&world, search).await, SearchState::Paused);

    let silent = world.search().await.id;
    world.claim("a").await;
    world.wait(11);
    assert_eq!(world.store.searches().pause(silent).await.unwrap().state, SearchState::Paused);
    let (done, lease) = about_to_pause(&world).await;
    world.store.searches().finish(&lease).await.unwrap();
    assert_eq!(state(&world, done).await, SearchState::Succeeded, "it was done before it noticed");
}

#[tokio::test]
async fn a_cancel_comes_before_a_pause() {
    let world = World::new().await;
    let (search, lease) = about_to_pause(&world).await;
    world.store.searches().cancel(search).await.unwrap();
    world.store.queue().stopped(&lease).await.unwrap();
    assert_eq!(state(&world, search).await, SearchState::Cancelled);

    let search = world.search().await.id;
    world.store.searches().pause(search).await.unwrap();
    let cancelled = world.store.searches().cancel(search).await.unwrap();
    assert_eq!((cancelled.state, cancelled.finished_at.is_some()), (SearchState::Cancelled, true));
    let error = world.store.searches().pause(search).await.unwrap_err().to_string();
    assert!(error.contains("was cancelled and can no longer be paused"), "{error}");
}

#[tokio::test]
async fn who_is_paused_in_a_race_is_waited_for() {
    let world = World::new().await;
    let race = race(&world).await;
    let ids = tunings(&race);
    world.store.tunings().pause(ids[0]).await.unwrap();
    for loss in [0.3, 0.2, 0.1] {
        let lease = claim(&world).await.lease;
        train(&world, &lease, 1, loss).await;
    }
    assert!(next(&world, "b").await.is_none(), "the rung is not over");
    for refused in [world.store.tunings().pause(ids[1]).await, world.store.tunings().retry(ids[1]).await] {
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("waits for its other candidates"), "{refused}");
    }
    let resumed = world.store.tunings().retry(ids[0]).await.unwrap();
    assert_eq!((resumed.state, resumed.pause_at), (TuningState::Queued, Some(1)));
    train(&world, &claim(&world).await.lease, 1, 0.05).await;
    let second = get(&world, race.id).await;
    assert_eq!(places(&second), [(0, 1, 1, false), (3, 1, 1, false), (2, 0, 1, true), (1, 0, 1, true)]);
}

#[tokio::test]
async fn a_study_is_paused_with_all_its_fine_tunings() {
    let world = World::new().await;
    let search = searched(&world, 2).await;
    let candidates: Vec<Uuid> = world.store.candidates().all(search).await.unwrap().iter().map(|c| c.id).collect();
    let request: StudyRequest =
        serde_json::from_value(json!({ "seeds": [1, 2], "options": { "epochs": 2, "flip": false } })).unwrap();
    let study = world.store.studies().create(search, &request, &candidates).await.unwrap();
    let lease = claim(&world).await.lease;
    let paused = world.store.studies().pause(study.id).await.unwrap();
    assert_eq!(paused.state(), TuningState::Running, "one has yet to stop");
    world.store.queue().stopped(&lease).await.unwrap();
    assert_eq!(world.store.studies().get(study.id).await.unwrap().state(), TuningState::Paused);
    assert!(next(&world, "b").await.is_none());
    let resumed = world.store.studies().retry(study.id).await.unwrap();
    assert!(resumed.members.iter().all(|member| member.state == TuningState::Queued), "{resumed:?}");
    world.store.studies().cancel(study.id).await.unwrap();
    let late = world.store.studies().pause(study.id).await.unwrap_err().to_string();
    assert!(late.contains("has ended and can no longer be paused"), "{late}");
}

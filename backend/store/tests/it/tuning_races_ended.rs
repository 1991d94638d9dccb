//! Tuning races some of whose tunings fail, are cancelled or are deleted, and races that are cancelled or deleted as a whole.

use eagleeye_store::{
    EventKind, JobState, Lease, News, PageRequest, RaceState, StoreError, TuningRace, TuningState, Uuid,
};

use crate::races::{claim, get, next, pause, places, race, request, searched, train, tunings};
use crate::support::World;
use crate::trained::{epoch, save, tuned};

/// A race that has begun: its tunings and their leases, in the order of their candidates.
async fn begun(world: &World) -> (TuningRace, Vec<(Uuid, Lease)>) {
    let race = race(world).await;
    let mut at_work = Vec::new();
    for _ in 0..4 {
        let claim = claim(world).await;
        at_work.push((claim.subject, claim.lease));
    }
    (race, at_work)
}

async fn fail(world: &World, lease: &Lease) {
    world.store.queue().fail(lease, "the loss is not finite").await.unwrap();
}

async fn state(world: &World, tuning: Uuid) -> TuningState {
    world.store.tunings().get(tuning).await.unwrap().state
}

async fn jobs(world: &World) -> usize {
    world.store.queue().list(&PageRequest::default()).await.unwrap().items.len()
}

#[tokio::test]
async fn who_fails_is_out_and_rungs_are_left_out_in_which_nobody_would_be() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    train(&world, &at_work[0].1, 1, 0.4).await;
    fail(&world, &at_work[1].1).await;
    fail(&world, &at_work[2].1).await;
    assert!(next(&world, "b").await.is_none(), "the last is still at work");
    train(&world, &at_work[3].1, 1, 0.3).await;
    let second = get(&world, race.id).await;
    assert_eq!(places(&second), [(3, 1, 1, false), (0, 1, 1, false), (1, 0, 0, true), (2, 0, 0, true)]);

    let (one, other) = (claim(&world).await, claim(&world).await);
    fail(&world, &one.lease).await;
    assert_eq!(get(&world, race.id).await.state, RaceState::Running);
    train(&world, &other.lease, 2, 0.2).await;
    let last = claim(&world).await;
    assert_eq!((last.subject, get(&world, race.id).await.members[0].rung), (other.subject, 2));
}

#[tokio::test]
async fn who_alone_is_left_goes_on_to_the_end_at_once() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    train(&world, &at_work[0].1, 1, 0.4).await;
    for (_, lease) in &at_work[1..] {
        fail(&world, lease).await;
    }
    let last = claim(&world).await;
    let tuning = world.store.tunings().get(last.subject).await.unwrap();
    assert_eq!((tuning.id, tuning.pause_at), (at_work[0].0, None));
    fail(&world, &last.lease).await;
    let failed = get(&world, race.id).await;
    assert_eq!((failed.state, failed.winner_id), (RaceState::Failed, None));
    let error = failed.error.unwrap();
    assert!(error.starts_with("no candidate is left") && error.ends_with("the loss is not finite"), "{error}");
    let refused = world.store.tuning_races().cancel(race.id).await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_worker_that_dies_three_times_over_a_tuning_takes_it_out_of_the_race() {
    let world = World::new().await;
    let search = searched(&world, 2).await;
    let race = world.store.tuning_races().create(search, &request(2, 3)).await.unwrap();
    let (one, other) = (claim(&world).await, claim(&world).await);
    train(&world, &one.lease, 1, 0.4).await;
    for _ in 0..2 {
        world.wait(60);
        assert_eq!(claim(&world).await.subject, other.subject);
    }
    world.wait(60);
    assert_eq!(world.store.queue().reap().await.unwrap(), 1);
    assert_eq!(state(&world, other.subject).await, TuningState::Failed);
    let last = claim(&world).await;
    assert_eq!((last.subject, get(&world, race.id).await.members[0].rung), (one.subject, 1));
}

#[tokio::test]
async fn a_tuning_is_cancelled_whether_it_is_queued_running_or_waits_for_others() {
    let world = World::new().await;
    let race = race(&world).await;
    let ids = tunings(&race);
    let store = world.store.tunings();
    let (waiting, running) = (claim(&world).await, claim(&world).await);
    train(&world, &waiting.lease, 1, 0.4).await;
    let refused = store.retry(waiting.subject).await;
    assert!(matches!(&refused, Err(error) if error.to_string().contains("waits for its other")), "{refused:?}");
    assert_eq!(store.cancel(waiting.subject).await.unwrap().state, TuningState::Cancelled);
    assert_eq!(store.cancel(waiting.subject).await.unwrap().state, TuningState::Cancelled, "it may be repeated");
    assert_eq!(store.cancel(ids[2]).await.unwrap().state, TuningState::Cancelled, "a queued one ends at once");
    assert_eq!(store.cancel(running.subject).await.unwrap().state, TuningState::Running);
    // It comes to the end of its rung before its worker hears of it.
    store.record_epoch(&running.lease, &epoch(1, 0.1)).await.unwrap();
    pause(&world, &running.lease, "snapshot").await.unwrap();
    let cancelled = store.get(running.subject).await.unwrap();
    assert_eq!((cancelled.state, cancelled.snapshot.is_some()), (TuningState::Cancelled, true));
    assert_eq!(get(&world, race.id).await.state, RaceState::Running);

    store.cancel(ids[3]).await.unwrap();
    let ended = get(&world, race.id).await;
    assert_eq!((ended.state, ended.error), (RaceState::Cancelled, None), "the user wanted nobody to win");
}

#[tokio::test]
async fn who_is_taken_up_again_is_trained_to_the_end_outside_of_the_race() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    for ((_, lease), loss) in at_work.iter().zip([0.4, 0.3, 0.2, 0.1]) {
        train(&world, lease, 1, loss).await;
    }
    let out = at_work[0].0;
    let again = world.store.tunings().retry(out).await.unwrap();
    assert_eq!((again.state, again.race_id, again.pause_at), (TuningState::Queued, Some(race.id), None));
    let claims = [claim(&world).await, claim(&world).await, claim(&world).await];
    let mine = claims.iter().find(|claim| claim.subject == out).unwrap();
    for number in 2..=3 {
        world.store.tunings().record_epoch(&mine.lease, &epoch(number, 0.01)).await.unwrap();
    }
    let result = tuned(&world, "weights").await;
    assert_eq!(world.store.tunings().finish(&mine.lease, &result).await.unwrap().state, TuningState::Succeeded);
    let going = get(&world, race.id).await;
    assert_eq!((going.state, going.winner_id), (RaceState::Running, None));
    assert_eq!(places(&going)[3], (0, 0, 1, true), "what it came to outside does not count");
    for claim in claims.iter().filter(|claim| claim.subject != out) {
        train(&world, &claim.lease, 2, 0.2).await;
    }
    assert!(claim(&world).await.subject != out);
}

#[tokio::test]
async fn a_race_is_cancelled_with_those_in_it_and_not_with_those_outside() {
    let world = World::new().await;
    let race = race(&world).await;
    let ids = tunings(&race);
    let outside = claim(&world).await;
    fail(&world, &outside.lease).await;
    world.store.tunings().retry(outside.subject).await.unwrap();
    // Jobs are given in their order, so that the one outside comes first again.
    let [again, waiting, running, late] =
        [claim(&world).await, claim(&world).await, claim(&world).await, claim(&world).await];
    assert_eq!(again.subject, outside.subject);
    train(&world, &waiting.lease, 1, 0.4).await;
    let cancelled = world.store.tuning_races().cancel(race.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.winner_id), (RaceState::Cancelled, None));
    assert_eq!(state(&world, waiting.subject).await, TuningState::Cancelled);
    assert_eq!(state(&world, running.subject).await, TuningState::Running, "its worker has yet to hear of it");
    assert!(world.store.queue().heartbeat(&running.lease).await.unwrap().stop_requested);
    world.store.queue().stopped(&running.lease).await.unwrap();
    store_late(&world, &late.lease).await;
    for id in ids.iter().filter(|id| **id != outside.subject) {
        assert_eq!(state(&world, *id).await, TuningState::Cancelled);
    }
    assert_eq!(state(&world, outside.subject).await, TuningState::Running);
    let again = world.store.tuning_races().cancel(race.id).await.unwrap();
    assert_eq!((again.state, again.revision), (RaceState::Cancelled, cancelled.revision));
    assert_eq!(state(&world, outside.subject).await, TuningState::Running);
}

/// A worker that comes to the end of a rung of a race that is over.
async fn store_late(world: &World, lease: &Lease) {
    world.store.tunings().record_epoch(lease, &epoch(1, 0.1)).await.unwrap();
    pause(world, lease, "late").await.unwrap();
}

#[tokio::test]
async fn a_race_goes_on_without_a_tuning_that_is_deleted() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    let store = world.store.tunings();
    for ((_, lease), loss) in at_work.iter().zip([0.4, 0.3, 0.2]) {
        train(&world, lease, 1, loss).await;
    }
    store.delete(at_work[2].0).await.unwrap();
    assert!(next(&world, "b").await.is_none(), "the last is still at work");
    assert_eq!(get(&world, race.id).await.members.len(), 3);
    store.delete(at_work[3].0).await.unwrap();
    assert!(world.store.queue().heartbeat(&at_work[3].1).await.unwrap().lost);
    assert_eq!(places(&get(&world, race.id).await), [(1, 1, 1, false), (0, 1, 1, false)]);

    let (one, other) = (claim(&world).await, claim(&world).await);
    store.delete(one.subject).await.unwrap();
    train(&world, &other.lease, 2, 0.2).await;
    let last = claim(&world).await;
    let result = tuned(&world, "weights").await;
    store.finish(&last.lease, &result).await.unwrap();
    let ended = get(&world, race.id).await;
    assert_eq!(ended.winner_id, Some(last.subject));
    store.delete(last.subject).await.unwrap();
    let left = get(&world, race.id).await;
    assert_eq!((left.state, left.winner_id, left.members.len()), (RaceState::Succeeded, None, 0));
    assert!(left.revision > ended.revision);
}

#[tokio::test]
async fn a_race_all_of_whose_tunings_are_deleted_is_cancelled() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    for (id, _) in &at_work {
        world.store.tunings().delete(*id).await.unwrap();
    }
    assert_eq!(get(&world, race.id).await.state, RaceState::Cancelled);
}

#[tokio::test]
async fn a_race_is_deleted_with_its_tunings_and_their_files() {
    let world = World::new().await;
    let search = searched(&world, 4).await;
    let (files, before) = (world.files_on_disk(), jobs(&world).await);
    let race = world.store.tuning_races().create(search, &request(4, 7)).await.unwrap();
    let (waiting, running) = (claim(&world).await, claim(&world).await);
    train(&world, &waiting.lease, 1, 0.4).await;
    save(&world, &running.lease, "snapshot").await.unwrap();
    world.store.tuning_races().delete(race.id).await.unwrap();
    assert!(world.store.queue().heartbeat(&running.lease).await.unwrap().lost);
    assert_eq!((world.files_on_disk(), jobs(&world).await), (files, before));
    for id in tunings(&race) {
        assert!(matches!(world.store.tunings().get(id).await, Err(StoreError::NotFound { .. })));
    }
    let gone = world.store.tuning_races().delete(race.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn races_go_with_their_search() {
    let world = World::new().await;
    let (race, at_work) = begun(&world).await;
    train(&world, &at_work[0].1, 1, 0.4).await;
    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    world.store.searches().delete(race.search_id).await.unwrap();
    let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
    let mut of_race = events.iter().filter(|event| event.subject == race.id).map(|event| event.kind);
    assert_eq!(of_race.next_back(), Some(EventKind::RaceDeleted));
    assert!(matches!(world.store.tuning_races().get(race.id).await, Err(StoreError::NotFound { .. })));
    assert_eq!(jobs(&world).await, 0);
    assert_eq!(world.files_on_disk().len(), 5, "those of the model, the dataset and its thumbnails");
}

/// Workers that come to the end of a rung at the same moment, while users cancel and delete.
#[tokio::test]
async fn nobody_waits_for_ever_where_all_happens_at_once() {
    let world = World::new().await;
    for _ in 0..4 {
        let (race, at_work) = begun(&world).await;
        let mut hands = Vec::new();
        for (number, (id, lease)) in at_work.into_iter().enumerate() {
            let store = world.other_process().await;
            hands.push(tokio::spawn(async move {
                store.tunings().record_epoch(&lease, &epoch(1, 0.5)).await.unwrap();
                let upload = store.upload_bytes(format!("{id}")).await.unwrap();
                match number {
                    0 => store.queue().fail(&lease, "a reason").await.unwrap(),
                    1 => drop(store.tunings().cancel(id).await.unwrap()),
                    _ => store.tunings().reach_end_of_rung(&lease, &upload).await.unwrap(),
                }
                if number == 2 {
                    store.tunings().delete(id).await.unwrap();
                }
                if number == 1 {
                    // Whether its worker hears of it now or at the end of the rung.
                    store.tunings().reach_end_of_rung(&lease, &upload).await.unwrap();
                }
            }));
        }
        for hand in hands {
            hand.await.unwrap();
        }
        let moved = get(&world, race.id).await;
        assert_eq!(moved.members.len(), 3);
        let left: Vec<_> = moved.members.iter().filter(|member| !member.is_out).collect();
        assert_eq!((left.len(), left[0].index, moved.state), (1, 3, RaceState::Running), "{moved:?}");
        let (races, searches) = (world.store.tuning_races(), world.store.searches());
        let (cancelled, deleted) = tokio::join!(races.cancel(race.id), searches.delete(race.search_id));
        deleted.unwrap();
        assert!(matches!(cancelled, Ok(_) | Err(StoreError::NotFound { .. })), "{cancelled:?}");
        let open = world.store.queue().list(&PageRequest::default()).await.unwrap().items;
        assert!(open.iter().all(|job| job.state != JobState::Running), "{open:?}");
    }
}

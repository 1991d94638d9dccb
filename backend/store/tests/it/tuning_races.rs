//! Tuning races: who takes part, and how they go on rung by rung.

use eagleeye_store::{
    EventKind, News, PAUSED_PHASE, PageRequest, RaceState, StoreError, TUNING_PAYLOAD, TuningState, Uuid,
};

use crate::races::{claim, get, next, pause, places, race, request, searched, train, tunings};
use crate::support::World;
use crate::trained::{epoch, save, tuned};

#[tokio::test]
async fn the_best_candidates_are_queued_in_their_order_and_planned_for_the_winners_epochs() {
    let world = World::new().await;
    let search = searched(&world, 5).await;
    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    let race = world.store.tuning_races().create(search, &request(4, 24)).await.unwrap();
    assert_eq!((race.search_id, race.state, race.winner_id), (search, RaceState::Queued, None));
    assert_eq!(race.rungs.iter().map(|rung| rung.until_epoch).collect::<Vec<_>>(), [2, 6, 14]);
    assert_eq!(places(&race), [(0, 0, 0, false), (1, 0, 0, false), (2, 0, 0, false), (3, 0, 0, false)]);
    for id in tunings(&race) {
        let tuning = world.store.tunings().get(id).await.unwrap();
        assert_eq!((tuning.state, tuning.race_id, tuning.pause_at), (TuningState::Queued, Some(race.id), Some(2)));
        assert_eq!((tuning.request.epochs, tuning.request.seed), (Some(14), 5));
    }
    let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
    let told: Vec<(EventKind, Uuid)> = events.iter().map(|event| (event.kind, event.subject)).collect();
    let created = tunings(&race).into_iter().map(|id| (EventKind::TuningCreated, id));
    assert!([(EventKind::RaceCreated, race.id)].into_iter().chain(created).eq(told));
    assert_eq!(claim(&world).await.payload.version, TUNING_PAYLOAD, "for workers that know how to pause");

    let other = world.store.tuning_races().create(search, &request(2, 3)).await.unwrap();
    let listed = world.store.tuning_races().list(search, &PageRequest::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|race| race.id).collect::<Vec<_>>(), [other.id, race.id], "newest first");
}

#[tokio::test]
async fn what_a_race_cannot_be_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let races = world.store.tuning_races();
    let missing = races.create(Uuid::now_v7(), &request(2, 3)).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    let running = world.search().await.id;
    let early = races.create(running, &request(2, 3)).await;
    assert!(matches!(&early, Err(StoreError::Conflict { id, .. }) if *id == running), "{early:?}");
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.5).await;
    world.store.searches().finish(&lease).await.unwrap();
    let few = races.create(running, &request(2, 3)).await;
    assert!(matches!(few, Err(StoreError::TooFewCandidates { budget: 0, found: 1, wanted: 2 })), "{few:?}");
    let budget = eagleeye_spec::TuningRaceRequest { budget: 1, ..request(2, 3) };
    let other = races.create(running, &budget).await;
    assert!(matches!(other, Err(StoreError::NoSuchBudget { budget: 1, budgets: 1 })), "{other:?}");
    let short = races.create(running, &request(4, 6)).await;
    assert!(matches!(short, Err(StoreError::TooFewEpochs { epochs: 6, candidates: 4, least: 7 })), "{short:?}");
    assert!(races.list(running, &PageRequest::default()).await.unwrap().items.is_empty());
    assert!(next(&world, "a").await.is_none());
    for outcome in
        [races.get(running).await.map(drop), races.cancel(running).await.map(drop), races.delete(running).await]
    {
        assert!(matches!(outcome, Err(StoreError::NotFound { .. })), "{outcome:?}");
    }
    assert!(races.list(Uuid::now_v7(), &PageRequest::default()).await.is_err());
}

#[tokio::test]
async fn the_better_half_goes_on_until_one_has_won() {
    let world = World::new().await;
    let race = race(&world).await;
    let ids = tunings(&race);
    let mut leases = Vec::new();
    for id in &ids {
        let claim = claim(&world).await;
        assert_eq!(claim.subject, *id);
        leases.push(claim.lease);
    }
    assert_eq!(get(&world, race.id).await.state, RaceState::Running);
    for (lease, loss) in leases.iter().zip([0.4, 0.3, 0.2]) {
        train(&world, lease, 1, loss).await;
    }
    let waiting = world.store.tunings().get(ids[0]).await.unwrap();
    assert_eq!((waiting.state, waiting.progress.phase.as_str()), (TuningState::Queued, PAUSED_PHASE));
    assert_eq!(waiting.waiting_for.as_deref(), Some("the other candidates of its race"));
    assert!(waiting.snapshot.is_some());
    assert!(next(&world, "b").await.is_none(), "nobody goes on before the last has come");
    train(&world, &leases[3], 1, 0.1).await;

    let second = get(&world, race.id).await;
    assert_eq!(places(&second), [(3, 1, 1, false), (2, 1, 1, false), (1, 0, 1, true), (0, 0, 1, true)]);
    assert!(second.revision > race.revision);
    for id in &ids[..2] {
        let out = world.store.tunings().get(*id).await.unwrap();
        assert_eq!((out.state, out.error, out.waiting_for), (TuningState::Cancelled, None, None));
        assert!(out.snapshot.is_some() && out.finished_at.is_some(), "it can be taken up again");
    }
    // Both go on under new leases.
    let (better, worse) = (claim(&world).await, claim(&world).await);
    assert_eq!([better.subject, worse.subject], [ids[2], ids[3]], "in the order of their jobs");
    assert_eq!((better.lease.number, better.attempt), (2, 1));
    assert_eq!(world.store.tunings().get(ids[2]).await.unwrap().pause_at, Some(2));
    assert!(next(&world, "b").await.is_none());
    train(&world, &worse.lease, 2, 0.09).await;
    train(&world, &better.lease, 2, 0.08).await;

    let last = claim(&world).await;
    assert_eq!(last.subject, ids[2]);
    assert_eq!(world.store.tunings().get(ids[2]).await.unwrap().pause_at, None, "it is trained to its end");
    world.store.tunings().record_epoch(&last.lease, &epoch(3, 0.07)).await.unwrap();
    let refused = pause(&world, &last.lease, "snapshot").await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    let result = tuned(&world, "weights").await;
    world.store.tunings().finish(&last.lease, &result).await.unwrap();
    let ended = get(&world, race.id).await;
    assert_eq!((ended.state, ended.winner_id, ended.error.clone()), (RaceState::Succeeded, Some(ids[2]), None));
    assert_eq!(places(&ended), [(2, 2, 3, false), (3, 1, 2, true), (1, 0, 1, true), (0, 0, 1, true)]);
    assert_eq!(ended.members[0].validation.unwrap().cross_entropy, Some(0.07));
    assert!(ended.started_at.is_some() && ended.finished_at.is_some());
    let again = world.store.tuning_races().cancel(race.id).await;
    assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
}

#[tokio::test]
async fn who_scores_the_same_goes_on_in_the_order_of_the_search() {
    let world = World::new().await;
    let race = race(&world).await;
    let mut leases = Vec::new();
    for _ in 0..4 {
        leases.push(claim(&world).await.lease);
    }
    for lease in leases.iter().rev() {
        train(&world, lease, 1, 0.5).await;
    }
    let second = get(&world, race.id).await;
    assert_eq!(places(&second), [(0, 1, 1, false), (1, 1, 1, false), (2, 0, 1, true), (3, 0, 1, true)]);
}

#[tokio::test]
async fn a_race_tells_of_each_of_its_changes_once() {
    let world = World::new().await;
    let search = searched(&world, 2).await;
    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    let race = world.store.tuning_races().create(search, &request(2, 3)).await.unwrap();
    let (one, other) = (claim(&world).await.lease, claim(&world).await.lease);
    train(&world, &one, 1, 0.5).await;
    train(&world, &other, 1, 0.6).await;
    let last = claim(&world).await.lease;
    let result = tuned(&world, "weights").await;
    world.store.tunings().finish(&last, &result).await.unwrap();
    world.store.tuning_races().delete(race.id).await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&EventKind::RaceDeleted) {
        let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
        told.extend(events.iter().filter(|event| event.subject == race.id).map(|event| event.kind));
    }
    let begun_and_second_rung = [EventKind::RaceChanged; 2];
    assert_eq!(told[0], EventKind::RaceCreated);
    assert_eq!(told[1..3], begun_and_second_rung);
    assert_eq!(told[3..], [EventKind::RaceEnded, EventKind::RaceDeleted]);
}

#[tokio::test]
async fn a_worker_that_dies_in_a_rung_is_replaced_and_one_whose_lease_is_lost_pauses_nothing() {
    let world = World::new().await;
    let race = race(&world).await;
    let lost = claim(&world).await;
    save(&world, &lost.lease, "half an epoch").await.unwrap();
    world.wait(60);
    // The jobs are given in their order, whether their workers have died or they had none.
    let again = claim(&world).await;
    let (subject, lease) = (again.subject, again.lease);
    assert_eq!(subject, lost.subject);
    assert_eq!(lease.number, 2);
    let (files, before) = (world.files_on_disk(), world.store.tunings().get(subject).await.unwrap());
    let late = pause(&world, &lost.lease, "late").await;
    assert!(matches!(late, Err(StoreError::LeaseLost { .. })), "{late:?}");
    assert_eq!((world.files_on_disk(), world.store.tunings().get(subject).await.unwrap()), (files, before));

    train(&world, &lease, 1, 0.5).await;
    let (files, paused) = (world.files_on_disk(), get(&world, race.id).await);
    // The answer to the first call may have been lost; the worker then stops.
    let again = pause(&world, &lease, "again").await;
    assert!(matches!(again, Err(StoreError::LeaseLost { .. })), "{again:?}");
    assert_eq!((world.files_on_disk(), get(&world, race.id).await), (files, paused));
}

#[tokio::test]
async fn a_tuning_outside_of_a_race_does_not_pause() {
    let world = World::new().await;
    let search = searched(&world, 1).await;
    let candidate = world.store.searches().get(search).await.unwrap().best_candidate_id.unwrap();
    let options = eagleeye_spec::TuneOptions { epochs: Some(1), ..Default::default() };
    let tuning = world.store.tunings().create(candidate, &options).await.unwrap();
    assert_eq!((tuning.race_id, tuning.pause_at), (None, None));
    let claim = claim(&world).await;
    assert_eq!(claim.payload.version, 1, "any worker can train it");
    let files = world.files_on_disk();
    let refused = pause(&world, &claim.lease, "snapshot").await;
    assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
    assert_eq!(world.files_on_disk(), files);
    assert!(!world.store.queue().heartbeat(&claim.lease).await.unwrap().lost);
}

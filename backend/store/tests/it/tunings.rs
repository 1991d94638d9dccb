//! Tunings: what a worker writes into them, how they end, and what goes with them.

use eagleeye_spec::{CandidateWeights, TuneOptions};
use eagleeye_store::{
    CheckpointFormat, CheckpointState, EXPORT_JOB, EventKind, Exported, Job, JobState, Lease, News, PageRequest,
    Progress, StoreError, Tuning, TuningState, Uuid,
};

use crate::support::{World, content};
use crate::trained::{epoch, save, tuned};

/// A search that has ended with a candidate whose exports are written.
async fn candidate(world: &World) -> Uuid {
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    let candidate = world.store.searches().finish(&lease).await.unwrap().best_candidate_id.unwrap();
    for format in CheckpointFormat::AUTOMATIC {
        export(world, &format!("{format:?}")).await;
    }
    candidate
}

async fn export(world: &World, content: &str) {
    let claim = world.claim("a").await;
    assert_eq!(claim.kind, EXPORT_JOB);
    let upload = world.store.upload_bytes(content.to_owned()).await.unwrap();
    let exported = Exported { upload, max_difference: 0.0 };
    world.store.checkpoints().finish(&claim.lease, &exported).await.unwrap();
}

async fn tuning(world: &World, candidate: Uuid) -> Tuning {
    let options = TuneOptions { epochs: Some(3), average: Some(0.999), ..TuneOptions::default() };
    world.store.tunings().create(candidate, &options).await.unwrap()
}

/// A tuning that a worker has claimed.
async fn claimed(world: &World) -> (Tuning, Lease) {
    let candidate = candidate(world).await;
    let tuning = tuning(world, candidate).await;
    let claim = world.claim("a").await;
    assert_eq!(claim.subject, tuning.id);
    (tuning, claim.lease)
}

async fn get(world: &World, id: Uuid) -> Tuning {
    world.store.tunings().get(id).await.unwrap()
}

async fn jobs(world: &World) -> Vec<Job> {
    world.store.queue().list(&PageRequest::default()).await.unwrap().items
}

#[tokio::test]
async fn it_is_queued_reported_and_ends_with_weights_that_are_exported() {
    let world = World::new().await;
    let candidate = candidate(&world).await;
    let before = world.files_on_disk();
    let queued = tuning(&world, candidate).await;
    assert_eq!(
        (queued.state, queued.request.start, queued.candidate_id),
        (TuningState::Queued, CandidateWeights::Adapted, candidate)
    );
    assert_eq!((queued.request.epochs, queued.progress.phase.as_str()), (Some(3), "queued"));
    let claim = world.claim("a").await;
    let (lease, tunings) = (claim.lease, world.store.tunings());
    assert_eq!((claim.subject, get(&world, queued.id).await.state), (queued.id, TuningState::Running));

    tunings.begin(&lease, 1234).await.unwrap();
    let progress = Progress { phase: "epochs".to_owned(), done: 5, total: 30 };
    world.store.queue().progress(&lease, &progress).await.unwrap();
    let running = get(&world, queued.id).await;
    assert_eq!((running.snapshot_bytes, running.progress), (Some(1234), progress));
    tunings.record_epoch(&lease, &epoch(1, 0.5)).await.unwrap();
    save(&world, &lease, "first").await.unwrap();
    save(&world, &lease, "second").await.unwrap();
    let snapshot = get(&world, queued.id).await.snapshot.unwrap();
    assert_eq!(content(world.store.files(), &snapshot).await, b"second");
    assert_eq!(world.files_on_disk().len(), before.len() + 1, "the first snapshot has gone");

    let result = tuned(&world, "weights of the tuned network").await;
    let ended = tunings.finish(&lease, &result).await.unwrap();
    assert_eq!((ended.state, ended.snapshot.clone()), (TuningState::Succeeded, None));
    assert_eq!(ended.result.as_ref(), Some(&result.result));
    assert_eq!(get(&world, queued.id).await, ended);
    // The answer to the first call may have been lost; the second brings an upload of its own.
    let again = tuned(&world, "weights of the tuned network").await;
    assert_eq!(tunings.finish(&lease, &again).await.unwrap(), ended);
    assert_eq!(world.files_on_disk().len(), before.len() + 1, "the snapshot has gone, and the weights are there");
    assert_eq!(content(world.store.files(), ended.weights.as_ref().unwrap()).await, b"weights of the tuned network");

    for format in CheckpointFormat::AUTOMATIC {
        export(&world, &format!("tuned {format:?}")).await;
    }
    let files = world.store.checkpoints().of_tuning(queued.id).await.unwrap();
    assert_eq!(files.len(), 3);
    for file in &files {
        assert_eq!(
            (file.state, file.tuning_id, file.candidate_id),
            (CheckpointState::Ready, Some(queued.id), candidate)
        );
    }
    let untuned = world.store.checkpoints().of_candidate(candidate).await.unwrap();
    assert!(untuned.len() == 3 && untuned.iter().all(|file| file.tuning_id.is_none()), "{untuned:?}");
    let asked = world.store.checkpoints().request_tuned(queued.id, files[0].format).await.unwrap();
    assert_eq!(asked, files[0]);
}

#[tokio::test]
async fn epochs_of_an_attempt_that_went_further_go_when_another_ends() {
    let world = World::new().await;
    let (tuning, lease) = claimed(&world).await;
    let tunings = world.store.tunings();
    for number in 1..=4 {
        tunings.record_epoch(&lease, &epoch(number, 0.5)).await.unwrap();
    }
    let tuned = tuned(&world, "weights").await;
    assert_eq!(tunings.finish(&lease, &tuned).await.unwrap().result.unwrap().epochs, 3);
    let numbers: Vec<u32> = tunings.epochs(tuning.id).await.unwrap().iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn what_a_worker_writes_may_be_repeated_and_is_refused_once_its_lease_is_lost() {
    let world = World::new().await;
    let (tuning, lost) = claimed(&world).await;
    let tunings = world.store.tunings();
    tunings.record_epoch(&lost, &epoch(1, 0.5)).await.unwrap();
    tunings.record_epoch(&lost, &epoch(1, 0.4)).await.unwrap();
    save(&world, &lost, "first").await.unwrap();
    save(&world, &lost, "first").await.unwrap();
    let rows = tunings.epochs(tuning.id).await.unwrap();
    assert_eq!(rows, [epoch(1, 0.4)], "an epoch that is done again replaces its row");
    let all = tunings.changes_since(tuning.id, 0).await.unwrap().unwrap();
    assert_eq!((&all.tuning, all.epochs.len()), (&get(&world, tuning.id).await, 1));
    let (revision, _) = all.epochs[0];
    let later = tunings.changes_since(tuning.id, revision).await.unwrap().unwrap();
    assert!(later.epochs.is_empty(), "two snapshots came after the epoch");
    assert_eq!(tunings.changes_since(tuning.id, later.tuning.revision).await.unwrap(), None);

    world.wait(60);
    let claim = world.claim("b").await;
    assert_eq!((claim.subject, claim.lease.number, claim.attempt), (tuning.id, 2, 2));
    let files = world.files_on_disk();
    let before = get(&world, tuning.id).await;
    let result = tuned(&world, "late").await;
    let refusals = [
        tunings.begin(&lost, 1).await.unwrap_err(),
        tunings.record_epoch(&lost, &epoch(2, 0.1)).await.unwrap_err(),
        save(&world, &lost, "late snapshot").await.unwrap_err(),
        tunings.finish(&lost, &result).await.unwrap_err(),
    ];
    for error in refusals {
        assert!(matches!(error, StoreError::LeaseLost { .. }), "{error}");
    }
    assert_eq!((get(&world, tuning.id).await, world.files_on_disk()), (before.clone(), files));
    assert_eq!(tunings.epochs(tuning.id).await.unwrap(), rows);
    let snapshot = before.snapshot.unwrap();
    assert_eq!(content(world.store.files(), &snapshot).await, b"first", "the next worker goes on from it");
}

#[tokio::test]
async fn an_epoch_or_a_snapshot_is_progress_and_without_either_three_workers_are_enough() {
    let world = World::new().await;
    let (tuning, lease) = claimed(&world).await;
    let mut lease = lease;
    for number in 1..=4 {
        world.store.tunings().record_epoch(&lease, &epoch(number, 0.5)).await.unwrap();
        world.wait(60);
        let claim = world.claim("b").await;
        assert_eq!(claim.attempt, 2);
        lease = claim.lease;
    }
    save(&world, &lease, "snapshot").await.unwrap();
    for attempt in [2, 3] {
        world.wait(60);
        assert_eq!(world.claim("c").await.attempt, attempt);
    }
    world.wait(60);
    assert_eq!(world.store.queue().reap().await.unwrap(), 1);
    let failed = get(&world, tuning.id).await;
    assert_eq!(failed.state, TuningState::Failed);
    let reason = failed.error.unwrap();
    assert!(reason.ends_with("without storing another epoch or snapshot"), "{reason}");
}

#[tokio::test]
async fn one_that_is_cancelled_or_fails_goes_on_from_its_snapshot() {
    let world = World::new().await;
    let (tuning, lease) = claimed(&world).await;
    save(&world, &lease, "first").await.unwrap();
    let tunings = world.store.tunings();
    assert!(matches!(tunings.retry(tuning.id).await, Err(StoreError::Conflict { .. })), "it is running");
    assert_eq!(tunings.cancel(tuning.id).await.unwrap().state, TuningState::Running);
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().stop_requested);
    world.store.queue().stopped(&lease).await.unwrap();
    let cancelled = tunings.cancel(tuning.id).await.unwrap();
    assert_eq!((cancelled.state, cancelled.snapshot.is_some()), (TuningState::Cancelled, true));

    let queued = tunings.retry(tuning.id).await.unwrap();
    assert_eq!((queued.state, queued.finished_at), (TuningState::Queued, None));
    let lease = world.claim("b").await.lease;
    world.store.queue().fail(&lease, "the loss is not finite").await.unwrap();
    let failed = get(&world, tuning.id).await;
    assert_eq!((failed.state, failed.error.as_deref()), (TuningState::Failed, Some("the loss is not finite")));
    assert!(matches!(tunings.cancel(tuning.id).await, Err(StoreError::Conflict { .. })));
    tunings.retry(tuning.id).await.unwrap();
    assert_eq!(tunings.cancel(tuning.id).await.unwrap().state, TuningState::Cancelled, "a queued one ends at once");

    tunings.retry(tuning.id).await.unwrap();
    let lease = world.claim("c").await.lease;
    world.store.queue().set_aside(&lease, "the file store").await.unwrap();
    assert_eq!(get(&world, tuning.id).await.waiting_for.as_deref(), Some("the file store"));
    world.wait(3);
    let lease = world.claim("c").await.lease;
    let result = tuned(&world, "weights").await;
    tunings.finish(&lease, &result).await.unwrap();
    assert!(matches!(tunings.retry(tuning.id).await, Err(StoreError::Conflict { .. })), "it has succeeded");
}

#[tokio::test]
async fn a_tuning_is_deleted_with_its_files_and_the_candidate_stays() {
    let world = World::new().await;
    let candidate = candidate(&world).await;
    let (before, queued) = (world.files_on_disk(), jobs(&world).await.len());
    let done = tuning(&world, candidate).await;
    let lease = world.claim("a").await.lease;
    let result = tuned(&world, "weights").await;
    world.store.tunings().finish(&lease, &result).await.unwrap();
    export(&world, "tuned file").await;
    let running = tuning(&world, candidate).await;
    // The exports that wait go first.
    for _ in 0..2 {
        export(&world, "another tuned file").await;
    }
    let lease = world.claim("a").await.lease;
    save(&world, &lease, "snapshot").await.unwrap();
    world.store.tunings().record_epoch(&lease, &epoch(1, 0.5)).await.unwrap();

    for id in [done.id, running.id] {
        world.store.tunings().delete(id).await.unwrap();
        let error = world.store.tunings().get(id).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }), "{error}");
        assert!(world.store.tunings().epochs(id).await.is_err());
        assert!(world.store.tunings().delete(id).await.is_err());
    }
    assert!(world.store.queue().heartbeat(&lease).await.unwrap().lost);
    assert_eq!((world.files_on_disk(), jobs(&world).await.len()), (before, queued));
    assert_eq!(world.store.checkpoints().of_candidate(candidate).await.unwrap().len(), 3);
}

#[tokio::test]
async fn tunings_go_with_their_search_and_there_is_none_of_a_candidate_that_has_gone() {
    let world = World::new().await;
    let (first, lease) = claimed(&world).await;
    save(&world, &lease, "snapshot").await.unwrap();
    let done = tuning(&world, first.candidate_id).await;
    let other = world.claim("b").await;
    assert_eq!(other.subject, done.id);
    let result = tuned(&world, "weights").await;
    world.store.tunings().finish(&other.lease, &result).await.unwrap();
    export(&world, "tuned file").await;
    let listed = world.store.tunings().list(first.search_id, &PageRequest::default()).await.unwrap().items;
    assert_eq!(listed.iter().map(|tuning| tuning.id).collect::<Vec<_>>(), [done.id, first.id], "newest first");

    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    world.store.searches().delete(first.search_id).await.unwrap();
    let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
    let told: Vec<_> = events.iter().map(|event| (event.kind, event.subject)).collect();
    for tuning in [first.id, done.id] {
        assert!(told.contains(&(EventKind::TuningDeleted, tuning)), "{told:?}");
        assert!(world.store.tunings().get(tuning).await.is_err());
    }
    assert!(jobs(&world).await.is_empty());
    assert_eq!(world.files_on_disk().len(), 5, "those of the model, the dataset and its thumbnails");

    let options = TuneOptions { epochs: Some(1), ..TuneOptions::default() };
    let created = world.store.tunings().create(first.candidate_id, &options).await;
    assert!(matches!(created, Err(StoreError::NotFound { .. })), "{created:?}");
    assert!(world.store.tunings().list(first.search_id, &PageRequest::default()).await.is_err());
}

#[tokio::test]
async fn tunings_that_are_made_while_their_search_is_deleted_leave_no_job() {
    let world = World::new().await;
    let candidate = candidate(&world).await;
    let search = world.store.candidates().get(candidate).await.unwrap().search_id;
    let mut hands = Vec::new();
    for _ in 0..4 {
        let store = world.other_process().await;
        hands.push(tokio::spawn(async move {
            let options = TuneOptions { epochs: Some(1), ..TuneOptions::default() };
            for _ in 0..8 {
                match store.tunings().create(candidate, &options).await {
                    Ok(_) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        }));
    }
    world.store.searches().delete(search).await.unwrap();
    for hand in hands {
        hand.await.unwrap();
    }
    assert!(jobs(&world).await.is_empty());
}

#[tokio::test]
async fn each_change_of_a_tuning_is_told_once() {
    let world = World::new().await;
    let candidate = candidate(&world).await;
    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    let id = tuning(&world, candidate).await.id;
    let lease = world.claim("a").await.lease;
    world.store.tunings().record_epoch(&lease, &epoch(1, 0.5)).await.unwrap();
    save(&world, &lease, "snapshot").await.unwrap();
    let result = tuned(&world, "weights").await;
    world.store.tunings().finish(&lease, &result).await.unwrap();
    world.store.tunings().delete(id).await.unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&EventKind::TuningDeleted) {
        let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
        told.extend(events.iter().filter(|event| event.subject == id).map(|event| event.kind));
    }
    let changed = [EventKind::TuningChanged; 3];
    assert_eq!(told[..1], [EventKind::TuningCreated]);
    assert_eq!(told[1..4], changed, "claimed, an epoch, a snapshot");
    assert_eq!(told[4..], [EventKind::TuningEnded, EventKind::TuningDeleted]);
}

#[tokio::test]
async fn weights_are_exported_once_there_are_some() {
    let world = World::new().await;
    let (tuning, lease) = claimed(&world).await;
    let error = world.store.checkpoints().request_tuned(tuning.id, CheckpointFormat::Onnx).await.unwrap_err();
    assert!(error.to_string().contains("has not succeeded"), "{error}");
    let missing = world.store.checkpoints().request_tuned(Uuid::now_v7(), CheckpointFormat::Onnx).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })));
    world.store.queue().finish(&lease).await.unwrap_err();
    let states: Vec<JobState> = jobs(&world).await.iter().map(|job| job.state).collect();
    assert_eq!(states.last(), Some(&JobState::Running), "it does not end without its result");
}

//! Studies: candidates that are fine-tuned from several seeds each.

use eagleeye_spec::StudyRequest;
use eagleeye_store::{EventKind, Job, News, PageRequest, StoreError, Study, TuningState, Uuid};
use serde_json::json;

use crate::races::{claim, next, searched};
use crate::support::World;
use crate::trained::{epoch, save, tuned};

fn request() -> StudyRequest {
    serde_json::from_value(json!({ "seeds": [3, 1], "options": { "epochs": 2, "flip": false } })).unwrap()
}

async fn candidates(world: &World, search: Uuid) -> Vec<Uuid> {
    world.store.candidates().all(search).await.unwrap().iter().map(|candidate| candidate.id).collect()
}

/// A study of two of three candidates.
async fn study(world: &World) -> Study {
    let search = searched(world, 3).await;
    let all = candidates(world, search).await;
    world.store.studies().create(search, &request(), &all[1..]).await.unwrap()
}

async fn get(world: &World, id: Uuid) -> Study {
    world.store.studies().get(id).await.unwrap()
}

async fn jobs(world: &World) -> Vec<Job> {
    world.store.queue().list(&PageRequest::default()).await.unwrap().items
}

/// Trains the next tuning to its end.
async fn train(world: &World, weights: &str) -> Uuid {
    let claim = claim(world).await;
    world.store.tunings().record_epoch(&claim.lease, &epoch(1, 0.2)).await.unwrap();
    let result = tuned(world, weights).await;
    world.store.tunings().finish(&claim.lease, &result).await.unwrap();
    claim.subject
}

#[tokio::test]
async fn each_candidate_is_queued_from_each_seed_and_no_file_is_exported_unasked() {
    let world = World::new().await;
    let study = study(&world).await;
    let order: Vec<(u32, u64)> = study.members.iter().map(|member| (member.index, member.seed)).collect();
    assert_eq!(order, [(1, 3), (1, 1), (2, 3), (2, 1)], "by candidate, and then as the seeds were given");
    assert_eq!(study.state(), TuningState::Queued);
    let tuning = world.store.tunings().get(study.members[1].tuning_id).await.unwrap();
    assert_eq!((tuning.study_id, tuning.request.seed, tuning.request.epochs), (Some(study.id), 1, Some(2)));
    let listed = world.store.tunings().list(study.search_id, &PageRequest::default()).await.unwrap();
    assert_eq!(listed.items, [], "they are the study's to list");

    let first = train(&world, "one").await;
    assert_eq!(first, study.members[0].tuning_id);
    assert_eq!(world.store.checkpoints().of_tuning(first).await.unwrap(), [], "nobody has asked for files");
    assert_eq!(get(&world, study.id).await.state(), TuningState::Running, "one has ended, and others are queued");
    for weights in ["two", "three", "four"] {
        train(&world, weights).await;
    }
    assert_eq!(get(&world, study.id).await.state(), TuningState::Succeeded);
    let studied = world.store.studies().studied(study.id).await.unwrap();
    assert_eq!(studied.iter().map(|studied| studied.candidate.index).collect::<Vec<_>>(), [1, 2]);
    for candidate in &studied {
        assert_eq!(candidate.tunings.iter().map(|tuning| tuning.seed).collect::<Vec<_>>(), [3, 1]);
        assert!(
            candidate.tunings.iter().all(|tuning| tuning.result.test.is_some() && tuning.result.by_epoch.len() == 1)
        );
    }
    assert!(matches!(world.store.studies().cancel(study.id).await, Err(StoreError::Conflict { .. })));
    assert!(matches!(world.store.studies().retry(study.id).await, Err(StoreError::Conflict { .. })));
    let listed = world.store.studies().list(study.search_id, &PageRequest::default()).await.unwrap().items;
    assert_eq!(listed, [get(&world, study.id).await]);
}

#[tokio::test]
async fn what_a_study_cannot_be_is_refused_and_leaves_nothing() {
    let world = World::new().await;
    let search = searched(&world, 2).await;
    let studies = world.store.studies();
    let all = candidates(&world, search).await;
    let empty = studies.create(search, &request(), &[]).await;
    assert!(matches!(empty, Err(StoreError::NothingToCompare)), "{empty:?}");
    let missing = studies.create(Uuid::now_v7(), &request(), &all).await;
    assert!(matches!(missing, Err(StoreError::NotFound { .. })), "{missing:?}");
    let other = searched(&world, 1).await;
    let many = studies.create(search, &request(), &all.repeat(600)).await;
    assert!(matches!(many, Err(StoreError::TooManyTunings { tunings: 2400, most: 2000 })), "{many:?}");
    let foreign = studies.create(other, &request(), &all).await;
    assert!(matches!(foreign, Err(StoreError::NotFound { .. })), "{foreign:?}");
    let running = world.search().await.id;
    let early = studies.create(running, &request(), &all).await;
    assert!(matches!(&early, Err(StoreError::Conflict { id, .. }) if *id == running), "{early:?}");
    for search in [search, other, running] {
        assert_eq!(studies.list(search, &PageRequest::default()).await.unwrap().items, []);
    }
    assert!(next(&world, "a").await.is_none());
}

#[tokio::test]
async fn a_study_is_cancelled_and_goes_on_where_it_was() {
    let world = World::new().await;
    let study = study(&world).await;
    train(&world, "one").await;
    let running = claim(&world).await;
    save(&world, &running.lease, "snapshot").await.unwrap();
    let cancelled = world.store.studies().cancel(study.id).await.unwrap();
    assert_eq!(cancelled.state(), TuningState::Running, "a worker has yet to stop");
    world.store.queue().stopped(&running.lease).await.unwrap();
    let states: Vec<TuningState> = get(&world, study.id).await.members.iter().map(|member| member.state).collect();
    let stopped = [TuningState::Cancelled; 3];
    assert_eq!((states[0], &states[1..]), (TuningState::Succeeded, &stopped[..]));
    assert_eq!(world.store.studies().cancel(study.id).await.unwrap().state(), TuningState::Cancelled);

    let again = world.store.studies().retry(study.id).await.unwrap();
    assert_eq!(again.state(), TuningState::Running);
    let tuning = world.store.tunings().get(running.subject).await.unwrap();
    assert!(tuning.snapshot.is_some() && tuning.study_id == Some(study.id));
    let failed = claim(&world).await;
    world.store.queue().fail(&failed.lease, "the loss is no number").await.unwrap();
    for weights in ["two", "three"] {
        train(&world, weights).await;
    }
    let ended = get(&world, study.id).await;
    assert_eq!(ended.state(), TuningState::Failed);
    let reasons: Vec<&str> = ended.members.iter().filter_map(|member| member.error.as_deref()).collect();
    assert_eq!(reasons, ["the loss is no number"]);
}

#[tokio::test]
async fn a_study_is_deleted_with_its_tunings_and_goes_with_its_search() {
    let world = World::new().await;
    let search = searched(&world, 3).await;
    let all = candidates(&world, search).await;
    let (files, before) = (world.files_on_disk(), jobs(&world).await);
    let study = world.store.studies().create(search, &request(), &all).await.unwrap();
    train(&world, "weights").await;
    let running = claim(&world).await;
    save(&world, &running.lease, "snapshot").await.unwrap();
    world.store.studies().delete(study.id).await.unwrap();
    assert!(world.store.queue().heartbeat(&running.lease).await.unwrap().lost);
    assert_eq!((world.files_on_disk(), jobs(&world).await), (files, before));
    for member in &study.members {
        assert!(matches!(world.store.tunings().get(member.tuning_id).await, Err(StoreError::NotFound { .. })));
    }
    assert!(matches!(world.store.studies().delete(study.id).await, Err(StoreError::NotFound { .. })));

    let other = world.store.studies().create(search, &request(), &all).await.unwrap();
    let mut feed = world.store.feed();
    assert_eq!(feed.next().await.unwrap(), News::Start);
    world.store.searches().delete(search).await.unwrap();
    let News::Events(events) = feed.next().await.unwrap() else { panic!("nothing was wrong") };
    assert!(events.iter().any(|event| (event.kind, event.subject) == (EventKind::StudyDeleted, other.id)));
    assert!(matches!(world.store.studies().get(other.id).await, Err(StoreError::NotFound { .. })));
}

//! Databases that an earlier schema has written.

use eagleeye_migrations::{Migrator, MigratorTrait};
use eagleeye_store::{
    EXPORT_JOB, JobState, PageRequest, Payload, SEARCH_JOB, SearchState, StoreError, TuningState, Uuid,
};
use sea_orm::{ConnectionTrait, Database, DbBackend};

use crate::races;
use crate::support::{KINDS, World};

/// Steps of the schema since jobs were of a search or of a checkpoint.
pub fn steps_since(name: &str) -> u32 {
    let names: Vec<String> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let position = names.iter().position(|step| step == name).expect("there is such a step");
    u32::try_from(names.len() - position).unwrap()
}

#[tokio::test]
async fn jobs_of_a_search_or_a_checkpoint_become_jobs_of_a_kind() {
    let world = World::new().await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    let (model, dataset) = (world.model("weights").await, world.dataset("clothes").await);
    let done = world.search_on(&model, &dataset).await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.9).await;
    let best = world.store.searches().finish(&lease).await.unwrap().best_candidate_id.unwrap();
    let checkpoints = world.store.checkpoints().of_candidate(best).await.unwrap();
    let running = world.search_on(&model, &dataset).await;
    let queued = world.search_on(&model, &dataset).await;

    // The jobs again, as the earlier program has written them.
    Migrator::down(&database, Some(steps_since("m20261127_000001_kinds_of_jobs"))).await.unwrap();
    database.execute_unprepared("DELETE FROM jobs").await.unwrap();
    let is_sqlite = database.get_database_backend() == DbBackend::Sqlite;
    let id = |id: Uuid| if is_sqlite { format!("x'{}'", id.simple()) } else { format!("'{id}'") };
    let boolean = if is_sqlite { "0" } else { "false" };
    let insert = async |kind: &str, subject, state: &str, lease: i64, worker: &str, heartbeat: &str| {
        let (job, of) = (id(Uuid::now_v7()), id(subject));
        let (search, checkpoint, priority) = match kind {
            "search" => (of, "NULL".to_owned(), 1),
            _ => ("NULL".to_owned(), of, 0),
        };
        let sql = format!(
            "INSERT INTO jobs (id, kind, search_id, checkpoint_id, state, priority, worker, lease, attempts, \
             heartbeat_at_ms, cancel_requested, created_at) VALUES ({job}, '{kind}', {search}, {checkpoint}, '{state}', \
             {priority}, {worker}, {lease}, 1, {heartbeat}, {boolean}, '2026-01-01 00:00:00+00:00')"
        );
        database.execute_unprepared(&sql).await.unwrap();
    };
    insert("search", done.id, "succeeded", 1, "'a'", "NULL").await;
    insert("checkpoint", checkpoints[0].id, "succeeded", 4, "'a'", "NULL").await;
    insert("checkpoint", checkpoints[1].id, "queued", 0, "NULL", "NULL").await;
    insert("search", running.id, "running", 2, "'b'", "1767225600000").await;
    insert("search", queued.id, "queued", 0, "NULL", "NULL").await;

    let store = world.other_process().await;
    let jobs = store.queue().list(&PageRequest::default()).await.unwrap().items;
    let listed: Vec<_> = jobs.iter().map(|job| (job.kind.as_str(), job.subject, job.state, job.lease)).collect();
    let expected = [
        (SEARCH_JOB, done.id, JobState::Succeeded, 1),
        (EXPORT_JOB, checkpoints[0].id, JobState::Succeeded, 4),
        (EXPORT_JOB, checkpoints[1].id, JobState::Queued, 0),
        (SEARCH_JOB, running.id, JobState::Running, 2),
        (SEARCH_JOB, queued.id, JobState::Queued, 0),
    ];
    assert_eq!(listed, expected);
    assert!(jobs.iter().all(|job| job.payload == Payload::empty()));
    assert_eq!(jobs[3].worker.as_deref(), Some("b"));

    // The queue goes on: exports first, then the search that waits, and the one whose worker is gone.
    for (subject, number) in [(checkpoints[1].id, 1), (queued.id, 1)] {
        let claim = store.queue().claim("c", &KINDS).await.unwrap().unwrap();
        assert_eq!((claim.subject, claim.lease.number), (subject, number));
    }
    assert_eq!(store.queue().worker_died("b").await.unwrap(), 1);
    let claim = store.queue().claim("c", &KINDS).await.unwrap().unwrap();
    assert_eq!((claim.subject, claim.lease.number), (running.id, 3));
    // A search still takes its jobs along.
    store.searches().delete(done.id).await.unwrap();
    assert_eq!(store.queue().list(&PageRequest::default()).await.unwrap().items.len(), 2);
    assert_eq!(store.searches().cancel(queued.id).await.unwrap().state, SearchState::Running);
}

#[tokio::test]
async fn tunings_outlive_the_knowledge_of_races() {
    let world = World::new().await;
    let race = races::race(&world).await;
    let claim = races::claim(&world).await;
    races::train(&world, &claim.lease, 1, 0.5).await;
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, Some(steps_since("m20261127_000008_tuning_races"))).await.unwrap();

    let store = world.other_process().await;
    assert!(matches!(store.tuning_races().get(race.id).await, Err(StoreError::NotFound { .. })));
    let waited = store.tunings().get(claim.subject).await.unwrap();
    assert_eq!((waited.state, waited.race_id, waited.waiting_for), (TuningState::Cancelled, None, None));
    let again = store.tunings().retry(claim.subject).await.unwrap();
    assert_eq!((again.state, again.pause_at, again.snapshot.is_some()), (TuningState::Queued, None, true));
    for id in &races::tunings(&race)[1..] {
        assert_eq!(store.tunings().get(*id).await.unwrap().state, TuningState::Queued);
    }
}

#[tokio::test]
async fn tunings_outlive_the_knowledge_of_studies() {
    let world = World::new().await;
    let search = races::searched(&world, 2).await;
    let request = serde_json::from_value(serde_json::json!({ "options": { "epochs": 1 } })).unwrap();
    let candidates = world.store.candidates().all(search).await.unwrap();
    let study = world.store.studies().create(search, &request, &[candidates[0].id]).await.unwrap();
    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, Some(steps_since("m20261128_000001_studies"))).await.unwrap();

    let store = world.other_process().await;
    assert!(matches!(store.studies().get(study.id).await, Err(StoreError::NotFound { .. })));
    for member in &study.members {
        let tuning = store.tunings().get(member.tuning_id).await.unwrap();
        assert_eq!((tuning.state, tuning.study_id), (TuningState::Queued, None));
    }
}

//! What is repaired: evaluations, checkpoints and the beginning of tunings.

use eagleeye_migrations::{Migrator, MigratorTrait};
use eagleeye_spec::{CandidateWeights, EvaluationKind, ImageSet, Score, TuneOptions, score_of};
use eagleeye_store::{Checkpoint, CheckpointFormat, CheckpointState, CheckpointWeights, Exported, Tuned, Uuid};
use sea_orm::{ConnectionTrait, Database, Statement};

use crate::support::{World, evaluation};
use crate::upgrades::steps_since;

const ADAPTED: CandidateWeights = CandidateWeights::Adapted;
const REPAIRED: CandidateWeights = CandidateWeights::Repaired;

/// A search that has ended, and its only candidate, which was scored repaired and trained for a short time, too.
async fn candidate(world: &World) -> Uuid {
    world.search().await;
    let lease = world.claim("a").await.lease;
    world.record(&lease, 0, 0.5).await;
    let repaired = evaluation(EvaluationKind::Repaired, Score::new(0.9, 0.99, 0.2));
    world.store.searches().record_evaluation(&lease, 0, &repaired).await.unwrap();
    world.store.searches().record_evaluation(&lease, 0, &repaired).await.unwrap();
    let trained = evaluation(EvaluationKind::ShortTuned, Score::new(0.8, 0.99, 0.3));
    world.store.searches().record_evaluation(&lease, 0, &trained).await.unwrap();
    world.store.searches().finish(&lease).await.unwrap().best_candidate_id.unwrap()
}

/// Ends all exports that are queued.
async fn export_all(world: &World) {
    while let Some(claim) = world.store.queue().claim("a", &crate::support::EXPORTS).await.unwrap() {
        let upload = world.store.upload_bytes(format!("file of {}", claim.subject)).await.unwrap();
        let exported = Exported { upload, max_difference: 0.0 };
        world.store.checkpoints().finish(&claim.lease, &exported).await.unwrap();
    }
}

fn weights(checkpoints: &[Checkpoint]) -> Vec<CheckpointWeights> {
    checkpoints.iter().map(|checkpoint| checkpoint.weights).collect()
}

#[tokio::test]
async fn further_evaluations_are_stored_once_beside_the_others_and_rank_nothing() {
    let world = World::new().await;
    let stored = world.store.candidates().get(candidate(&world).await).await.unwrap();
    let kinds: Vec<EvaluationKind> = stored.evaluations.iter().map(|evaluation| evaluation.kind).collect();
    assert_eq!(kinds, EvaluationKind::ALL);
    assert_eq!(stored.score.top1, 0.5);
    let top1 = |kind| score_of(&stored.evaluations, kind, ImageSet::Scoring).map(|score| score.top1);
    assert_eq!((top1(EvaluationKind::Repaired), top1(EvaluationKind::ShortTuned)), (Some(0.9), Some(0.8)));
}

#[tokio::test]
async fn a_candidate_has_one_checkpoint_for_each_of_its_weights_and_formats() {
    let world = World::new().await;
    let id = candidate(&world).await;
    export_all(&world).await;
    let checkpoints = world.store.checkpoints();
    assert_eq!(weights(&checkpoints.of_candidate(id).await.unwrap()), [CheckpointWeights::Adapted; 3]);
    let repaired = checkpoints.request(id, REPAIRED, CheckpointFormat::Onnx).await.unwrap();
    assert_eq!((repaired.weights, repaired.state), (CheckpointWeights::Repaired, CheckpointState::Queued));
    assert_eq!(checkpoints.request(id, REPAIRED, CheckpointFormat::Onnx).await.unwrap(), repaired);
    export_all(&world).await;
    let ready = checkpoints.request(id, REPAIRED, CheckpointFormat::Onnx).await.unwrap();
    assert_eq!((ready.id, ready.state), (repaired.id, CheckpointState::Ready));
    let adapted = checkpoints.request(id, ADAPTED, CheckpointFormat::Onnx).await.unwrap();
    assert!(adapted.id != ready.id && adapted.hash != ready.hash);
    let all = checkpoints.of_candidate(id).await.unwrap();
    assert_eq!(weights(&all[..3]), [CheckpointWeights::Adapted; 3]);
    assert_eq!(all[3..], [ready]);
}

#[tokio::test]
async fn a_tuning_says_what_it_begins_with() {
    let world = World::new().await;
    let id = candidate(&world).await;
    let begun = async |start| {
        let options = TuneOptions { start, epochs: Some(1), ..TuneOptions::default() };
        let tuning = world.store.tunings().create(id, &options).await.unwrap();
        assert_eq!(world.store.tunings().get(tuning.id).await.unwrap(), tuning);
        let database = Database::connect(world.config.database_url.expose()).await.unwrap();
        let newest = "SELECT start FROM tunings ORDER BY created_at DESC, id DESC LIMIT 1".to_owned();
        let statement = Statement::from_string(database.get_database_backend(), newest);
        let row = database.query_one_raw(statement).await.unwrap().unwrap();
        (row.try_get::<String>("", "start").unwrap(), tuning.request.start)
    };
    for start in CandidateWeights::ALL {
        assert_eq!(begun(start).await, (start.name().to_owned(), start));
    }
}

#[tokio::test]
async fn checkpoints_of_the_schema_before_are_adapted_or_tuned_ones() {
    let world = World::new().await;
    let id = candidate(&world).await;
    export_all(&world).await;
    let options = TuneOptions { epochs: Some(1), ..TuneOptions::default() };
    let tuning = world.store.tunings().create(id, &options).await.unwrap();
    let lease = world.claim("a").await.lease;
    let score = Score::new(0.5, 0.9, 1.0);
    let result = eagleeye_spec::TuningResult {
        full: score,
        before: score,
        validation: score,
        test: None,
        epochs: 1,
        training_images: 1,
        validation_images: 1,
        test_images: 0,
        by_epoch: vec![0.5],
        seconds: Some(1.0),
        trained_by: None,
        filter_norms_before: None,
    };
    let weights_of_it = world.store.upload_bytes("tuned").await.unwrap();
    world.store.tunings().finish(&lease, &Tuned { weights: weights_of_it, steps: 30, result }).await.unwrap();
    export_all(&world).await;
    let repaired = world.store.checkpoints().request(id, REPAIRED, CheckpointFormat::Onnx).await.unwrap();
    let before = world.store.checkpoints().of_candidate(id).await.unwrap();
    let tuned = world.store.checkpoints().of_tuning(tuning.id).await.unwrap();

    let database = Database::connect(world.config.database_url.expose()).await.unwrap();
    Migrator::down(&database, Some(steps_since("m20261127_000007_repaired"))).await.unwrap();
    let store = world.other_process().await;
    let after = store.checkpoints().of_candidate(id).await.unwrap();
    // That schema does not know it.
    let without_sha256 = |files: &[Checkpoint]| -> Vec<Checkpoint> {
        files.iter().map(|file| Checkpoint { sha256: None, ..file.clone() }).collect()
    };
    assert_eq!(after, without_sha256(&before[..3]), "the repaired one is gone, and the others are as they were");
    assert_eq!(store.checkpoints().of_tuning(tuning.id).await.unwrap(), without_sha256(&tuned));
    assert_eq!(weights(&tuned), [CheckpointWeights::Tuned; 3]);
    let again = store.checkpoints().request(id, REPAIRED, CheckpointFormat::Onnx).await.unwrap();
    assert!(again.id != repaired.id && again.state == CheckpointState::Queued);
}

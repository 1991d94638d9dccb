//! `run`: tunings, undisturbed, killed, cancelled and with a damaged snapshot.

use std::path::Path;
use std::time::{Duration, Instant};

use eagleeye_spec::{CandidateWeights, EvaluationKind, ImageSet, TuneOptions, TuningResult, score_of};
use eagleeye_store::{Check, Checkpoint, CheckpointFormat, CheckpointState, Tuning, TuningState, Uuid};
use rustix::process::Signal;
use serde_json::json;

use crate::service::{PATIENCE, Service, World};
use crate::support::until;

const EPOCHS: u32 = 2;

impl World {
    async fn tuning(&self, candidate: Uuid) -> Uuid {
        self.tuning_from(candidate, CandidateWeights::Adapted).await
    }

    async fn tuning_from(&self, candidate: Uuid, start: CandidateWeights) -> Uuid {
        let options = json!({ "epochs": EPOCHS, "crop_padding": 1, "average": 0.9, "distillation": {}, "seed": 3 });
        let options: TuneOptions = serde_json::from_value(options).unwrap();
        self.store.tunings().create(candidate, &TuneOptions { start, ..options }).await.unwrap().id
    }

    async fn get_tuning(&self, id: Uuid) -> Tuning {
        self.store.tunings().get(id).await.unwrap()
    }

    /// What a tuning has come to, but for its seconds: no two runs share those.
    pub async fn result_of(&self, id: Uuid) -> TuningResult {
        let result = self.get_tuning(id).await.result.unwrap();
        assert!(result.seconds.unwrap() > 0.0, "{result:?}");
        TuningResult { seconds: None, ..result }
    }

    async fn tuned(&self, id: Uuid) -> Tuning {
        until("the tuning ends", PATIENCE, async || Some(self.get_tuning(id).await).filter(|t| t.state.is_final()))
            .await
    }

    /// Its files, once all are written.
    async fn files_of(&self, tuning: Uuid) -> Vec<Checkpoint> {
        until("the tuning is exported", PATIENCE, async || {
            let files = self.store.checkpoints().of_tuning(tuning).await.unwrap();
            let is_over = |c: &Checkpoint| matches!(c.state, CheckpointState::Ready | CheckpointState::Failed);
            Some(files).filter(|files| files.iter().all(is_over))
        })
        .await
    }

    /// Starts a worker that stores a snapshot after each step, and waits until some of an epoch after the first are stored.
    async fn start_and_wait_for_snapshots(&self, name: &str, tuning: Uuid) -> Service {
        let mut command = self.command(name);
        let mut child = command.args(["--snapshot-seconds", "0"]).env("RUST_LOG", "warn").spawn().unwrap();
        let service = Service { server: child.stdin.take(), log: None, child };
        until("an epoch is stored", PATIENCE, async || {
            (self.store.tunings().epochs(tuning).await.unwrap().len() == 1).then_some(())
        })
        .await;
        let mut seen = Vec::new();
        until("snapshots are stored", PATIENCE, async || {
            let snapshot = self.get_tuning(tuning).await.snapshot;
            if !seen.contains(&snapshot) {
                seen.push(snapshot);
            }
            (seen.len() > 3).then_some(())
        })
        .await;
        service
    }
}

/// One tuning in peace; the same with its worker killed in the middle; and the same cancelled, with a snapshot that is damaged
/// before it is taken up again.
#[tokio::test]
async fn a_tuning_ends_with_the_same_weights_and_files_whatever_happens_in_between() {
    let world = World::new().await;
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data_folders/small.pt");
    let model = world.model(&small).await;
    let search = world.search(&model, json!({ "candidates": 1, "macs": 0.4, "test_images": 500 })).await;
    let mut worker = world.start("w");
    let search = world.ended(search).await;
    let candidate = search.best_candidate_id.unwrap();
    world.exports(&search).await;

    let undisturbed = world.tuned(world.tuning(candidate).await).await;
    assert_eq!((undisturbed.state, undisturbed.error.clone()), (TuningState::Succeeded, None));
    let result = undisturbed.result.clone().unwrap();
    let images = (result.training_images, result.validation_images, result.test_images);
    assert_eq!((images, result.epochs), ((9500 - 128 - 500, 128, 500), EPOCHS));
    let searched = world.store.candidates().get(candidate).await.unwrap().score;
    for (found, expected) in [(result.full, search.baseline.as_ref().unwrap().score), (result.before, searched)] {
        assert_eq!(found.top1, expected.top1, "they are the networks that the search has scored");
        assert!(
            (found.cross_entropy.unwrap() - expected.cross_entropy.unwrap()).abs() < 1e-9,
            "{found:?} {expected:?}"
        );
    }
    assert!(result.validation.top1 > result.before.top1 && result.test.unwrap().top1 > 0.5, "{result:?}");
    assert!(undisturbed.snapshot.is_none() && undisturbed.snapshot_bytes.unwrap() > 10_000, "{undisturbed:?}");
    let rows = world.store.tunings().epochs(undisturbed.id).await.unwrap();
    assert_eq!(rows.iter().map(|row| (row.epoch, row.steps)).collect::<Vec<_>>(), [(1, 69), (2, 138)]);
    let progress = &undisturbed.progress;
    assert_eq!((progress.phase.as_str(), progress.done, progress.total), ("epochs", 138, 138));
    let files = world.files_of(undisturbed.id).await;
    for file in &files {
        assert_eq!(file.state, CheckpointState::Ready, "{file:?}");
        assert!(file.max_difference.unwrap() <= 1e-4);
    }
    worker.signal(Signal::TERM);
    worker.exit(Duration::from_secs(15)).await;

    let same = world.tuning(candidate).await;
    let mut killed = world.start_and_wait_for_snapshots("killed", same).await;
    killed.signal(Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();
    let interrupted = world.get_tuning(same).await;
    assert!(interrupted.snapshot.is_some() && interrupted.weights.is_none(), "{interrupted:?}");
    let first = world.store.tunings().epochs(same).await.unwrap().remove(0);
    let mut other = world.start("other");
    let resumed = world.tuned(same).await;
    assert_eq!((resumed.state, &resumed.weights), (TuningState::Succeeded, &undisturbed.weights));
    assert_eq!(world.result_of(same).await, world.result_of(undisturbed.id).await);
    assert_eq!(world.store.tunings().epochs(same).await.unwrap()[0], first, "the first epoch was not trained again");
    for (file, undisturbed) in world.files_of(same).await.iter().zip(&files) {
        assert_eq!((file.format, &file.hash), (undisturbed.format, &undisturbed.hash));
    }
    other.signal(Signal::TERM);
    other.exit(Duration::from_secs(15)).await;

    let same = world.tuning(candidate).await;
    let mut worker = world.start_and_wait_for_snapshots("cancelled", same).await;
    let asked = Instant::now();
    world.store.tunings().cancel(same).await.unwrap();
    let cancelled = world.tuned(same).await;
    assert_eq!((cancelled.state, cancelled.weights), (TuningState::Cancelled, None));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    let (folder, name) = cancelled.snapshot.as_ref().unwrap().as_str().split_at(2);
    std::fs::write(world.folder.path().join("files").join(folder).join(name), "no snapshot").unwrap();
    world.store.tunings().retry(same).await.unwrap();
    let anew = world.tuned(same).await;
    assert_eq!((anew.state, anew.weights), (TuningState::Succeeded, undisturbed.weights));
    worker.signal(Signal::TERM);
    worker.exit(Duration::from_secs(15)).await;
}

/// The entries of a stored safetensors file that say where it comes from.
async fn metadata(world: &World, file: &Checkpoint) -> serde_json::Value {
    let local = world.store.files().materialize(file.hash.as_ref().unwrap(), Check::Once).await.unwrap();
    let bytes = std::fs::read(local.path()).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    serde_json::from_slice::<serde_json::Value>(&bytes[8..8 + length]).unwrap()["__metadata__"].clone()
}

/// A search that repairs its winner, the repaired winner's files, and a tuning that begins with it and whose worker is killed.
#[tokio::test]
async fn a_repaired_candidate_is_scored_exported_and_tuned() {
    let world = World::new().await;
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data_folders/small.pt");
    let model = world.model(&small).await;
    let search = json!({ "candidates": 1, "macs": 0.4, "test_images": 500, "repaired": 1 });
    let search = world.search(&model, search).await;
    let mut worker = world.start("w");
    let search = world.ended(search).await;
    assert_eq!(search.error, None);
    let id = search.best_candidate_id.unwrap();
    let candidate = world.store.candidates().get(id).await.unwrap();
    let repaired = |set| score_of(&candidate.evaluations, EvaluationKind::Repaired, set).unwrap();
    assert!(repaired(ImageSet::Scoring).top1 > candidate.score.top1 && repaired(ImageSet::Test).top1 > 0.5);
    let evaluations = candidate.evaluations.iter().filter(|e| e.kind == EvaluationKind::Repaired);
    assert!(evaluations.map(|e| (e.images, e.calibration_images)).eq([(128, Some(96)), (500, Some(96))]));

    world.exports(&search).await;
    for format in CheckpointFormat::AUTOMATIC {
        world.store.checkpoints().request(id, CandidateWeights::Repaired, format).await.unwrap();
    }
    let files = world.exports(&search).await;
    assert_eq!(files.len(), 6);
    for file in &files {
        assert_eq!(file.state, CheckpointState::Ready, "{file:?}");
        assert!(file.max_difference.unwrap() <= 1e-4);
        if file.format == CheckpointFormat::Safetensors {
            let says = metadata(&world, file).await["eagleeye.weights"].clone();
            assert_eq!(says, serde_json::json!(file.weights), "{file:?}");
        }
    }

    let undisturbed = world.tuned(world.tuning_from(id, CandidateWeights::Repaired).await).await;
    assert_eq!((undisturbed.state, undisturbed.error.clone()), (TuningState::Succeeded, None));
    let result = undisturbed.result.clone().unwrap();
    let begun = repaired(ImageSet::Scoring);
    assert_eq!(result.before.top1, begun.top1, "it begins with what the search has scored");
    assert!((result.before.cross_entropy.unwrap() - begun.cross_entropy.unwrap()).abs() < 1e-9, "{result:?}");
    let files = world.files_of(undisturbed.id).await;
    assert!(files.iter().all(|file| file.state == CheckpointState::Ready), "{files:?}");
    let tuned = files.iter().find(|file| file.format == CheckpointFormat::Safetensors).unwrap();
    let says = metadata(&world, tuned).await;
    assert_eq!(says["eagleeye.weights"], "tuned");
    assert!(says["eagleeye.tuning"].as_str().unwrap().contains(r#""start":"repaired""#), "{says}");
    worker.signal(Signal::TERM);
    worker.exit(Duration::from_secs(15)).await;

    let same = world.tuning_from(id, CandidateWeights::Repaired).await;
    let mut killed = world.start_and_wait_for_snapshots("killed", same).await;
    killed.signal(Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();
    let mut other = world.start("other");
    let resumed = world.tuned(same).await;
    assert_eq!((resumed.state, &resumed.weights), (TuningState::Succeeded, &undisturbed.weights));
    other.signal(Signal::TERM);
    other.exit(Duration::from_secs(15)).await;
}

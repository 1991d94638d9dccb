//! `run`: jobs of a queue, and every way in which a worker stops.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use eagleeye_spec::{EvaluationKind, ImageSet, RANKED_KIND, score_of};
use eagleeye_store::{
    Checkpoint, CheckpointState, Dataset, FileHash, JobState, Model, NamedUpload, NewDataset, NewModel, PageRequest,
    Search, SearchState, Store, StoreConfig, Uuid,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::reports;
use crate::support::{example, until, worker};

pub const PATIENCE: Duration = Duration::from_secs(120);

/// A store as the server makes it, with the example in it.
pub struct World {
    pub store: Store,
    pub folder: TempDir,
    dataset: Dataset,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = StoreConfig::in_folder(folder.path());
        Self::with(folder, config).await
    }

    pub async fn with(folder: TempDir, config: StoreConfig) -> Self {
        let store = Store::connect_with(config).await.unwrap();
        store.own_files().await.unwrap();
        let dataset = NewDataset {
            name: "Fashion-MNIST".to_owned(),
            images_file: upload(&store, &example("fashion-mnist-images-idx3-ubyte.gz")).await,
            labels_file: Some(upload(&store, &example("fashion-mnist-labels-idx1-ubyte.gz")).await),
            report: reports::dataset_report(),
            thumbnails: Vec::new(),
        };
        let dataset = store.datasets().create(dataset).await.unwrap();
        Self { store, folder, dataset }
    }

    pub async fn model(&self, file: &Path) -> Model {
        let new = NewModel {
            name: "MobileNetV1".to_owned(),
            file: upload(&self.store, file).await,
            data: None,
            inspection: reports::inspection(),
            lineage: None,
        };
        self.store.models().create(new).await.unwrap()
    }

    pub async fn search(&self, model: &Model, further: Value) -> Uuid {
        let mut request = json!({
            "model_id": model.id, "dataset_id": self.dataset.id, "strategies": ["random"], "uniform_reference": false, "macs": 0.5, "candidates": 3, "seed": 7,
            "test_images": 0,
            "calibration_images": 96, "scoring_images": 128,
            "preprocessing": { "mean": [0.2860], "deviation": [0.3530] },
        });
        request.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        let request = serde_json::from_value(request).unwrap();
        self.store.searches().create(request).await.unwrap().id
    }

    pub async fn example_search(&self, further: Value) -> Uuid {
        let model = self.model(&example("mobilenet_v1.pt")).await;
        self.search(&model, further).await
    }

    pub fn start(&self, name: &str) -> Service {
        let mut child = self.command(name).env("RUST_LOG", "warn").spawn().unwrap();
        Service { server: child.stdin.take(), log: None, child }
    }

    /// Starts a worker and waits until it says that it is ready.
    pub fn start_and_wait(&self, name: &str) -> Service {
        let mut child = self.command(name).env("RUST_LOG", "info").stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains("ready for jobs") {
            line.clear();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the worker ended");
        }
        Service { server: child.stdin.take(), log: Some(log), child }
    }

    pub fn command(&self, name: &str) -> Command {
        let mut command = worker();
        command.args(self.arguments(name)).stdin(Stdio::piped()).stdout(Stdio::null());
        command
    }

    pub fn arguments(&self, name: &str) -> Vec<String> {
        let config = StoreConfig::in_folder(self.folder.path());
        let (database, files) = (config.database_url.expose(), config.files_url.expose());
        let cache = self.folder.path().join("cache").display().to_string();
        let queue = ["run", "--database", database, "--files", files, "--cache", &cache];
        let own = ["--name", name, "--device", "cpu"];
        queue.into_iter().chain(own).map(str::to_owned).collect()
    }

    pub async fn get(&self, search: Uuid) -> Search {
        self.store.searches().get(search).await.unwrap()
    }

    pub async fn ended(&self, search: Uuid) -> Search {
        until("the search ends", PATIENCE, async || Some(self.get(search).await).filter(|s| s.state.is_final())).await
    }

    /// The winner's files, once all are written.
    pub async fn exports(&self, search: &Search) -> Vec<Checkpoint> {
        let best = search.best_candidate_id.unwrap();
        until("the winner is exported", PATIENCE, async || {
            let files = self.store.checkpoints().of_candidate(best).await.unwrap();
            let is_over = |c: &Checkpoint| matches!(c.state, CheckpointState::Ready | CheckpointState::Failed);
            Some(files).filter(|files| files.iter().all(is_over))
        })
        .await
    }

    pub async fn wait_for_candidates(&self, search: Uuid, count: usize) {
        until("candidates are stored", PATIENCE, async || {
            let stored = self.store.candidates().evaluated(search).await.unwrap().len();
            (stored >= count).then_some(())
        })
        .await
    }

    /// State, worker and attempts of the first job.
    async fn job(&self) -> (JobState, Option<String>, u32) {
        let page = PageRequest { limit: Some(1), cursor: None };
        let job = self.store.queue().list(&page).await.unwrap().items.remove(0);
        (job.state, job.worker, job.attempts)
    }
}

async fn upload(store: &Store, path: &Path) -> NamedUpload {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    NamedUpload { name, upload: store.upload_file(path).await.unwrap() }
}

/// A worker process, killed when the test is over.
pub struct Service {
    pub child: Child,
    /// What a server holds on to for as long as it lives.
    pub server: Option<ChildStdin>,
    /// Held open where it is read, so that the worker can go on writing.
    pub log: Option<BufReader<ChildStderr>>,
}

impl Service {
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
    }

    /// Exit code, once it has ended.
    pub async fn exit(&mut self, patience: Duration) -> Option<i32> {
        let status = until("the worker ends", patience, async || self.child.try_wait().unwrap()).await;
        status.code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended where the test says so.
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.log = None;
    }
}

#[tokio::test]
async fn a_search_is_done_and_its_winner_exported() {
    let world = World::new().await;
    let id = world.example_search(json!({})).await;
    let _worker = world.start("w");
    let search = world.ended(id).await;
    assert_eq!((search.state, search.error.clone()), (SearchState::Succeeded, None));
    assert_eq!((search.progress.phase.as_str(), search.progress.done, search.progress.total), ("candidates", 3, 3));

    let baseline = search.baseline.clone().unwrap();
    assert!(baseline.macs == 15_666_752 && baseline.score.top1 > 0.88, "{baseline:?}");
    let candidates = world.store.candidates().all(id).await.unwrap();
    assert_eq!(candidates.iter().map(|c| c.index).collect::<Vec<_>>(), [0, 1, 2]);
    for candidate in &candidates {
        let share = candidate.macs as f64 / baseline.macs as f64;
        assert!((share - 0.5).abs() <= 0.005, "{share}");
        let kept: Vec<u32> = candidate.groups.iter().map(|group| group.kept as u32).collect();
        assert_eq!(kept, candidate.strategy);
        let without = score_of(&candidate.evaluations, EvaluationKind::Unadapted, ImageSet::Scoring).unwrap();
        assert!(candidate.score.top1 > without.top1, "{candidate:?}");
        assert!(candidate.evaluations.iter().all(|evaluation| evaluation.images == 128), "{candidate:?}");
    }
    let split = world.store.searches().split(id).await.unwrap().unwrap();
    assert_eq!((split.calibration.len(), split.scoring.len(), split.test.len()), (96, 128, 9500 - 224));

    for export in world.exports(&search).await {
        assert_eq!(export.state, CheckpointState::Ready, "{export:?}");
        assert!(export.max_difference.unwrap() <= 1e-4);
        let stored = world.store.files().size(&export.hash.unwrap()).await.unwrap();
        assert_eq!(stored, export.bytes);
    }
}

#[tokio::test]
async fn a_job_that_cannot_be_done_fails_with_its_reason_and_the_next_is_done() {
    let world = World::new().await;
    let notes = world.folder.path().join("notes.pt");
    std::fs::write(&notes, "no network\n").unwrap();
    let model = world.model(&notes).await;
    let hopeless = world.search(&model, json!({})).await;
    let next = world.example_search(json!({ "candidates": 1 })).await;

    let _worker = world.start("w");
    let failed = world.ended(hopeless).await;
    let reason = failed.error.unwrap();
    assert_eq!(failed.state, SearchState::Failed);
    assert!(reason.contains("neither TorchScript nor ONNX") && !reason.contains('\n'), "{reason}");
    assert_eq!(world.ended(next).await.state, SearchState::Succeeded);
}

#[tokio::test]
async fn a_search_on_a_damaged_or_missing_file_fails_with_its_name_and_works_after_another_upload() {
    let world = World::new().await;
    let network = example("mobilenet_v1.pt");
    let model = world.model(&network).await;
    let stored = |hash: &FileHash| {
        let (folder, name) = hash.as_str().split_at(2);
        world.folder.path().join("files").join(folder).join(name)
    };
    let _worker = world.start("w");
    let reason = async || {
        let failed = world.ended(world.search(&model, json!({ "candidates": 1 })).await).await;
        assert_eq!(failed.state, SearchState::Failed, "a search over a damaged file must not succeed");
        failed.error.unwrap()
    };
    let first = world.search(&model, json!({ "candidates": 1 })).await;
    assert_eq!(world.ended(first).await.state, SearchState::Succeeded);

    let mut bytes = std::fs::read(&network).unwrap();
    let whole = bytes.len();
    bytes[1_500_000..1_500_200].fill(0x55);
    std::fs::write(stored(&model.hash), &bytes).unwrap();
    let altered = reason().await;
    for words in ["`mobilenet_v1.pt` of model `MobileNetV1`", "damaged", "upload it again"] {
        assert!(altered.contains(words), "no `{words}` in: {altered}");
    }
    upload(&world.store, &network).await;
    std::fs::File::options().write(true).open(stored(&model.hash)).unwrap().set_len(whole as u64 / 2).unwrap();
    assert!(reason().await.contains("damaged"));
    upload(&world.store, &network).await;
    std::fs::remove_file(stored(&world.dataset.images_hash)).unwrap();
    let missing = reason().await;
    assert!(missing.contains("of dataset `Fashion-MNIST`") && missing.contains("missing"), "{missing}");
    assert!(!missing.contains(world.dataset.images_hash.as_str()), "no bare hash: {missing}");

    upload(&world.store, &example("fashion-mnist-images-idx3-ubyte.gz")).await;
    let healed = world.search(&model, json!({ "candidates": 1 })).await;
    assert_eq!(world.ended(healed).await.state, SearchState::Succeeded);
    assert_eq!(leaderboard(&world.store, healed).await, leaderboard(&world.store, first).await);
}

#[tokio::test]
async fn a_worker_whose_server_is_gone_gives_its_job_back_and_ends() {
    let world = World::new().await;
    let id = world.example_search(json!({ "candidates": 500 })).await;
    let mut worker = world.start("w");
    world.wait_for_candidates(id, 1).await;
    drop(worker.server.take());
    worker.exit(Duration::from_secs(2)).await;
    assert_eq!(world.job().await, (JobState::Queued, None, 0));
    assert_eq!(world.get(id).await.state, SearchState::Queued);
}

#[tokio::test]
async fn a_signal_ends_a_worker_in_order_idle_or_not() {
    let world = World::new().await;
    let mut idle = world.start_and_wait("idle");
    idle.signal(rustix::process::Signal::TERM);
    assert_eq!(idle.exit(Duration::from_secs(2)).await, Some(0));

    let id = world.example_search(json!({ "candidates": 500 })).await;
    let mut busy = world.start("busy");
    world.wait_for_candidates(id, 1).await;
    busy.signal(rustix::process::Signal::TERM);
    assert_eq!(busy.exit(Duration::from_secs(2)).await, Some(0));
    assert_eq!(world.job().await, (JobState::Queued, None, 0));
}

#[tokio::test]
async fn a_cancelled_search_stops_and_the_worker_goes_on() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let id = world.search(&model, json!({ "candidates": 500 })).await;
    let mut worker = world.start("w");
    world.wait_for_candidates(id, 1).await;
    let asked = Instant::now();
    world.store.searches().cancel(id).await.unwrap();
    assert_eq!(world.ended(id).await.state, SearchState::Cancelled);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());

    let next = world.search(&model, json!({ "candidates": 1 })).await;
    assert_eq!(world.ended(next).await.state, SearchState::Succeeded);
    assert!(worker.child.try_wait().unwrap().is_none(), "the same process did it");
}

#[tokio::test]
async fn a_search_taken_over_from_a_killed_worker_gives_the_same_leaderboard() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let id = world.search(&model, json!({})).await;
    let mut killed = world.start("killed");
    world.wait_for_candidates(id, 1).await;
    killed.signal(rustix::process::Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();

    let undisturbed = world.search(&model, json!({})).await;
    let _other = world.start("other");
    for search in [id, undisturbed] {
        assert_eq!(world.ended(search).await.state, SearchState::Succeeded);
    }
    assert_eq!(leaderboard(&world.store, id).await, leaderboard(&world.store, undisturbed).await);
}

/// Every strategy under two budgets, with a race over two sets of images.
fn every_strategy() -> Value {
    json!({
        "strategies": ["random", "uniform", "near_uniform", "sensitivity", "evolutionary", "global_magnitude", "reference", "manual"],
        "manual": [{ "groups": { "0": 4, "3": 0.25, "6": 8 } }], "candidates": 4, "macs": 0.25, "budgets": [{ "macs": 0.35 }],
        "calibration_images": 64, "round_to": 1,
        "scoring_images": 900, "vanilla_images": 32, "test_images": 64, "batch_size": 64,
    })
}

#[tokio::test]
async fn every_strategy_gives_the_same_leaderboard_whenever_the_worker_is_killed() {
    let world = World::new().await;
    // A smaller network than the example's, for there are many candidates.
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/tests/data_folders/small.pt");
    let model = world.model(&small).await;
    let id = world.search(&model, every_strategy()).await;
    // While strategies are proposed, in the race, and when the winners are scored.
    for (kill, results) in [5, 30, 54, 62].into_iter().enumerate() {
        let mut killed = world.start(&format!("killed{kill}"));
        until("results are stored", PATIENCE, async || {
            let stored = world.store.candidates().evaluated(id).await.unwrap();
            let evaluations = stored.iter().flat_map(|candidate| &candidate.evaluations);
            (evaluations.filter(|e| e.kind == RANKED_KIND).count() >= results).then_some(())
        })
        .await;
        killed.signal(rustix::process::Signal::KILL);
        killed.exit(Duration::from_secs(20)).await;
        world.store.queue().worker_died(&format!("killed{kill}")).await.unwrap();
        assert!(!world.get(id).await.state.is_final(), "it was killed too late");
    }
    let undisturbed = world.search(&model, every_strategy()).await;
    let _other = world.start("other");
    for search in [id, undisturbed] {
        let ended = world.ended(search).await;
        assert_eq!((ended.state, ended.error), (SearchState::Succeeded, None));
    }
    let board = leaderboard(&world.store, id).await;
    assert_eq!(board, leaderboard(&world.store, undisturbed).await);
    let of = async |search| {
        let search = world.get(search).await;
        let winners = search.winners.len();
        (winners, search.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>())
    };
    assert_eq!(of(id).await.0, 3, "one for each budget, and one of the user's own");
    let with_latency = world.store.candidates().all(id).await.unwrap();
    assert!(with_latency.iter().filter(|candidate| !candidate.latencies.is_empty()).count() >= 10);
}

#[tokio::test]
async fn what_tells_the_latency_of_strategies_is_measured_once_and_stays() {
    let world = World::new().await;
    let model = world.model(&example("mobilenet_v1.pt")).await;
    let asked = json!({ "macs": 1.0, "latency": 0.6, "candidates": 6 });
    let id = world.search(&model, asked).await;
    let mut killed = world.start("killed");
    world.wait_for_candidates(id, 2).await;
    killed.signal(rustix::process::Signal::KILL);
    killed.exit(Duration::from_secs(20)).await;
    world.store.queue().worker_died("killed").await.unwrap();
    let measured = world.get(id).await.latency_model.unwrap();
    let begun = leaderboard(&world.store, id).await;

    let _other = world.start("other");
    let ended = world.ended(id).await;
    assert_eq!((ended.state, ended.error), (SearchState::Succeeded, None));
    assert_eq!(ended.latency_model, Some(measured.clone()));
    let board = leaderboard(&world.store, id).await;
    assert_eq!((board.len(), &board[..begun.len()]), (6, &begun[..]));
    let costs: Vec<u64> = world.store.candidates().all(id).await.unwrap().iter().map(|c| c.macs).collect();
    assert_eq!(measured.networks, 13);
    assert!(costs.iter().all(|&macs| macs < 14_000_000), "less than the full network's 15.7 million: {costs:?}");
}

/// All that must be the same to the last digit.
pub async fn leaderboard(store: &Store, search: Uuid) -> Vec<Value> {
    let candidates = store.candidates().all(search).await.unwrap();
    let lines = candidates.iter().map(|candidate| {
        let scores: Vec<_> =
            candidate.evaluations.iter().map(|e| json!([e.kind, e.image_set, e.images, e.score, e.hits])).collect();
        json!([candidate.index, candidate.origin, candidate.strategy, candidate.macs, scores])
    });
    lines.collect()
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_ends_the_worker() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite://{}", folder.path().display());
    let output = worker()
        .args(["run", "--database", &database, "--name", "w", "--files"])
        .arg(folder.path().join("files"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn a_model_is_read_by_a_child_that_may_fail_without_the_worker() {
    let world = World::new().await;
    let id = world.example_search(json!({})).await;
    // Less than libtorch itself needs: the child cannot even begin.
    let mut worker = world.command("w");
    let child = worker.args(["--file-memory-bytes", "30000000"]).env("RUST_LOG", "warn").spawn().unwrap();
    let mut worker = Service { child, server: None, log: None };
    let search = world.ended(id).await;
    assert_eq!(search.state, SearchState::Failed);
    let reason = search.error.unwrap();
    assert!(reason.starts_with("model: the process that reads the file"), "{reason}");
    assert!(worker.child.try_wait().unwrap().is_none(), "the worker goes on");
}

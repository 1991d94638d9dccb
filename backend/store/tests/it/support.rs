//! A store with something in it, a clock that stands still, and the queue as text.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use eagleeye_spec::report::{DatasetReport, ModelInspection};
use eagleeye_spec::{Evaluation, EvaluationKind, GroupKeep, ImageSet, Origin, Score, SearchRequest, StrategyName};
use eagleeye_store::{
    CandidateSort, Check, Claim, Clock, Dataset, EXPORT_JOB, FileHash, Files, Lease, Model, NamedUpload, NewCandidate,
    NewDataset, NewModel, PageRequest, SEARCH_JOB, Search, Store, StoreConfig, TUNING_JOB, Uuid, Wanted,
};
use futures::TryStreamExt;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

/// Kinds of jobs as a worker wants them: exports first.
pub const KINDS: [Wanted<'static>; 3] = [
    Wanted { kind: EXPORT_JOB, priority: 0 },
    Wanted { kind: SEARCH_JOB, priority: 1 },
    Wanted { kind: TUNING_JOB, priority: 1 },
];
pub const EXPORTS: [Wanted<'static>; 1] = [KINDS[0]];

pub struct World {
    pub store: Store,
    pub clock: Clock,
    pub config: StoreConfig,
    pub folder: TempDir,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-01-01T00:00:00Z".parse().unwrap());
        let files = folder.path().join("files");
        let mut config = StoreConfig::new(database_url(&folder).await, files.to_str().unwrap());
        config.cache.folder = folder.path().join("cache");
        config.clock = clock.clone();
        let store = Store::connect_with(config.clone()).await.unwrap();
        World { store, clock, config, folder }
    }

    /// What another process would see: its own connections to the same database and files.
    pub async fn other_process(&self) -> Store {
        Store::connect_with(self.config.clone()).await.unwrap()
    }

    pub fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub async fn model(&self, content: &str) -> Model {
        self.store.models().create(self.new_model(content).await).await.unwrap()
    }

    pub async fn new_model(&self, content: &str) -> NewModel {
        NewModel {
            name: "MobileNetV1".to_string(),
            file: self.file("mobilenet.pt", content).await,
            data: None,
            inspection: inspection(),
            lineage: None,
        }
    }

    pub async fn dataset(&self, content: &str) -> Dataset {
        self.store.datasets().create(self.new_dataset(content).await).await.unwrap()
    }

    pub async fn new_dataset(&self, content: &str) -> NewDataset {
        NewDataset {
            name: "Fashion-MNIST".to_string(),
            images_file: self.file("images.gz", &format!("{content} images")).await,
            labels_file: Some(self.file("labels.gz", &format!("{content} labels")).await),
            report: dataset_report(),
            thumbnails: vec![
                self.store.upload_bytes(format!("{content} first")).await.unwrap(),
                self.store.upload_bytes(format!("{content} second")).await.unwrap(),
            ],
        }
    }

    pub async fn file(&self, name: &str, content: &str) -> NamedUpload {
        let upload = self.store.upload_bytes(content.to_string()).await.unwrap();
        NamedUpload { name: name.to_string(), upload }
    }

    pub async fn search(&self) -> Search {
        let (model, dataset) = (self.model("weights").await, self.dataset("clothes").await);
        self.search_on(&model, &dataset).await
    }

    pub async fn search_on(&self, model: &Model, dataset: &Dataset) -> Search {
        let new = request(model.id, dataset.id);
        self.store.searches().create(new).await.unwrap()
    }

    /// Claims a job that must be there.
    pub async fn claim(&self, worker: &str) -> Claim {
        // PostgreSQL lets go of the rows of a refused write a moment after the refusal, and a claim passes over what is held.
        for _ in 0..50 {
            if let Some(claim) = self.store.queue().claim(worker, &KINDS).await.unwrap() {
                return claim;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("there is no job to claim");
    }

    pub async fn record(&self, lease: &Lease, index: u32, top1: f64) {
        self.store.searches().record_candidate(lease, candidate(index, top1)).await.unwrap();
    }

    /// Indices of the candidates that are stored.
    pub async fn evaluated(&self, search: Uuid) -> Vec<u32> {
        self.store.candidates().evaluated(search).await.unwrap().iter().map(|stored| stored.index).collect()
    }

    /// Queue, searches and what belongs to them, as text without identifiers.
    pub async fn picture(&self) -> String {
        let mut text = String::new();
        let page = PageRequest { limit: Some(500), cursor: None };
        writeln!(text, "jobs").unwrap();
        for job in self.store.queue().list(&page).await.unwrap().items {
            let subject = match job.kind.as_str() {
                EXPORT_JOB => format!("{:?}", self.store.checkpoints().get(job.subject).await.unwrap().format),
                kind => kind.to_string(),
            };
            let worker = job.worker.as_deref().unwrap_or("nobody");
            write!(text, "  {subject}: {:?}, {worker}", job.state).unwrap();
            write!(text, ", lease {}, attempts {}", job.lease, job.attempts).unwrap();
            if let Some(silent) = job.silent {
                write!(text, ", silent {} s", silent.as_secs()).unwrap();
            }
            if job.cancel_requested {
                write!(text, ", cancel requested").unwrap();
            }
            if job.pause_requested {
                write!(text, ", pause requested").unwrap();
            }
            if let Some(error) = job.error {
                write!(text, ", error: {error}").unwrap();
            }
            writeln!(text).unwrap();
        }
        for search in self.store.searches().list(&page).await.unwrap().items.into_iter().rev() {
            let (state, progress) = (search.state, &search.progress);
            writeln!(text, "search: {state:?}, {} {}/{}", progress.phase, progress.done, progress.total).unwrap();
            if let Some(error) = search.error {
                writeln!(text, "  error: {error}").unwrap();
            }
            let candidates = self.store.candidates().list(search.id, CandidateSort::INDEX, &page).await.unwrap();
            for candidate in candidates.items {
                self.picture_candidate(&mut text, &candidate, search.best_candidate_id).await;
            }
        }
        text
    }

    async fn picture_candidate(&self, text: &mut String, candidate: &eagleeye_store::Candidate, best: Option<Uuid>) {
        let mark = if best == Some(candidate.id) { ", best" } else { "" };
        writeln!(text, "  candidate {}: top-1 {}{mark}", candidate.index, candidate.score.top1).unwrap();
        for checkpoint in self.store.checkpoints().of_candidate(candidate.id).await.unwrap() {
            write!(text, "    {:?}: {:?}", checkpoint.format, checkpoint.state).unwrap();
            if let Some(bytes) = checkpoint.bytes {
                write!(text, ", {bytes} bytes").unwrap();
            }
            if let Some(error) = checkpoint.error {
                write!(text, ", error: {error}").unwrap();
            }
            writeln!(text).unwrap();
        }
    }

    /// Addresses of all files in the store's folder, temporary ones included.
    pub fn files_on_disk(&self) -> Vec<String> {
        let root = self.folder.path().join("files");
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

pub fn request(model_id: Uuid, dataset_id: Uuid) -> SearchRequest {
    let request = serde_json::json!({
        "model_id": model_id, "dataset_id": dataset_id, "strategies": ["random"], "macs": 0.5, "candidates": 3, "seed": 7, "batch_size": 10,
        "calibration_images": 20, "scoring_images": 20, "round_to": 8,
        "preprocessing": { "mean": [0.286], "deviation": [0.353] },
    });
    serde_json::from_value(request).unwrap()
}

pub fn candidate(index: u32, top1: f64) -> NewCandidate {
    NewCandidate {
        index,
        strategy: vec![16, 24],
        groups: vec![GroupKeep { group: "features.0".to_string(), size: 32, kept: 16 }],
        origin: origin(index),
        macs: 8_000_000 + u64::from(index),
        parameters: 1_500_000,
        bytes: Some(6_100_000),
        evaluations: vec![
            evaluation(EvaluationKind::Adapted, Score::new(top1, 0.99, 1.0 - top1)),
            evaluation(EvaluationKind::Unadapted, Score::new(0.1, 0.5, f64::NAN)),
        ],
        seconds: 1.5,
    }
}

pub fn origin(number: u32) -> Origin {
    Origin { strategy: StrategyName("random".to_owned()), budget: Some(0), number, is_probe: false }
}

/// A candidate with this score with adapted statistics.
pub fn candidate_with(index: u32, score: Score) -> NewCandidate {
    let mut new = candidate(index, score.top1);
    new.evaluations[0] = evaluation(EvaluationKind::Adapted, score);
    new
}

pub fn evaluation(kind: EvaluationKind, score: Score) -> Evaluation {
    Evaluation { seconds: 0.75, ..Evaluation::new(kind, ImageSet::Scoring, 20, score) }
}

/// The whole of a stored file.
pub async fn content(files: &Files, hash: &FileHash) -> Vec<u8> {
    let file = files.materialize(hash, Check::Once).await.unwrap();
    let all = 0..file.size();
    let parts: Vec<Bytes> = file.stream(all).await.unwrap().stream.try_collect().await.unwrap();
    parts.concat()
}

/// Waits until `condition` holds, for work that is tidied up in the background.
pub async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not become true within five seconds");
}

async fn database_url(folder: &TempDir) -> String {
    let Ok(server) = std::env::var("EAGLEEYE_TEST_POSTGRES") else {
        return format!("sqlite://{}", folder.path().join("eagleeye.db").display());
    };
    let name = format!("eagleeye_test_{}", Uuid::now_v7().simple());
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (address, _) = server.rsplit_once('/').unwrap();
    format!("{address}/{name}")
}

/// What an inspection finds in every model of these tests.
pub fn inspection() -> ModelInspection {
    let document = serde_json::json!({
        "format": "torchscript", "inputs": [{ "name": "x", "shape": [1, 1, 28, 28] }],
        "outputs": [{ "name": "linear", "shape": [1, 10] }], "guessed_shape": true, "macs": 16_242_186,
        "parameters": 3_217_226, "batch_norms": 27, "reachable": { "min": 0.02, "max": 1.0 }, "classes": 10,
        "element_type": "float32", "notices": [], "batch_norm_state": "present", "operators": { "conv2d": 27 },
        "layers": [], "groups": [],
    });
    ModelInspection::from_stored(document).unwrap()
}

/// What a check finds in every dataset of these tests.
pub fn dataset_report() -> DatasetReport {
    let size = serde_json::json!({ "width": 28, "height": 28 });
    let document = serde_json::json!({
        "kind": "idx", "images": 60, "channels": 1, "width": 28, "height": 28,
        "classes": [{ "index": 0, "name": "shirt", "count": 30 }, { "index": 1, "name": "bag", "count": 30 }],
        "shapes": { "min": size, "max": size, "most_common": size },
    });
    DatasetReport::from_stored(document).unwrap()
}

//! Health of the server.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use eagleeye_sandbox::Support;
use eagleeye_store::{self as store, Store};
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::problem::OwnBody;
use crate::state::AppState;

/// What the parts may take to answer; the whole answer comes within two seconds.
const ANSWER: Duration = Duration::from_millis(1500);

/// The state of the server and what it depends on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    /// Overall state: `ok` if all parts are.
    pub status: HealthStatus,
    /// Version of the program.
    pub version: &'static str,
    pub database: HealthPart,
    pub files: HealthPart,
    pub workers: WorkerCounts,
    /// Which parts of the sandbox for uploaded files this machine supports.
    pub sandbox: Sandbox,
    pub uploads: UploadLimits,
    /// Folders on the server below which datasets may be registered where they lie (`createReferencedDataset`). None unless the
    /// operator has set some.
    #[schema(example = json!(["/data/images"]))]
    pub dataset_roots: Vec<String>,
}

/// What is accepted at most, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct UploadLimits {
    /// A model, with its external weights.
    pub model_bytes: u64,
    /// A dataset, with its labels.
    pub dataset_bytes: u64,
    /// A dataset once it is unpacked.
    pub unpacked_bytes: u64,
}

/// Whether requests can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    Ok,
    /// The database or the file store cannot be used; which one it is, its own status says.
    Unavailable,
}

/// Something that the server depends on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HealthPart {
    pub status: HealthStatus,
    /// What is wrong with it. Null if it is `ok`.
    #[schema(required)]
    pub detail: Option<String>,
}

/// Worker processes.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkerCounts {
    /// How many workers this server should keep running.
    pub wanted: usize,
    /// How many of those are running.
    pub running: usize,
    /// All workers that have reported to the database lately, those on other machines included. Empty while the
    /// database is unreachable.
    pub connected: Vec<ConnectedWorker>,
}

/// A worker on this or another machine.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ConnectedWorker {
    /// Name under which it claims jobs.
    pub name: String,
    pub host: String,
    pub pid: u32,
    /// Device that it computes on.
    #[schema(example = "cuda:0")]
    pub device: String,
    /// Why it is this one, as a phrase. Null where an earlier version reports.
    #[schema(required, example = "it is the CUDA device that libtorch sees")]
    pub device_reason: Option<String>,
    /// The name of that processor or card. Null where it is not known.
    #[schema(required, example = "NVIDIA H100 80GB HBM3")]
    pub hardware: Option<String>,
    /// The memory that it computes in, in bytes: the card's, or the machine's. Null where it is not known.
    #[schema(required)]
    pub memory_bytes: Option<u64>,
    pub since: DateTime<Utc>,
    pub last_seen: DateTime<Utc>,
    /// The search that it is working on, or null.
    #[schema(required)]
    pub search_id: Option<Uuid>,
    /// The checkpoint that it is exporting, or null.
    #[schema(required)]
    pub checkpoint_id: Option<Uuid>,
    /// The tuning that it is working on, or null.
    #[schema(required)]
    pub tuning_id: Option<Uuid>,
    /// Why it is not taking jobs at the moment, or null if it is.
    #[schema(required)]
    pub note: Option<String>,
}

/// What a process that reads an uploaded file cannot do on this machine. It always has limits of memory and time, an
/// environment of its own, and ends with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sandbox {
    /// Open other files than its own (Landlock).
    pub files: bool,
    /// Make connections, start programs, or use other system calls than reading needs (seccomp).
    pub system_calls: bool,
}

/// Health of the server.
///
/// Responds within two seconds, even if the database or file store is unreachable.
#[utoipa::path(
    get, path = "/health", operation_id = "getHealth", tag = "health",
    responses(
        (status = 200, description = "The server, its database and its file store are up", body = Health),
        (status = 503, description = "The database or the file store cannot be used", body = Health),
    )
)]
pub async fn get(State(state): State<AppState>) -> (StatusCode, Extension<OwnBody>, Json<Health>) {
    let (database, files, connected) = tokio::join!(database(&state), files(&state.store), connected(&state.store));
    let is_up = [&database, &files].iter().all(|part| part.status == HealthStatus::Ok);
    let (code, status) = match is_up {
        true => (StatusCode::OK, HealthStatus::Ok),
        false => (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::Unavailable),
    };
    let workers = WorkerCounts { wanted: state.workers.wanted(), running: state.workers.running(), connected };
    let sandbox = Sandbox::from(state.checker.sandbox());
    let uploads = UploadLimits {
        model_bytes: state.config.max_model_bytes,
        dataset_bytes: state.config.max_dataset_bytes,
        unpacked_bytes: state.config.max_unpacked_bytes,
    };
    let version = env!("CARGO_PKG_VERSION");
    let dataset_roots = state.store.dataset_roots().names();
    let health = Health { status, version, database, files, workers, sandbox, uploads, dataset_roots };
    (code, Extension(OwnBody), Json(health))
}

async fn database(state: &AppState) -> HealthPart {
    match timeout(ANSWER, state.store.ping()).await {
        Ok(Ok(())) => match state.outages.waiting_for() {
            None => HealthPart::up(),
            Some(fault) => HealthPart::down(format!("it does not accept writes; waiting for {fault}")),
        },
        Ok(Err(error)) => {
            tracing::error!(%error, "the database is unreachable");
            HealthPart::down("it is unreachable")
        }
        Err(_) => HealthPart::down("it does not respond"),
    }
}

async fn files(store: &Store) -> HealthPart {
    let (expected, found) = tokio::join!(timeout(ANSWER, store.files_id()), timeout(ANSWER, store.files_marker()));
    let found = match found {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => {
            tracing::error!(%error, "the file store is unreachable");
            return HealthPart::down("it is unreachable");
        }
        Err(_) => return HealthPart::down("it does not respond"),
    };
    match expected {
        Ok(Ok(Some(expected))) => match store.compare_files(expected, found) {
            Ok(()) => HealthPart::up(),
            Err(error) => HealthPart::down(error.to_string()),
        },
        // An answer that the database owes says nothing about the files.
        _ => HealthPart::up(),
    }
}

async fn connected(store: &Store) -> Vec<ConnectedWorker> {
    match timeout(ANSWER, store.workers().list()).await {
        Ok(Ok(workers)) => workers.into_iter().map(ConnectedWorker::from).collect(),
        Ok(Err(error)) => {
            tracing::debug!(%error, "the workers cannot be listed");
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

impl HealthPart {
    fn up() -> Self {
        HealthPart { status: HealthStatus::Ok, detail: None }
    }

    fn down(detail: impl Into<String>) -> Self {
        HealthPart { status: HealthStatus::Unavailable, detail: Some(detail.into()) }
    }
}

impl From<Support> for Sandbox {
    fn from(support: Support) -> Self {
        let Support { files, system_calls } = support;
        Sandbox { files, system_calls }
    }
}

impl From<store::Worker> for ConnectedWorker {
    fn from(worker: store::Worker) -> Self {
        let at = |kind: &str| worker.work.as_ref().filter(|work| work.kind == kind).map(|work| work.subject);
        let (search_id, checkpoint_id) = (at(store::SEARCH_JOB), at(store::EXPORT_JOB));
        let tuning_id = at(store::TUNING_JOB);
        ConnectedWorker {
            name: worker.name,
            host: worker.host,
            pid: worker.pid,
            device: worker.device,
            device_reason: worker.device_reason,
            hardware: worker.hardware,
            memory_bytes: worker.memory_bytes,
            since: worker.since,
            last_seen: worker.last_seen,
            search_id,
            checkpoint_id,
            tuning_id,
            note: worker.note,
        }
    }
}

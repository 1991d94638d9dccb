//! Whether the server can work.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use eagleeye_sandbox::Support;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::AppState;

/// The state of the server and what it stands on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Health {
    pub status: HealthStatus,
    /// Version of the program.
    pub version: &'static str,
    /// Worker processes that this server keeps up.
    pub workers: WorkerCounts,
    /// What of the sandbox for uploaded files this machine has.
    pub sandbox: Sandbox,
}

/// Whether requests can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    Ok,
    /// The database is out of reach.
    Unavailable,
}

/// Worker processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct WorkerCounts {
    /// As many as were asked for.
    pub wanted: usize,
    /// As many as are up at this moment.
    pub running: usize,
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

/// Whether the server can work.
#[utoipa::path(
    get, path = "/health", operation_id = "getHealth", tag = "health",
    responses(
        (status = 200, description = "The server and its database are up", body = Health),
        (status = 503, description = "The database is out of reach", body = Health),
    )
)]
pub async fn get(State(state): State<AppState>) -> (StatusCode, Json<Health>) {
    let (code, status) = match state.store.ping().await {
        Ok(()) => (StatusCode::OK, HealthStatus::Ok),
        Err(error) => {
            tracing::error!(%error, "the database is out of reach");
            (StatusCode::SERVICE_UNAVAILABLE, HealthStatus::Unavailable)
        }
    };
    let workers = WorkerCounts { wanted: state.workers.wanted(), running: state.workers.running() };
    let Support { files, system_calls } = state.checker.sandbox();
    let sandbox = Sandbox { files, system_calls };
    (code, Json(Health { status, version: env!("CARGO_PKG_VERSION"), workers, sandbox }))
}

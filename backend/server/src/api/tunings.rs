//! Tunings: candidates that are trained further.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::{CandidateWeights, Epoch, TuneOptions, TuningResult};
use eagleeye_store::{self as store, Store};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::checkpoints::{Checkpoint, CheckpointList, TunedCheckpointRequest, answered, wanted};
use super::paging::{Page, PageQuery};
use super::searches::Progress;
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::problem::Problem;
use crate::state::AppState;

/// State of a tuning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TuningState {
    /// Waits for a worker or, at the end of a rung of its race, for the other candidates.
    Queued,
    /// A worker is on it.
    Running,
    /// Somebody has paused it. It goes on from its snapshot when it is resumed.
    Paused,
    /// The tuned network is stored, and its exports are queued or written.
    Succeeded,
    /// Ended with an error. Its snapshot stays.
    Failed,
    /// Ended because somebody asked for it. Its snapshot stays.
    Cancelled,
}

/// A candidate that is trained further.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Tuning {
    pub id: Uuid,
    /// The candidate's search.
    pub search_id: Uuid,
    pub candidate_id: Uuid,
    /// The race that it takes or took part in. Null if it is not in one.
    #[schema(required)]
    pub race_id: Option<Uuid>,
    /// The study that it is part of. Null if it is not in one.
    #[schema(required)]
    pub study_id: Option<Uuid>,
    pub state: TuningState,
    /// What it begins with.
    pub start: CandidateWeights,
    /// What was asked for, with the defaults filled in, but for `start` where it is `adapted`.
    pub request: TuneOptions,
    /// In the phase `epochs`, `done` of `total` counts steps; `total` is 0 until it is known. In the phase `paused` it waits for
    /// the other candidates of its race.
    pub progress: Progress,
    /// Bytes on the disk of a snapshot to go on from. While one replaces another there are two. Null until it is known, before
    /// the first step.
    #[schema(required)]
    pub snapshot_bytes: Option<u64>,
    /// True if there is a snapshot, from which the tuning goes on after an interruption.
    pub has_snapshot: bool,
    /// Null until it has succeeded.
    #[schema(required)]
    pub result: Option<TuningResult>,
    /// Why it failed. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    /// What it has to wait for before it can go on, as a phrase that completes "waiting for". Null where nothing but a
    /// free worker is missing.
    #[schema(required)]
    pub waiting_for: Option<String>,
    /// Grows with every change.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// All epochs of a tuning so far, in their order. The list is never paged.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EpochList {
    pub items: Vec<Epoch>,
}

impl From<store::TuningState> for TuningState {
    fn from(state: store::TuningState) -> Self {
        match state {
            store::TuningState::Queued => TuningState::Queued,
            store::TuningState::Running => TuningState::Running,
            store::TuningState::Paused => TuningState::Paused,
            store::TuningState::Succeeded => TuningState::Succeeded,
            store::TuningState::Failed => TuningState::Failed,
            store::TuningState::Cancelled => TuningState::Cancelled,
        }
    }
}

impl From<store::Tuning> for Tuning {
    fn from(tuning: store::Tuning) -> Self {
        let store::Progress { phase, done, total } = tuning.progress;
        Tuning {
            id: tuning.id,
            search_id: tuning.search_id,
            candidate_id: tuning.candidate_id,
            race_id: tuning.race_id,
            study_id: tuning.study_id,
            state: tuning.state.into(),
            start: tuning.request.start,
            request: tuning.request,
            progress: Progress { phase, done, total },
            snapshot_bytes: tuning.snapshot_bytes,
            has_snapshot: tuning.snapshot.is_some(),
            result: tuning.result,
            error: tuning.error,
            waiting_for: tuning.waiting_for,
            revision: tuning.revision,
            created_at: tuning.created_at,
            started_at: tuning.started_at,
            finished_at: tuning.finished_at,
        }
    }
}

/// Fine-tune a candidate.
///
/// It is trained on all images of the dataset but the search's scoring and test images. `epochs` or `minutes` is enough.
#[utoipa::path(
    post, path = "/candidates/{id}/tunings", operation_id = "createTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the candidate")),
    request_body = TuneOptions,
    responses(
        (status = 202, description = "The tuning is queued", body = Tuning,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The candidate does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(options): Json<TuneOptions>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(options.faults());
    faults.into_result()?;
    let tuning = Tuning::from(store.tunings().create(id, &options).await?);
    let location = format!("{BASE}/tunings/{}", tuning.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(tuning)).into_response())
}

/// List the tunings of a search's candidates, newest first.
///
/// Those of its studies are listed with these.
#[utoipa::path(
    get, path = "/searches/{id}/tunings", operation_id = "listTunings", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the search"), PageQuery),
    responses(
        (status = 200, description = "One page of tunings", body = Page<Tuning>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Page<Tuning>>, Problem> {
    let found = state.store.tunings().list(id, &page.request()?).await?;
    Ok(Answer(Page::of(found, |tuning| state.outages.shown(tuning).into())))
}

/// Get a tuning.
#[utoipa::path(
    get, path = "/tunings/{id}", operation_id = "getTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 200, description = "The tuning", body = Tuning),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Answer<Tuning>, Problem> {
    let tuning = state.store.tunings().get(id).await?;
    Ok(Answer(state.outages.shown(tuning).into()))
}

/// List a tuning's epochs.
#[utoipa::path(
    get, path = "/tunings/{id}/epochs", operation_id = "listEpochs", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 200, description = "The epochs so far", body = EpochList),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn epochs(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<EpochList>, Problem> {
    Ok(Answer(EpochList { items: store.tunings().epochs(id).await? }))
}

/// Pause a tuning.
///
/// A queued tuning is paused at once, a running one within a second: its worker takes the next job, and what it has done since its
/// last snapshot, at most a minute's work, is done again. `POST /tunings/{id}/retry` goes on with it. The other tunings of its race
/// wait for it at the end of their rung.
#[utoipa::path(
    post, path = "/tunings/{id}/pause", operation_id = "pauseTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 200, description = "The tuning is paused", body = Tuning),
        (status = 202, description = "The worker was asked to stop", body = Tuning),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The tuning has ended already, or waits for the others of its race", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn pause(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Tuning>), Problem> {
    let tuning = Tuning::from(store.tunings().pause(id).await?);
    let status = if tuning.state == TuningState::Paused { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Answer(tuning)))
}

/// Cancel a tuning.
///
/// A queued tuning ends at once, a running one within a second. Its epochs and its last snapshot are kept.
#[utoipa::path(
    post, path = "/tunings/{id}/cancel", operation_id = "cancelTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 200, description = "The tuning is cancelled", body = Tuning),
        (status = 202, description = "The worker was asked to stop", body = Tuning),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The tuning has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Tuning>), Problem> {
    let tuning = Tuning::from(store.tunings().cancel(id).await?);
    let status = if tuning.state == TuningState::Cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Answer(tuning)))
}

/// Resume a tuning.
///
/// A paused, failed or cancelled tuning goes on from its last snapshot, and ends with the weights that it would have without the
/// interruption: to the last bit on the CPU with the same number of threads. One that is out of a race is trained to its end, and
/// stays out of it.
#[utoipa::path(
    post, path = "/tunings/{id}/retry", operation_id = "retryTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 202, description = "The tuning is queued again", body = Tuning),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The tuning is queued, running, about to pause or has succeeded", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Tuning>), Problem> {
    Ok((StatusCode::ACCEPTED, Answer(store.tunings().retry(id).await?.into())))
}

/// Delete a tuning with its epochs, snapshot and checkpoints. A running tuning is stopped. The candidate stays.
#[utoipa::path(
    delete, path = "/tunings/{id}", operation_id = "deleteTuning", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 204, description = "The tuning is deleted"),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.tunings().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Export a tuned candidate.
///
/// A tuning has one checkpoint per format and, for ONNX, `opset`. Those in TorchScript, ONNX and safetensors are asked for when it
/// succeeds, unless it is part of a study. Asking again returns the existing one, or queues one that failed or whose file is damaged.
#[utoipa::path(
    post, path = "/tunings/{id}/checkpoints", operation_id = "createTunedCheckpoint", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    request_body = TunedCheckpointRequest,
    responses(
        (status = 200, description = "The checkpoint exists already", body = Checkpoint),
        (status = 202, description = "The export is queued or running", body = Checkpoint,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The tuning has not succeeded", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn export(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(request): Json<TunedCheckpointRequest>,
) -> Result<Response, Problem> {
    Ok(answered(store.checkpoints().request_tuned(id, wanted(request.format, request.opset)?).await?.into()))
}

/// List a tuning's checkpoints.
#[utoipa::path(
    get, path = "/tunings/{id}/checkpoints", operation_id = "listTunedCheckpoints", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the tuning")),
    responses(
        (status = 200, description = "The checkpoints, at most one per format and, for ONNX, `opset`", body = CheckpointList),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn exports(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<CheckpointList>, Problem> {
    let found = store.checkpoints().of_tuning(id).await?;
    Ok(Answer(CheckpointList { items: found.into_iter().map(Checkpoint::from).collect() }))
}

//! Checkpoints: candidates, tuned or not, as files.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::optional::not_null;
use eagleeye_spec::{CandidateWeights, DEFAULT_ONNX_OPSET, ONNX_OPSETS};
use eagleeye_store::{self as store, Store};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::files::{Disposition, StoredFile, download};
use crate::extract::{Json, Path};
use crate::problem::{FieldError, Kind, Problem};

/// File formats of exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointFormat {
    TorchScript,
    Onnx,
    /// Weights only.
    Safetensors,
    /// A zip archive for PyTorch: the weights by the names of the original class's `state_dict`, a Python file `rebuild.py` that
    /// gives an instance of that class the widths that are left, and the model card. Only for candidates that differ from the
    /// original class in widths alone; the export of any other fails and says at which node.
    #[serde(rename = "state_dict")]
    StateDict,
}

/// Which weights an export has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointWeights {
    /// The candidate's, with adaptive batch norm.
    Adapted,
    /// The candidate's, repaired.
    Repaired,
    /// Those of a tuning.
    Tuned,
}

/// State of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointState {
    Queued,
    Running,
    /// The file can be downloaded.
    Ready,
    Failed,
}

/// A candidate as a file. It was read back and compared with the engine's own output before it became `ready`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Checkpoint {
    pub id: Uuid,
    pub candidate_id: Uuid,
    /// The tuning of the candidate that the weights are from. Null if they are not from one.
    #[schema(required)]
    pub tuning_id: Option<Uuid>,
    pub weights: CheckpointWeights,
    pub format: CheckpointFormat,
    /// Version of ONNX's operators in an ONNX file. Null for other formats.
    #[schema(required)]
    pub opset: Option<u32>,
    pub state: CheckpointState,
    /// Size of the file. Null until it is ready.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// BLAKE3 of the file. Null until it is ready.
    #[schema(required)]
    pub hash: Option<String>,
    /// SHA-256 of the file, as `sha256sum` prints it. Null until it is ready, and for a file of an older version.
    #[schema(required)]
    pub sha256: Option<String>,
    /// Largest absolute difference between the outputs of the file and of the engine. Null until it is ready.
    #[schema(required)]
    pub max_difference: Option<f64>,
    /// Why the export failed. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    /// What the export is waiting for, as a phrase that completes "waiting for". Null if nothing.
    #[schema(required)]
    pub waiting_for: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// An export to be queued.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckpointRequest {
    pub format: CheckpointFormat,
    #[serde(default)]
    #[schema(default = "adapted")]
    pub weights: CandidateWeights,
    /// Version of ONNX's operators, for ONNX files; 17 if omitted. A network with an operation that the version has no operator
    /// for cannot be exported in it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 13, maximum = 21, nullable = false)]
    pub opset: Option<u32>,
}

/// An export of a tuning to be queued.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TunedCheckpointRequest {
    pub format: CheckpointFormat,
    /// Version of ONNX's operators, for ONNX files; 17 if omitted. A network with an operation that the version has no operator
    /// for cannot be exported in it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(minimum = 13, maximum = 21, nullable = false)]
    pub opset: Option<u32>,
}

/// All checkpoints of a candidate or a tuning: at most one per format, `weights` and, for ONNX, `opset`, so the list is never
/// paged.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckpointList {
    pub items: Vec<Checkpoint>,
}

impl CheckpointFormat {
    fn ending(self) -> &'static str {
        match self {
            CheckpointFormat::TorchScript => "pt",
            CheckpointFormat::Onnx => "onnx",
            CheckpointFormat::Safetensors => "safetensors",
            CheckpointFormat::StateDict => "zip",
        }
    }
}

/// The format, with the version of its operators.
///
/// # Errors
/// A version that is none, or one of another format.
pub(super) fn wanted(format: CheckpointFormat, opset: Option<u32>) -> Result<store::CheckpointFormat, Problem> {
    let refused = |detail: String| Err(Problem::fields(vec![FieldError { field: "opset".to_owned(), detail }]));
    match (format, opset) {
        (CheckpointFormat::Onnx, Some(opset)) if !ONNX_OPSETS.contains(&opset) => {
            refused(format!("must be from {} to {}", ONNX_OPSETS.start(), ONNX_OPSETS.end()))
        }
        (CheckpointFormat::Onnx, opset) => Ok(store::CheckpointFormat::onnx(opset.unwrap_or(DEFAULT_ONNX_OPSET))),
        (_, Some(_)) => refused("is for the format `onnx` alone".to_owned()),
        (CheckpointFormat::TorchScript, None) => Ok(store::CheckpointFormat::TorchScript),
        (CheckpointFormat::Safetensors, None) => Ok(store::CheckpointFormat::Safetensors),
        (CheckpointFormat::StateDict, None) => Ok(store::CheckpointFormat::StateDict),
    }
}

impl From<store::CheckpointFormat> for CheckpointFormat {
    fn from(format: store::CheckpointFormat) -> Self {
        match format {
            store::CheckpointFormat::TorchScript => CheckpointFormat::TorchScript,
            store::CheckpointFormat::Onnx | store::CheckpointFormat::OnnxAt(_) => CheckpointFormat::Onnx,
            store::CheckpointFormat::Safetensors => CheckpointFormat::Safetensors,
            store::CheckpointFormat::StateDict => CheckpointFormat::StateDict,
        }
    }
}

impl From<store::CheckpointWeights> for CheckpointWeights {
    fn from(weights: store::CheckpointWeights) -> Self {
        match weights {
            store::CheckpointWeights::Adapted => CheckpointWeights::Adapted,
            store::CheckpointWeights::Repaired => CheckpointWeights::Repaired,
            store::CheckpointWeights::Tuned => CheckpointWeights::Tuned,
        }
    }
}

impl From<store::Checkpoint> for Checkpoint {
    fn from(checkpoint: store::Checkpoint) -> Self {
        let state = match checkpoint.state {
            store::CheckpointState::Queued => CheckpointState::Queued,
            store::CheckpointState::Running => CheckpointState::Running,
            store::CheckpointState::Ready => CheckpointState::Ready,
            store::CheckpointState::Failed => CheckpointState::Failed,
        };
        Checkpoint {
            id: checkpoint.id,
            candidate_id: checkpoint.candidate_id,
            tuning_id: checkpoint.tuning_id,
            weights: checkpoint.weights.into(),
            format: checkpoint.format.into(),
            opset: checkpoint.format.opset(),
            state,
            bytes: checkpoint.bytes,
            hash: checkpoint.hash.map(String::from),
            sha256: checkpoint.sha256.map(String::from),
            max_difference: checkpoint.max_difference,
            error: checkpoint.error,
            waiting_for: checkpoint.waiting_for,
            created_at: checkpoint.created_at,
        }
    }
}

/// Export a candidate.
///
/// A candidate has one checkpoint per format, `weights` and, for ONNX, `opset`: asking again returns the existing one, or
/// queues one that failed or whose file is damaged. Any candidate can be exported repaired, whether the search has scored it so
/// or not.
#[utoipa::path(
    post, path = "/candidates/{id}/checkpoints", operation_id = "createCheckpoint", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the candidate")),
    request_body = CheckpointRequest,
    responses(
        (status = 200, description = "The checkpoint exists already", body = Checkpoint),
        (status = 202, description = "The export is queued or running", body = Checkpoint,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The candidate does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(request): Json<CheckpointRequest>,
) -> Result<Response, Problem> {
    let format = wanted(request.format, request.opset)?;
    Ok(answered(store.checkpoints().request(id, request.weights, format).await?.into()))
}

/// The answer to a request for a checkpoint.
pub(super) fn answered(checkpoint: Checkpoint) -> Response {
    let status = match checkpoint.state {
        CheckpointState::Ready => StatusCode::OK,
        CheckpointState::Queued | CheckpointState::Running | CheckpointState::Failed => StatusCode::ACCEPTED,
    };
    let location = format!("{BASE}/checkpoints/{}", checkpoint.id);
    (status, [(header::LOCATION, location)], Answer(checkpoint)).into_response()
}

/// List a candidate's checkpoints.
#[utoipa::path(
    get, path = "/candidates/{id}/checkpoints", operation_id = "listCheckpoints", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the candidate")),
    responses(
        (status = 200, description = "The checkpoints, at most one per format, `weights` and, for ONNX, `opset`", body = CheckpointList),
        (status = 404, description = "The candidate does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<CheckpointList>, Problem> {
    let found = store.checkpoints().of_candidate(id).await?;
    Ok(Answer(CheckpointList { items: found.into_iter().map(Checkpoint::from).collect() }))
}

/// Get a checkpoint.
#[utoipa::path(
    get, path = "/checkpoints/{id}", operation_id = "getCheckpoint", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the checkpoint")),
    responses(
        (status = 200, description = "The checkpoint", body = Checkpoint),
        (status = 404, description = "The checkpoint does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<Checkpoint>, Problem> {
    Ok(Answer(store.checkpoints().get(id).await?.into()))
}

/// Download a checkpoint's file.
#[utoipa::path(
    get, path = "/checkpoints/{id}/file", operation_id = "downloadCheckpoint", tag = "checkpoints",
    params(("id" = Uuid, Path, description = "Id of the checkpoint")),
    responses(
        (status = 200, description = "The file; byte ranges and `If-None-Match` are supported", body = [u8], content_type = "application/octet-stream",
            headers(("Repr-Digest" = Option<String>, description = "SHA-256 of the whole file, as RFC 9530 has it, where it is known"))),
        (status = 206, description = "The requested byte range", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "The client's copy is current"),
        (status = 404, description = "The checkpoint does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The file is not ready, or its export failed", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`If-Match` names another version", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The byte range lies outside the file", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn file(State(store): State<Store>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Response, Problem> {
    let checkpoint = store.checkpoints().get(id).await?;
    let hash = ready_file(&checkpoint)?;
    let candidate = store.candidates().get(checkpoint.candidate_id).await?;
    let model = store.models().get(store.searches().get(candidate.search_id).await?.model_id).await?;
    let name = format!("{}-{}", model.name, file_name(&candidate, &checkpoint));
    let (sha256, media_type, owner) = (checkpoint.sha256, "application/octet-stream", checkpoint.owner());
    let file = StoredFile { hash, sha256, media_type, owner };
    download(&store, file, Disposition::Attachment(&name), &headers).await
}

/// The hash of a checkpoint's file.
///
/// # Errors
/// [`Kind::NotReady`] where there is none yet, or its export has failed.
pub(crate) fn ready_file(checkpoint: &store::Checkpoint) -> Result<&store::FileHash, Problem> {
    let hash = checkpoint.hash.as_ref().filter(|_| checkpoint.state == store::CheckpointState::Ready);
    hash.ok_or_else(|| not_ready(checkpoint.clone().into()))
}

/// What a checkpoint's file is called, without the model that was pruned: `candidate-3-tuned.pt`.
pub(crate) fn file_name(candidate: &store::Candidate, checkpoint: &store::Checkpoint) -> String {
    let weights = match checkpoint.weights {
        store::CheckpointWeights::Adapted => "",
        store::CheckpointWeights::Repaired => "-repaired",
        store::CheckpointWeights::Tuned => "-tuned",
    };
    let opset = checkpoint.format.opset().filter(|opset| *opset != DEFAULT_ONNX_OPSET);
    let opset = opset.map(|opset| format!("-opset{opset}")).unwrap_or_default();
    let ending = CheckpointFormat::from(checkpoint.format).ending();
    format!("candidate-{}{weights}{opset}.{ending}", candidate.index)
}

fn not_ready(checkpoint: Checkpoint) -> Problem {
    let Checkpoint { id, error, .. } = checkpoint;
    Problem::new(
        Kind::NotReady,
        match error {
            Some(error) => format!("the export of checkpoint {id} failed: {error}; ask for it again to repeat it"),
            None => format!("checkpoint {id} is not exported yet; look again until its state is `ready`"),
        },
    )
}

//! Pipelines: stages of pruning, each of which begins with what the one before it has made.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::name::name_in;
use eagleeye_spec::{EvaluationKind, ImageSet, PipelineRequest, Score, score_of};
use eagleeye_store::{self as store, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::paging::{Page, PageQuery};
use super::searches::checked;
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::pipelines::{cancel_work, retry_work};
use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// State of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PipelineState {
    /// Its last stage is at work, or waits for a worker.
    Running,
    /// What the last stage has made is a file.
    Succeeded,
    /// Something in its last stage has failed. What was made stays.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

/// Stages of pruning.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Pipeline {
    pub id: Uuid,
    pub state: PipelineState,
    /// What was asked for, with the defaults filled in.
    pub request: PipelineRequest,
    /// Those that have begun, in their order.
    pub stages: Vec<Stage>,
    /// Why it failed or was cancelled. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a stage consists of, as far as it has come. What is named here may have been deleted.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Stage {
    /// The network that is pruned: the request's, or what the stage before has made.
    pub model_id: Uuid,
    #[schema(required)]
    pub search_id: Option<Uuid>,
    /// The search's winner. Null until there is one.
    #[schema(required)]
    pub candidate_id: Option<Uuid>,
    /// Null before the winner is fine-tuned, and where none is.
    #[schema(required)]
    pub tuning_id: Option<Uuid>,
    /// What the next stage begins with, or what the pipeline ends with. Null until it is asked for.
    #[schema(required)]
    pub checkpoint_id: Option<Uuid>,
    /// Fraction of the first network's MACs that the winner keeps. Null until there is one.
    #[schema(required)]
    pub macs: Option<f64>,
    /// Of what the stage has come to so far, on the validation images: tuned, else repaired, else adapted.
    #[schema(required)]
    pub score: Option<Score>,
    /// Of what the stage has come to, on the test images.
    #[schema(required)]
    pub test: Option<Score>,
}

impl From<store::PipelineState> for PipelineState {
    fn from(state: store::PipelineState) -> Self {
        match state {
            store::PipelineState::Queued | store::PipelineState::Running | store::PipelineState::Paused => {
                PipelineState::Running
            }
            store::PipelineState::Succeeded => PipelineState::Succeeded,
            store::PipelineState::Failed => PipelineState::Failed,
            store::PipelineState::Cancelled => PipelineState::Cancelled,
        }
    }
}

/// Queue a pipeline.
///
/// Each stage is a search for the stage's budget, whose winner is repaired, fine-tuned if the request says how, and a model again
/// that the next stage prunes further. Its searches, tunings, checkpoints and models can be looked at like any other.
#[utoipa::path(
    post, path = "/pipelines", operation_id = "createPipeline", tag = "pipelines",
    request_body = PipelineRequest,
    responses(
        (status = 202, description = "The pipeline has begun", body = Pipeline,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, or the first stage's search is, as for a new search", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(state): State<AppState>,
    Json(mut request): Json<PipelineRequest>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(request.faults());
    faults.add_invalid_within("search", request.search_faults());
    faults.add_invalid_within("tune", request.tune_faults());
    faults.into_result()?;
    // Fields of the search are named as the first stage's search names them.
    for mut asked in [request.search_of(0, request.search.model_id, 1.0), request.smallest()] {
        checked(&state, &mut asked).await.map_err(|problem| problem.within("search", &["macs"]))?;
    }
    request.search.name = request.search.name.as_deref().and_then(name_in).map(str::to_owned);
    let pipeline = shown(&state.store, state.store.pipelines().create(&request).await?).await?;
    let location = format!("{BASE}/pipelines/{}", pipeline.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(pipeline)).into_response())
}

/// List pipelines, newest first.
#[utoipa::path(
    get, path = "/pipelines", operation_id = "listPipelines", tag = "pipelines",
    params(PageQuery),
    responses(
        (status = 200, description = "One page of pipelines", body = Page<Pipeline>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Page<Pipeline>>, Problem> {
    let store::Page { items: found, next_cursor } = store.pipelines().list(&page.request()?).await?;
    let mut items = Vec::with_capacity(found.len());
    for pipeline in found {
        items.push(shown(&store, pipeline).await?);
    }
    Ok(Answer(Page { items, next_cursor }))
}

/// Get a pipeline.
#[utoipa::path(
    get, path = "/pipelines/{id}", operation_id = "getPipeline", tag = "pipelines",
    params(("id" = Uuid, Path, description = "Id of the pipeline")),
    responses(
        (status = 200, description = "The pipeline", body = Pipeline),
        (status = 404, description = "The pipeline does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<Pipeline>, Problem> {
    let pipeline = store.pipelines().get(id).await?;
    Ok(Answer(shown(&store, pipeline).await?))
}

/// Cancel a pipeline.
///
/// What is at work in it ends within a second. What was made stays.
#[utoipa::path(
    post, path = "/pipelines/{id}/cancel", operation_id = "cancelPipeline", tag = "pipelines",
    params(("id" = Uuid, Path, description = "Id of the pipeline")),
    responses(
        (status = 200, description = "The pipeline is cancelled", body = Pipeline),
        (status = 404, description = "The pipeline does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The pipeline has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Answer<Pipeline>, Problem> {
    let pipeline = state.store.pipelines().end(id, store::PipelineState::Cancelled, None).await?;
    if pipeline.state != store::PipelineState::Cancelled {
        return Err(Problem::new(Kind::Conflict, format!("pipeline {id} has ended and can no longer be cancelled")));
    }
    cancel_work(&state, &pipeline).await?;
    Ok(Answer(shown(&state.store, pipeline).await?))
}

/// Resume a pipeline.
///
/// What failed or was cancelled in its last stage is queued again and goes on from where it ended.
#[utoipa::path(
    post, path = "/pipelines/{id}/retry", operation_id = "retryPipeline", tag = "pipelines",
    params(("id" = Uuid, Path, description = "Id of the pipeline")),
    responses(
        (status = 202, description = "The pipeline goes on", body = Pipeline),
        (status = 404, description = "The pipeline does not exist, or something in its last stage has been deleted", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The pipeline is running or has succeeded, or a file that it needs is missing", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Answer<Pipeline>), Problem> {
    let pipeline = state.store.pipelines().get(id).await?;
    if matches!(pipeline.state, store::PipelineState::Failed | store::PipelineState::Cancelled) {
        retry_work(&state, &pipeline).await?;
    }
    let pipeline = state.store.pipelines().reopen(id).await?;
    Ok((StatusCode::ACCEPTED, Answer(shown(&state.store, pipeline).await?)))
}

/// Delete a pipeline. What is at work in it is stopped; its models, searches, tunings and checkpoints stay.
#[utoipa::path(
    delete, path = "/pipelines/{id}", operation_id = "deletePipeline", tag = "pipelines",
    params(("id" = Uuid, Path, description = "Id of the pipeline")),
    responses(
        (status = 204, description = "The pipeline is deleted"),
        (status = 404, description = "The pipeline does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    let pipeline = state.store.pipelines().get(id).await?;
    if !pipeline.state.is_final() {
        let stopped = state.store.pipelines().end(id, store::PipelineState::Cancelled, None).await?;
        cancel_work(&state, &stopped).await?;
    }
    state.store.pipelines().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A pipeline with what its stages have come to.
async fn shown(store: &Store, pipeline: store::Pipeline) -> Result<Pipeline, Problem> {
    let first = unless_deleted(store.models().get(pipeline.request.search.model_id).await)?;
    let first = first.map(|model| model.figures.macs);
    let mut stages = Vec::with_capacity(pipeline.stages.len());
    for stage in &pipeline.stages {
        stages.push(stage_of(store, stage, first).await?);
    }
    Ok(Pipeline {
        id: pipeline.id,
        state: pipeline.state.into(),
        request: pipeline.request,
        stages,
        error: pipeline.error,
        created_at: pipeline.created_at,
        finished_at: pipeline.finished_at,
    })
}

async fn stage_of(store: &Store, stage: &store::PipelineStage, first_macs: Option<u64>) -> Result<Stage, Problem> {
    let search = match stage.search_id {
        Some(id) => unless_deleted(store.searches().get(id).await)?,
        None => None,
    };
    let candidate_id = search.and_then(|search| search.best_candidate_id);
    let candidate = match candidate_id {
        Some(id) => unless_deleted(store.candidates().get(id).await)?,
        None => None,
    };
    let tuning = match stage.tuning_id {
        Some(id) => unless_deleted(store.tunings().get(id).await)?,
        None => None,
    };
    let result = tuning.and_then(|tuning| tuning.result);
    let (score, test) = match (&result, &candidate) {
        (Some(result), _) => (Some(result.validation), result.test),
        (None, Some(candidate)) => scores(candidate),
        (None, None) => (None, None),
    };
    let store::PipelineStage { model_id, search_id, tuning_id, checkpoint_id } = *stage;
    let macs = candidate.as_ref().zip(first_macs).map(|(candidate, first)| candidate.macs as f64 / first as f64);
    Ok(Stage { model_id, search_id, candidate_id, tuning_id, checkpoint_id, macs, score, test })
}

/// On the scoring and on the test images: repaired where that was done, else adapted.
fn scores(candidate: &store::Candidate) -> (Option<Score>, Option<Score>) {
    let scored = |kind| [ImageSet::Scoring, ImageSet::Test].map(|set| score_of(&candidate.evaluations, kind, set));
    let [repaired, adapted] = [EvaluationKind::Repaired, EvaluationKind::Adapted].map(scored);
    let [score, test] = if repaired[0].is_some() { repaired } else { adapted };
    (score, test)
}

/// What is shown of something that may have been deleted.
fn unless_deleted<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Ok(thing) => Ok(Some(thing)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

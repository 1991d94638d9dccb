//! Searches: queued, followed, cancelled.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::name::name_in;
use eagleeye_spec::{Baseline, FieldFault, SearchRequest};
use eagleeye_store::{self as store, Store, StoreError};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::names::{SearchRenaming, checked_name};
use super::paging::{Page, PageQuery};
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::problem::{Kind, Problem};
use crate::request_check;
use crate::state::AppState;

/// State of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchState {
    /// Waits for a worker.
    Queued,
    /// A worker is on it.
    Running,
    /// All candidates are scored, and nothing says that the scores are wrong.
    Succeeded,
    /// Ended with an error; or the full network is no better than chance on the scoring images; or the best candidate
    /// is above the full network by more than the noise, which a wrong preprocessing brings about. Candidates stay.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

/// A pruning search.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Search {
    pub id: Uuid,
    #[schema(required)]
    pub name: Option<String>,
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    pub state: SearchState,
    /// What was asked for, with the defaults filled in.
    pub request: SearchRequest,
    pub progress: Progress,
    /// The unpruned network on the same images. Null until it has been scored.
    #[schema(required)]
    pub baseline: Option<Baseline>,
    /// The candidate with the best score. Null until all are scored, and for a search that has not succeeded.
    #[schema(required)]
    pub best_candidate_id: Option<Uuid>,
    /// How many images are used for what. Null until the search has begun.
    #[schema(required)]
    pub split: Option<SplitCounts>,
    /// Why it failed. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    /// What it has to wait for before it can go on, as a phrase that completes "waiting for". Null where nothing but a
    /// free worker is missing.
    #[schema(required, example = "space on the disk of the database")]
    pub waiting_for: Option<String>,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// Progress of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Progress {
    /// What is being done, in one or two words.
    #[schema(example = "candidates")]
    pub phase: String,
    /// Completed steps of the phase.
    pub done: u64,
    /// Steps of the phase.
    pub total: u64,
}

/// How the dataset is divided. The parts never overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SplitCounts {
    /// Images for adaptive batch norm.
    pub calibration: u32,
    /// Images for scores.
    pub scoring: u32,
    /// Images that no candidate has seen.
    pub test: u32,
}

impl From<store::SearchState> for SearchState {
    fn from(state: store::SearchState) -> Self {
        match state {
            store::SearchState::Queued => SearchState::Queued,
            store::SearchState::Running => SearchState::Running,
            store::SearchState::Succeeded => SearchState::Succeeded,
            store::SearchState::Failed => SearchState::Failed,
            store::SearchState::Cancelled => SearchState::Cancelled,
        }
    }
}

impl From<store::Search> for Search {
    fn from(search: store::Search) -> Self {
        let split = search.split.map(|split| SplitCounts {
            calibration: split.calibration,
            scoring: split.scoring,
            test: split.test,
        });
        let store::Progress { phase, done, total } = search.progress;
        Search {
            id: search.id,
            name: search.name,
            model_id: search.model_id,
            dataset_id: search.dataset_id,
            state: search.state.into(),
            request: search.request,
            progress: Progress { phase, done, total },
            baseline: search.baseline,
            best_candidate_id: search.best_candidate_id,
            split,
            error: search.error,
            waiting_for: search.waiting_for,
            created_at: search.created_at,
            started_at: search.started_at,
            finished_at: search.finished_at,
        }
    }
}

/// Queue a search.
#[utoipa::path(
    post, path = "/searches", operation_id = "createSearch", tag = "searches",
    request_body = SearchRequest,
    responses(
        (status = 202, description = "The search is queued", body = Search,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, the model or dataset does not exist, they do not match, \
            there are not enough images, or the budget is out of reach", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(state): State<AppState>,
    Json(mut request): Json<SearchRequest>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    for FieldFault { field, detail } in request.faults() {
        faults.add(Kind::InvalidField, field, detail.to_owned());
    }
    let model = named(Kind::UnknownModel, "model_id", state.store.models().get(request.model_id).await, &mut faults)?;
    let found = state.store.datasets().get(request.dataset_id).await;
    let dataset = named(Kind::UnknownDataset, "dataset_id", found, &mut faults)?;
    request_check::check(&state, &request, model.as_ref(), dataset.as_ref(), &mut faults).await?;
    faults.into_result()?;

    request.name = request.name.as_deref().and_then(name_in).map(str::to_owned);
    let search = Search::from(state.store.searches().create(request).await?);
    let location = format!("{BASE}/searches/{}", search.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(search)).into_response())
}

/// What a field of the body names. A 404 would be about the address, so what is missing is a fault of the field.
fn named<T>(kind: Kind, field: &str, found: Result<T, StoreError>, faults: &mut Faults) -> Result<Option<T>, Problem> {
    match found {
        Ok(thing) => Ok(Some(thing)),
        Err(error @ StoreError::NotFound { .. }) => {
            faults.add(kind, field, error.to_string());
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// List searches, newest first.
#[utoipa::path(
    get, path = "/searches", operation_id = "listSearches", tag = "searches",
    params(PageQuery),
    responses(
        (status = 200, description = "One page of searches", body = Page<Search>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(state): State<AppState>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Page<Search>>, Problem> {
    let found = state.store.searches().list(&page.request()?).await?;
    Ok(Answer(Page::of(found, |search| state.outages.shown(search).into())))
}

/// Get a search.
#[utoipa::path(
    get, path = "/searches/{id}", operation_id = "getSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 200, description = "The search", body = Search),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Answer<Search>, Problem> {
    let search = state.store.searches().get(id).await?;
    Ok(Answer(state.outages.shown(search).into()))
}

/// Rename a search, or remove its name.
#[utoipa::path(
    patch, path = "/searches/{id}", operation_id = "changeSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    request_body = SearchRenaming,
    responses(
        (status = 200, description = "The changed search", body = Search),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(change): Json<SearchRenaming>,
) -> Result<Answer<Search>, Problem> {
    let name = change.name.as_deref().map(checked_name).transpose()?;
    Ok(Answer(store.searches().rename(id, name).await?.into()))
}

/// Cancel a search.
///
/// A queued search ends at once, a running one within a second. Its candidates are kept.
#[utoipa::path(
    post, path = "/searches/{id}/cancel", operation_id = "cancelSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 200, description = "The search is cancelled", body = Search),
        (status = 202, description = "The worker was asked to stop", body = Search),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Search>), Problem> {
    let search = Search::from(store.searches().cancel(id).await?);
    let status = if search.state == SearchState::Cancelled { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Answer(search)))
}

/// Retry a search.
///
/// A failed or cancelled search continues where it ended: its candidates are kept, and the leaderboard becomes that of
/// a search that was never interrupted.
#[utoipa::path(
    post, path = "/searches/{id}/retry", operation_id = "retrySearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 202, description = "The search is queued again", body = Search),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search is queued, running or has succeeded, or a file of its model or \
            dataset is missing", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Search>), Problem> {
    Ok((StatusCode::ACCEPTED, Answer(store.searches().retry(id).await?.into())))
}

/// Delete a search with its candidates and checkpoints. A running search is stopped.
#[utoipa::path(
    delete, path = "/searches/{id}", operation_id = "deleteSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 204, description = "The search is deleted"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.searches().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

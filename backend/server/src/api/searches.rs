//! Searches: queued, followed, paused, cancelled.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::name::name_in;
use eagleeye_spec::{Baseline, GroupKeep, Keep, LatencyModel, Limits, SearchExtension, SearchRequest, Warning};
use eagleeye_store::{self as store, Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::names::{SearchRenaming, checked_name};
use super::paging::{Page, PageQuery};
use crate::extract::{Json, Path, Query, read};
use crate::faults::Faults;
use crate::problem::{FieldError, Kind, Problem};
use crate::request_check::{self, known_before};
use crate::state::AppState;

/// State of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchState {
    /// Waits for a worker.
    Queued,
    /// A worker is on it.
    Running,
    /// Somebody has paused it. It goes on when it is resumed.
    Paused,
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
    /// The winner of the first budget. Null until all are scored, and for a search that has not succeeded.
    #[schema(required)]
    pub best_candidate_id: Option<Uuid>,
    /// The best candidate of each budget, in their order. Empty until all are scored.
    pub winners: Vec<Winner>,
    /// The budgets that were asked for, by whose places candidates name theirs.
    pub budgets: Vec<Limits>,
    /// What should be known about its scores: found before, while and after candidates were evaluated.
    pub warnings: Vec<Warning>,
    /// The model that predicts the latency of strategies, for budgets of latency. Null before networks were measured for it,
    /// and where no budget limits the latency.
    #[schema(required)]
    pub latency_model: Option<LatencyModel>,
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

/// The best candidate of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Winner {
    /// The budget's place among the search's. Null for candidates that are for none.
    #[schema(required)]
    pub budget: Option<u32>,
    pub candidate_id: Uuid,
}

/// How the dataset is divided. The parts never overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SplitCounts {
    /// Images for adaptive batch norm.
    pub calibration: u64,
    /// Images for scores.
    pub scoring: u64,
    /// Images that winners are scored on at the end: no strategy is chosen by them, and nothing is trained on them.
    pub test: u64,
}

impl From<store::SearchState> for SearchState {
    fn from(state: store::SearchState) -> Self {
        match state {
            store::SearchState::Queued => SearchState::Queued,
            store::SearchState::Running => SearchState::Running,
            store::SearchState::Paused => SearchState::Paused,
            store::SearchState::Succeeded => SearchState::Succeeded,
            store::SearchState::Failed => SearchState::Failed,
            store::SearchState::Cancelled => SearchState::Cancelled,
        }
    }
}

impl From<store::Winner> for Winner {
    fn from(winner: store::Winner) -> Self {
        let store::Winner { budget, candidate_id } = winner;
        Winner { budget, candidate_id }
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
        let budgets = search.request.budgets().iter().map(Limits::of).collect();
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
            winners: search.winners.into_iter().map(Winner::from).collect(),
            budgets,
            warnings: search.warnings,
            latency_model: search.latency_model,
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
pub async fn create(State(state): State<AppState>, Json(request): Json<SearchRequest>) -> Result<Response, Problem> {
    queue(&state, request).await
}

/// Checks a request and queues the search.
async fn queue(state: &AppState, mut request: SearchRequest) -> Result<Response, Problem> {
    let (model, dataset) = checked(state, &mut request).await?;
    request.name = request.name.as_deref().and_then(name_in).map(str::to_owned);
    let warnings = known_before(model.as_ref(), dataset.as_ref());
    let search = Search::from(state.store.searches().create_warned(request, &warnings).await?);
    let location = format!("{BASE}/searches/{}", search.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(search)).into_response())
}

/// What a request names, which fits; strategies of the user's own that begin with a candidate are written out.
pub(crate) async fn checked(
    state: &AppState,
    request: &mut SearchRequest,
) -> Result<(Option<store::Model>, Option<store::Dataset>), Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(request.faults());
    let (model, dataset) = subjects(state, request, &mut faults).await?;
    write_out(state, request, &mut faults).await?;
    request_check::check(state, request, model.as_ref(), dataset.as_ref(), &mut faults).await?;
    faults.into_result()?;
    Ok((model, dataset))
}

/// Replaces the candidates that strategies of the user's own begin with by what these keep.
async fn write_out(state: &AppState, request: &mut SearchRequest, faults: &mut Faults) -> Result<(), Problem> {
    let model_id = request.model_id;
    for (place, manual) in request.manual.iter_mut().enumerate() {
        let Some(id) = manual.candidate_id.take() else { continue };
        let field = format!("manual.{place}.candidate_id");
        let candidate = match state.store.candidates().get(id).await {
            Ok(candidate) => candidate,
            Err(error @ StoreError::NotFound { .. }) => {
                faults.add(Kind::InvalidField, &field, error.to_string());
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if state.store.searches().get(candidate.search_id).await?.model_id != model_id {
            faults.add(Kind::InvalidField, &field, "is a candidate of another model".to_owned());
        }
        for GroupKeep { group, kept, .. } in candidate.groups {
            manual.groups.entry(group).or_insert(Keep::Units(u32::try_from(kept).unwrap_or(u32::MAX)));
        }
    }
    Ok(())
}

/// Queue a search like another one, with changes.
///
/// The body has the fields that differ; the others are those of the search, but for its name.
#[utoipa::path(
    post, path = "/searches/{id}/clone", operation_id = "cloneSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search to begin with")),
    request_body(content = SearchChanges, description = "Fields of a search request"),
    responses(
        (status = 202, description = "The search is queued", body = Search,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The changed request is invalid, as for a new search", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn clone(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Json(changes): Json<SearchChanges>,
) -> Result<Response, Problem> {
    let search = state.store.searches().get(id).await?;
    let request = SearchRequest { name: None, ..search.request };
    queue(&state, changes.applied_to(&request)?).await
}

/// Fields of a search request that are to be others.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(value_type = Object, example = json!({ "macs": 0.3, "seed": 1 }))]
pub struct SearchChanges(serde_json::Map<String, serde_json::Value>);

impl SearchChanges {
    fn applied_to(self, request: &SearchRequest) -> Result<SearchRequest, Problem> {
        let document = serde_json::to_value(request).map_err(|error| Problem::internal(error.to_string()))?;
        let serde_json::Value::Object(mut fields) = document else { return Ok(request.clone()) };
        fields.extend(self.0);
        read::<SearchRequest>(serde_json::Value::Object(fields))
    }
}

/// Add candidates, strategies or budgets to a search that has ended.
///
/// What is evaluated is kept. The search is queued again, and when it ends its winners are those of all that was evaluated.
#[utoipa::path(
    post, path = "/searches/{id}/extend", operation_id = "extendSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    request_body = SearchExtension,
    responses(
        (status = 202, description = "The search is queued again", body = Search),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has not ended, or a file of its model or dataset is missing",
            body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The extended request is invalid, as for a new search", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn extend(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Json(extension): Json<SearchExtension>,
) -> Result<(StatusCode, Answer<Search>), Problem> {
    let search = state.store.searches().get(id).await?;
    let mut request = search.request.extended(&extension);
    // The same extension once more, while the first is at work, is a conflict.
    let has_ended = search.state.is_final();
    if has_ended && request == search.request.extended(&SearchExtension::default()) {
        let detail = "must be more than before, or there must be further strategies or budgets".to_owned();
        return Err(Problem::fields(vec![FieldError { field: "candidates".to_owned(), detail }]));
    }
    if request.candidates < search.request.candidates {
        let detail = format!("must be at least {}, as before", search.request.candidates);
        return Err(Problem::fields(vec![FieldError { field: "candidates".to_owned(), detail }]));
    }
    checked(&state, &mut request).await?;
    Ok((StatusCode::ACCEPTED, Answer(state.store.searches().extend(id, &request).await?.into())))
}

/// The model and the dataset that a request names; one that does not exist is a fault.
pub(super) async fn subjects(
    state: &AppState,
    request: &SearchRequest,
    faults: &mut Faults,
) -> Result<(Option<store::Model>, Option<store::Dataset>), Problem> {
    let model = named(Kind::UnknownModel, "model_id", state.store.models().get(request.model_id).await, faults)?;
    let found = state.store.datasets().get(request.dataset_id).await;
    Ok((model, named(Kind::UnknownDataset, "dataset_id", found, faults)?))
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

/// Pause a search.
///
/// A queued search is paused at once, a running one within a second: its worker takes the next job. Its candidates are kept, and
/// `POST /searches/{id}/retry` goes on with it.
#[utoipa::path(
    post, path = "/searches/{id}/pause", operation_id = "pauseSearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 200, description = "The search is paused", body = Search),
        (status = 202, description = "The worker was asked to stop", body = Search),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn pause(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Search>), Problem> {
    let search = Search::from(store.searches().pause(id).await?);
    let status = if search.state == SearchState::Paused { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Answer(search)))
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

/// Resume a search.
///
/// A paused, failed or cancelled search continues where it stopped: its candidates are kept, and the leaderboard becomes that of
/// a search that was never interrupted.
#[utoipa::path(
    post, path = "/searches/{id}/retry", operation_id = "retrySearch", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 202, description = "The search is queued again", body = Search),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search is queued, running, about to pause or has succeeded, or a file of its model or \
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

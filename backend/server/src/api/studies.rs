//! Studies: which evaluation predicts the accuracy after fine-tuning.

use std::collections::BTreeMap;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::{Candidate, StudyRequest};
use eagleeye_store::{self as store, Store};
use eagleeye_study::members;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::paging::{Page, PageQuery};
use super::tunings::TuningState;
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::problem::Problem;
use crate::state::AppState;
use crate::study_report::{ReportedStudy, StudyDocument};

/// State of a study, which is that of its tunings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StudyState {
    /// None of its tunings has begun.
    Queued,
    /// Some of its tunings have not ended.
    Running,
    /// All of its tunings that have not ended are paused.
    Paused,
    /// All its tunings have succeeded.
    Succeeded,
    /// All have ended, and some have failed. The report leaves their candidates out.
    Failed,
    /// All have ended, and some because somebody asked for it.
    Cancelled,
}

/// Candidates of a search that are fine-tuned from several seeds each.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Study {
    pub id: Uuid,
    pub search_id: Uuid,
    pub state: StudyState,
    /// What was asked for, with the defaults filled in.
    pub request: StudyRequest,
    /// Its tunings, in the order of their candidates and then of the seeds.
    pub members: Vec<StudyMember>,
    pub created_at: DateTime<Utc>,
    /// When the first of its tunings began.
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    /// When the last of its tunings ended. Null before.
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// One fine-tuning of a study.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StudyMember {
    /// It has the epochs; its files are exported on request.
    pub tuning_id: Uuid,
    pub candidate_id: Uuid,
    /// The candidate's number in its search, from 0.
    pub index: u32,
    pub seed: u64,
    pub state: TuningState,
    /// Why it failed. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    /// What it has to wait for before it can go on. Null otherwise.
    #[schema(required)]
    pub waiting_for: Option<String>,
}

impl From<store::TuningState> for StudyState {
    fn from(state: store::TuningState) -> Self {
        match state {
            store::TuningState::Queued => StudyState::Queued,
            store::TuningState::Running => StudyState::Running,
            store::TuningState::Paused => StudyState::Paused,
            store::TuningState::Succeeded => StudyState::Succeeded,
            store::TuningState::Failed => StudyState::Failed,
            store::TuningState::Cancelled => StudyState::Cancelled,
        }
    }
}

impl From<store::Study> for Study {
    fn from(study: store::Study) -> Self {
        let (state, members) = (study.state(), &study.members);
        let last = members.iter().filter_map(|member| member.finished_at).max();
        Study {
            state: state.into(),
            started_at: members.iter().filter_map(|member| member.started_at).min(),
            finished_at: last.filter(|_| state.is_final()),
            id: study.id,
            search_id: study.search_id,
            request: study.request,
            members: study.members.into_iter().map(StudyMember::from).collect(),
            created_at: study.created_at,
        }
    }
}

impl From<store::StudyMember> for StudyMember {
    fn from(member: store::StudyMember) -> Self {
        StudyMember {
            tuning_id: member.tuning_id,
            candidate_id: member.candidate_id,
            index: member.index,
            seed: member.seed,
            state: member.state.into(),
            error: member.error,
            waiting_for: member.waiting_for,
        }
    }
}

/// Study which evaluation predicts the accuracy after fine-tuning.
///
/// Candidates of each budget of a search are fine-tuned from several seeds. The report says how well each of their evaluations
/// agrees with what became of them. For scores that can be compared let the search evaluate all its candidates in every way: without
/// `racing`, and with `repaired`, `short_tuned` and `vanilla_images` as large as they may be.
#[utoipa::path(
    post, path = "/searches/{id}/studies", operation_id = "createStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the search")),
    request_body = StudyRequest,
    responses(
        (status = 202, description = "The tunings are queued", body = Study,
            headers(("Location" = String, description = "Where to look for the study"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has not succeeded, or has no candidates to compare", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, or there would be too many fine-tunings", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(request): Json<StudyRequest>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(request.faults());
    faults.add_invalid_within("options", request.option_faults());
    faults.into_result()?;
    let stored = store.candidates().all(id).await?;
    let ids: BTreeMap<u32, Uuid> = stored.iter().map(|candidate| (candidate.index, candidate.id)).collect();
    let known: Vec<Candidate> = stored.into_iter().map(Candidate::from).collect();
    let chosen = members(&known, request.candidates as usize);
    let chosen: Vec<Uuid> = chosen.iter().filter_map(|member| ids.get(&member.index).copied()).collect();
    let study = Study::from(store.studies().create(id, &request, &chosen).await?);
    let location = format!("{BASE}/studies/{}", study.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(study)).into_response())
}

/// List the studies of a search, newest first.
#[utoipa::path(
    get, path = "/searches/{id}/studies", operation_id = "listStudies", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the search"), PageQuery),
    responses(
        (status = 200, description = "One page of studies", body = Page<Study>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Page<Study>>, Problem> {
    let found = store.studies().list(id, &page.request()?).await?;
    Ok(Answer(Page::of(found, Study::from)))
}

/// Get a study.
#[utoipa::path(
    get, path = "/studies/{id}", operation_id = "getStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The study", body = Study),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<Study>, Problem> {
    Ok(Answer(store.studies().get(id).await?.into()))
}

/// Get a study's report.
///
/// For each budget: the correlation of each evaluation with the accuracy after fine-tuning, with intervals; what a choice by it costs;
/// how well two fine-tunings agree, which is the most that could be predicted; and whether anything is decided. A study that is running
/// has a report of the candidates whose fine-tunings have all succeeded.
#[utoipa::path(
    get, path = "/studies/{id}/report", operation_id = "getStudyReport", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The report", body = ReportedStudy),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn report(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Answer<ReportedStudy>, Problem> {
    Ok(Answer(StudyDocument::of(&state.store, &state.analyses, id).await?.report()))
}

/// Get a study's report as a document.
#[utoipa::path(
    get, path = "/studies/{id}/report.md", operation_id = "getStudyReportAsMarkdown", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The report in Markdown", body = String, content_type = "text/markdown"),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn markdown(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let text = StudyDocument::of(&state.store, &state.analyses, id).await?.markdown();
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

/// Get a study's figure.
///
/// Each figure that is known before fine-tuning against the accuracy after it, a panel for each, budget by budget.
#[utoipa::path(
    get, path = "/studies/{id}/figure.svg", operation_id = "getStudyFigure", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The figure", body = String, content_type = "image/svg+xml"),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn figure(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let svg = StudyDocument::of(&state.store, &state.analyses, id).await?.figure().map_err(Problem::internal)?;
    Ok(([(header::CONTENT_TYPE, "image/svg+xml")], svg).into_response())
}

/// Pause a study.
///
/// Its tunings that have not ended are paused: those that are running stop within a second. `POST /studies/{id}/retry` goes on with
/// them.
#[utoipa::path(
    post, path = "/studies/{id}/pause", operation_id = "pauseStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The study is paused, or will be when its tunings have stopped", body = Study),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The study has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn pause(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<Study>, Problem> {
    Ok(Answer(store.studies().pause(id).await?.into()))
}

/// Cancel a study.
///
/// Its tunings that have not ended are cancelled: those that are running end within a second. What they have done is kept.
#[utoipa::path(
    post, path = "/studies/{id}/cancel", operation_id = "cancelStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 200, description = "The study is cancelled, or will be when its tunings have stopped", body = Study),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The study has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<Study>, Problem> {
    Ok(Answer(store.studies().cancel(id).await?.into()))
}

/// Resume a study.
///
/// Tunings that are paused, have failed or were cancelled go on from their last snapshots.
#[utoipa::path(
    post, path = "/studies/{id}/retry", operation_id = "retryStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 202, description = "The tunings are queued again", body = Study),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No tuning is paused, has failed or was cancelled", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn retry(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<(StatusCode, Answer<Study>), Problem> {
    Ok((StatusCode::ACCEPTED, Answer(store.studies().retry(id).await?.into())))
}

/// Delete a study with all its tunings and their files. Running tunings are stopped. The candidates stay.
#[utoipa::path(
    delete, path = "/studies/{id}", operation_id = "deleteStudy", tag = "studies",
    params(("id" = Uuid, Path, description = "Id of the study")),
    responses(
        (status = 204, description = "The study is deleted"),
        (status = 404, description = "The study does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.studies().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

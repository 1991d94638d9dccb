//! Tuning races: several candidates that are trained further, of whom one wins.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::{Score, TuningRaceRequest, TuningRung};
use eagleeye_store::{self as store, Store};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::paging::{Page, PageQuery};
use super::tunings::TuningState;
use crate::extract::{Json, Path, Query};
use crate::faults::Faults;
use crate::problem::Problem;

/// State of a tuning race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TuningRaceState {
    /// None of its tunings has begun.
    Queued,
    /// Its tunings are trained.
    Running,
    /// One has won.
    Succeeded,
    /// No candidate is left, and of those that were the last some have failed.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

/// Several candidates of a search that are trained further. After each rung the better half goes on, by the validation images.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TuningRace {
    pub id: Uuid,
    pub search_id: Uuid,
    pub state: TuningRaceState,
    /// What was asked for, with the defaults filled in.
    pub request: TuningRaceRequest,
    /// The parts of the race, in their order.
    pub rungs: Vec<TuningRung>,
    /// Its candidates, best first.
    pub members: Vec<TuningRaceMember>,
    /// The tuning that has won. Null until the race has succeeded, and where that tuning was deleted.
    #[schema(required)]
    pub winner_id: Option<Uuid>,
    /// Why it failed. Null otherwise.
    #[schema(required)]
    pub error: Option<String>,
    /// Grows with every change of the race, but not with those of its tunings.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

/// A candidate in a race.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TuningRaceMember {
    /// Its tuning, which has its epochs and, if it was trained to the end, its files.
    pub tuning_id: Uuid,
    pub candidate_id: Uuid,
    /// The candidate's number in its search, from 0.
    pub index: u32,
    /// The tuning's.
    pub state: TuningState,
    /// The last rung that it is or was in, from 0.
    pub rung: u32,
    /// Epochs that it was trained for in the race.
    pub epochs: u32,
    /// Its score on the validation images after the last of these. Null before the first.
    #[schema(required)]
    pub validation: Option<Score>,
    /// True if it can no longer win: others were better, it has failed, or it was cancelled.
    pub is_out: bool,
}

impl From<store::RaceState> for TuningRaceState {
    fn from(state: store::RaceState) -> Self {
        match state {
            store::RaceState::Queued => TuningRaceState::Queued,
            // Its tunings may be paused, the race itself is not.
            store::RaceState::Running | store::RaceState::Paused => TuningRaceState::Running,
            store::RaceState::Succeeded => TuningRaceState::Succeeded,
            store::RaceState::Failed => TuningRaceState::Failed,
            store::RaceState::Cancelled => TuningRaceState::Cancelled,
        }
    }
}

impl From<store::TuningRace> for TuningRace {
    fn from(race: store::TuningRace) -> Self {
        TuningRace {
            id: race.id,
            search_id: race.search_id,
            state: race.state.into(),
            request: race.request,
            rungs: race.rungs,
            members: race.members.into_iter().map(TuningRaceMember::from).collect(),
            winner_id: race.winner_id,
            error: race.error,
            revision: race.revision,
            created_at: race.created_at,
            started_at: race.started_at,
            finished_at: race.finished_at,
        }
    }
}

impl From<store::RaceMember> for TuningRaceMember {
    fn from(member: store::RaceMember) -> Self {
        TuningRaceMember {
            tuning_id: member.tuning_id,
            candidate_id: member.candidate_id,
            index: member.index,
            state: member.state.into(),
            rung: member.rung,
            epochs: member.epochs,
            validation: member.validation,
            is_out: member.is_out,
        }
    }
}

/// Fine-tune several candidates.
///
/// The best candidates of a search share a number of epochs by successive halving: all are trained to the end of the first rung,
/// the better half by the validation images to the end of the next one, and so on. The last one is trained as it would be alone.
/// Each candidate has a tuning of its own.
#[utoipa::path(
    post, path = "/searches/{id}/tuning-races", operation_id = "createTuningRace", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the search")),
    request_body = TuningRaceRequest,
    responses(
        (status = 202, description = "The tunings are queued", body = TuningRace,
            headers(("Location" = String, description = "Where to look for the race"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The search has not succeeded", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, the search has too few candidates, or there are too few epochs for \
            them", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Json(request): Json<TuningRaceRequest>,
) -> Result<Response, Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(request.faults());
    faults.add_invalid_within("options", request.option_faults());
    faults.into_result()?;
    let race = TuningRace::from(store.tuning_races().create(id, &request).await?);
    let location = format!("{BASE}/tuning-races/{}", race.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Answer(race)).into_response())
}

/// List the tuning races of a search, newest first.
#[utoipa::path(
    get, path = "/searches/{id}/tuning-races", operation_id = "listTuningRaces", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the search"), PageQuery),
    responses(
        (status = 200, description = "One page of races", body = Page<TuningRace>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Query(page): Query<PageQuery>,
) -> Result<Answer<Page<TuningRace>>, Problem> {
    let found = store.tuning_races().list(id, &page.request()?).await?;
    Ok(Answer(Page::of(found, TuningRace::from)))
}

/// Get a tuning race.
#[utoipa::path(
    get, path = "/tuning-races/{id}", operation_id = "getTuningRace", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the race")),
    responses(
        (status = 200, description = "The race", body = TuningRace),
        (status = 404, description = "The race does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<TuningRace>, Problem> {
    Ok(Answer(store.tuning_races().get(id).await?.into()))
}

/// Cancel a tuning race.
///
/// Its tunings that have not ended are cancelled: those that are running end within a second. Their epochs and snapshots are kept,
/// and each can be resumed by itself.
#[utoipa::path(
    post, path = "/tuning-races/{id}/cancel", operation_id = "cancelTuningRace", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the race")),
    responses(
        (status = 200, description = "The race is cancelled", body = TuningRace),
        (status = 404, description = "The race does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The race has ended already", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn cancel(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Answer<TuningRace>, Problem> {
    Ok(Answer(store.tuning_races().cancel(id).await?.into()))
}

/// Delete a tuning race with all its tunings and their files. Running tunings are stopped. The candidates stay.
#[utoipa::path(
    delete, path = "/tuning-races/{id}", operation_id = "deleteTuningRace", tag = "tunings",
    params(("id" = Uuid, Path, description = "Id of the race")),
    responses(
        (status = 204, description = "The race is deleted"),
        (status = 404, description = "The race does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.tuning_races().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

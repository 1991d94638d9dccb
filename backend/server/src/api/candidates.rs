//! Candidates: pruned networks that a search has evaluated.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use eagleeye_spec::{Evaluation, EvaluationKind, GroupKeep, ImageSet, RANKING, Score, score_of};
use eagleeye_store::{self as store, CandidateSort, Store};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::paging::{Page, PageQuery};
use crate::extract::{Path, Query};
use crate::problem::Problem;

/// A pruned network.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Candidate {
    pub id: Uuid,
    pub search_id: Uuid,
    /// Number of the strategy, from 0. It depends on the search's seed and on this number only.
    pub index: u32,
    /// What each channel group keeps, as counts of units: `kept` of `size`.
    pub groups: Vec<GroupKeep>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// The score that candidates are ranked by: on the scoring images, with adaptive batch norm.
    pub score: Score,
    /// The same network with the unpruned network's batch-norm statistics. Null if there are none.
    #[schema(required)]
    pub score_without_adaptation: Option<Score>,
    /// Every score of the candidate, those two among them. There may be further kinds in time.
    pub evaluations: Vec<Evaluation>,
    /// Duration of all evaluations.
    pub seconds: f64,
    pub created_at: DateTime<Utc>,
}

impl From<store::Candidate> for Candidate {
    fn from(candidate: store::Candidate) -> Self {
        let unadapted = score_of(&candidate.evaluations, EvaluationKind::Unadapted, ImageSet::Scoring);
        Candidate {
            id: candidate.id,
            search_id: candidate.search_id,
            index: candidate.index,
            groups: candidate.groups,
            macs: candidate.macs,
            parameters: candidate.parameters,
            score: candidate.score,
            score_without_adaptation: unadapted,
            evaluations: candidate.evaluations,
            seconds: candidate.seconds,
            created_at: candidate.created_at,
        }
    }
}

/// The order of a list of candidates.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrderQuery {
    /// Key to sort by, with a leading minus for descending order. Ties are sorted by index. `rank` is best first, by all the
    /// criteria in the operation's `x-ranking`.
    #[serde(default = "by_index")]
    #[param(
        pattern = "^-?(rank|index|top1|top5|cross_entropy|macs|parameters|seconds)$",
        default = "index",
        example = "rank"
    )]
    sort: String,
}

fn by_index() -> String {
    "index".to_owned()
}

/// List a search's candidates.
#[utoipa::path(
    get, path = "/searches/{id}/candidates", operation_id = "listCandidates", tag = "candidates",
    params(("id" = Uuid, Path, description = "Id of the search"), OrderQuery, PageQuery),
    extensions(("x-ranking" = json!(RANKING))),
    responses(
        (status = 200, description = "One page of the candidates evaluated so far", body = Page<Candidate>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Candidate>>, Problem> {
    let sort: CandidateSort = order.sort.parse()?;
    let found = store.candidates().list(id, sort, &page.request()?).await?;
    Ok(Json(Page::of(found, Candidate::from)))
}

/// Get a candidate.
#[utoipa::path(
    get, path = "/candidates/{id}", operation_id = "getCandidate", tag = "candidates",
    params(("id" = Uuid, Path, description = "Id of the candidate")),
    responses(
        (status = 200, description = "The candidate", body = Candidate),
        (status = 404, description = "The candidate does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Json<Candidate>, Problem> {
    Ok(Json(store.candidates().get(id).await?.into()))
}

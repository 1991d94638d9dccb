//! Candidates: pruned networks that a search has evaluated.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use eagleeye_spec::{
    Evaluation, EvaluationKind, GroupKeep, ImageSet, Intervals, Latency, Origin, RANKED_IMAGES, RANKED_KIND, RANKING,
    Score, evaluation_of, score_of,
};
use eagleeye_store::{self as store, CandidateSort, PageRequest, Store, Which};
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
    /// Its number in the search, from 0, in the order of evaluation.
    pub index: u32,
    /// Which strategy proposed it, and for which budget.
    pub origin: Origin,
    /// What each channel group keeps, as counts of units: `kept` of `size`.
    pub groups: Vec<GroupKeep>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of its weights and statistics in single precision. Null for candidates of older versions.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// The score that candidates are ranked by: on the scoring images, with adaptive batch norm.
    pub score: Score,
    /// Scoring images that this score is from. In a race the better candidates are scored on more.
    pub scored_images: u64,
    /// Between which bounds it lies, with 95% confidence.
    pub intervals: Intervals,
    /// True if it cannot be told from the best candidate of its budget: the exact McNemar test on the images that both were
    /// scored on is not below 0.05. Null for probes and for candidates of older versions.
    #[schema(required)]
    pub is_tied: Option<bool>,
    /// The score on the test images, which no strategy was chosen by; the best candidate of each strategy and budget has one.
    #[schema(required)]
    pub test_score: Option<Score>,
    /// Measured on the exported network, the full network in turn with it; the best candidates have some.
    pub latencies: Vec<Latency>,
    /// The same network with the unpruned network's batch-norm statistics. Null if there are none.
    #[schema(required)]
    pub score_without_adaptation: Option<Score>,
    /// Every score of the candidate, those two among them. There may be further kinds in time.
    pub evaluations: Vec<Evaluation>,
    /// From its strategy to its first score. Evaluations that come later, as of a race, say what they took themselves.
    pub seconds: f64,
    pub created_at: DateTime<Utc>,
}

impl From<store::Candidate> for Candidate {
    fn from(candidate: store::Candidate) -> Self {
        let unadapted = score_of(&candidate.evaluations, EvaluationKind::Unadapted, ImageSet::Scoring);
        let test_score = score_of(&candidate.evaluations, EvaluationKind::Adapted, ImageSet::Test);
        let scored_images =
            evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES).map_or(0, |ranked| ranked.images);
        Candidate {
            id: candidate.id,
            search_id: candidate.search_id,
            index: candidate.index,
            origin: candidate.origin,
            groups: candidate.groups,
            macs: candidate.macs,
            parameters: candidate.parameters,
            bytes: candidate.bytes,
            score: candidate.score,
            scored_images,
            intervals: Intervals::of(&candidate.score, scored_images),
            is_tied: candidate.is_tied,
            test_score,
            latencies: candidate.latencies,
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
        pattern = "^-?(rank|index|images|top1|top5|cross_entropy|macs|parameters|seconds)$",
        default = "index",
        example = "rank"
    )]
    sort: String,
    /// Only those that this strategy has proposed.
    #[serde(default)]
    #[param(max_length = 64, example = "uniform")]
    strategy: Option<String>,
    /// Only those for this budget, by its place among the search's budgets.
    #[serde(default)]
    #[param(minimum = 0, maximum = 2_147_483_647u32)]
    budget: Option<u32>,
    /// Probes too, which are evaluated for what they say about other strategies.
    #[serde(default)]
    #[param(default = false)]
    probes: bool,
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
    Ok(Json(Page::of(found(&store, id, order, page.request()?).await?, Candidate::from)))
}

/// The candidates of a search that a request asks for.
pub(super) async fn found(
    store: &Store,
    id: Uuid,
    order: OrderQuery,
    page: PageRequest,
) -> Result<store::Page<store::Candidate>, Problem> {
    let sort: CandidateSort = order.sort.parse()?;
    let which = Which { strategy: order.strategy, budget: order.budget, probes: order.probes };
    Ok(store.candidates().list_of(id, &which, sort, &page).await?)
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

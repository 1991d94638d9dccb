//! Candidates as rows: what tables and charts of thousands show of each, in a fifth of the bytes.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use eagleeye_spec::{
    EvaluationKind, ImageSet, Interval, Intervals, Latency, Origin, RANKED_IMAGES, RANKED_KIND, RANKING, Score,
    evaluation_of, score_of,
};
use eagleeye_store::{self as store, Store};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::candidates::{OrderQuery, found};
use super::paging::{LongPageQuery, Page};
use crate::extract::{Path, Query};
use crate::problem::Problem;

/// A candidate in short: what tells it from the others of its search. Its fields mean what those of a Candidate do.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CandidateRow {
    pub id: Uuid,
    /// Its number in the search, from 0, in the order of evaluation.
    pub index: u32,
    pub origin: Origin,
    /// Units that each prunable channel group keeps, in the order of the model's `groups`.
    pub kept: Vec<u32>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    #[schema(required)]
    pub bytes: Option<u64>,
    pub score: RowScore,
    pub scored_images: u64,
    pub intervals: RowIntervals,
    #[schema(required)]
    pub is_tied: Option<bool>,
    #[schema(required)]
    pub test_score: Option<RowScore>,
    #[schema(required)]
    pub score_without_adaptation: Option<RowScore>,
    /// Scores on scoring images of other kinds than those above, as that of the repaired network, each from most images.
    pub evaluations: Vec<RowEvaluation>,
    pub latencies: Vec<Latency>,
    pub seconds: f64,
    pub created_at: DateTime<Utc>,
}

/// What a network was scored, in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RowScore {
    /// Fraction of images whose class has the highest output.
    pub top1: f64,
    /// Fraction of images whose class is among the five highest outputs.
    pub top5: f64,
    /// Mean cross-entropy in nats. Null where it is not finite.
    #[schema(required)]
    pub cross_entropy: Option<f64>,
}

/// Between which bounds a score lies, with 95% confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RowIntervals {
    /// Wilson's interval.
    pub top1: Interval,
}

/// One more score of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct RowEvaluation {
    pub kind: EvaluationKind,
    pub image_set: ImageSet,
    pub images: u64,
    pub score: RowScore,
}

/// Kinds of evaluations that a row has fields for.
const SHOWN_ABOVE: [EvaluationKind; 2] = [EvaluationKind::Adapted, EvaluationKind::Unadapted];

impl From<Score> for RowScore {
    fn from(Score { top1, top5, cross_entropy, .. }: Score) -> Self {
        RowScore { top1, top5, cross_entropy }
    }
}

impl From<store::Candidate> for CandidateRow {
    fn from(candidate: store::Candidate) -> Self {
        let scored = |kind, set| evaluation_of(&candidate.evaluations, kind, set);
        let scored_images = scored(RANKED_KIND, RANKED_IMAGES).map_or(0, |ranked| ranked.images);
        let score = |kind, set| score_of(&candidate.evaluations, kind, set).map(RowScore::from);
        let others = EvaluationKind::ALL.into_iter().filter(|kind| !SHOWN_ABOVE.contains(kind));
        let others = others.filter_map(|kind| scored(kind, ImageSet::Scoring)).map(|one| RowEvaluation {
            kind: one.kind,
            image_set: one.image_set,
            images: one.images,
            score: one.score.into(),
        });
        CandidateRow {
            score: candidate.score.into(),
            scored_images,
            intervals: RowIntervals { top1: Intervals::of(&candidate.score, scored_images).top1 },
            test_score: score(EvaluationKind::Adapted, ImageSet::Test),
            score_without_adaptation: score(EvaluationKind::Unadapted, ImageSet::Scoring),
            evaluations: others.collect(),
            id: candidate.id,
            index: candidate.index,
            origin: candidate.origin,
            kept: candidate.strategy,
            macs: candidate.macs,
            parameters: candidate.parameters,
            bytes: candidate.bytes,
            is_tied: candidate.is_tied,
            latencies: candidate.latencies,
            seconds: candidate.seconds,
            created_at: candidate.created_at,
        }
    }
}

/// List a search's candidates in short.
///
/// As `listCandidates`, with a fifth of the bytes for each: what a table or a chart of all of them needs.
#[utoipa::path(
    get, path = "/searches/{id}/candidates/rows", operation_id = "listCandidateRows", tag = "candidates",
    params(("id" = Uuid, Path, description = "Id of the search"), OrderQuery, LongPageQuery),
    extensions(("x-ranking" = json!(RANKING))),
    responses(
        (status = 200, description = "One page of the candidates evaluated so far", body = Page<CandidateRow>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    Query(order): Query<OrderQuery>,
    Query(page): Query<LongPageQuery>,
) -> Result<Json<Page<CandidateRow>>, Problem> {
    Ok(Json(Page::of(found(&store, id, order, page.request()?).await?, CandidateRow::from)))
}

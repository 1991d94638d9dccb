//! What a search says of the networks that it evaluates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::evaluation::{Evaluation, Intervals, Score, evaluation_of};
use crate::hits::Hits;
use crate::ranking::{RANKED_IMAGES, RANKED_KIND, Ranked};
use crate::request::StrategyName;

/// The unpruned network on the scoring images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Baseline {
    pub score: Score,
    /// Its intervals. Null for searches of older versions that were never split.
    #[schema(required)]
    pub intervals: Option<Intervals>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of its weights and statistics; null for searches of older versions.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// Its score on the test images. Null where none were asked for or left over.
    #[schema(required)]
    pub test: Option<Score>,
    /// Which of the scoring images it classified correctly. Absent in answers.
    #[serde(skip)]
    #[schema(ignore)]
    pub hits: Option<Hits>,
}

/// What a channel group keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupKeep {
    /// The group's name.
    pub group: String,
    /// Units of the full network.
    pub size: u64,
    /// Units that stay.
    pub kept: u64,
}

/// A strategy that a search has evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its number in the search, from 0, in the order of evaluation.
    pub index: u32,
    /// Where it comes from.
    pub origin: Origin,
    /// Units kept of each prunable group, in the graph's order.
    pub strategy: Vec<u32>,
    /// The same with names and sizes.
    pub groups: Vec<GroupKeep>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of its weights and statistics.
    pub bytes: Option<u64>,
    pub evaluations: Vec<Evaluation>,
    /// Time that its first evaluation took, of all kinds.
    pub seconds: f64,
}

/// Which strategy proposed a candidate, and for what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Origin {
    /// The strategy that proposed it.
    pub strategy: StrategyName,
    /// The budget that it was proposed for, by its place among the search's budgets. Null where it is for none: a strategy of
    /// the user's own, or one of a front.
    #[schema(required)]
    pub budget: Option<u32>,
    /// Its number among those of the strategy and budget, from 0.
    pub number: u32,
    /// Evaluated for what it says about other strategies: it need not meet the budget and cannot win.
    pub is_probe: bool,
}

impl Candidate {
    /// What its place among the search's candidates depends on; `None` where it lacks the evaluation that they are ranked by.
    pub fn ranked(&self) -> Option<Ranked> {
        let evaluation = evaluation_of(&self.evaluations, RANKED_KIND, RANKED_IMAGES)?;
        Some(Ranked { index: self.index, images: evaluation.images, score: evaluation.score })
    }
}

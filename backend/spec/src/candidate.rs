//! What a search says of the networks that it evaluates.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::evaluation::{Evaluation, Score, score_of};
use crate::ranking::{RANKED_IMAGES, RANKED_KIND, Ranked};

/// The unpruned network on the scoring images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Baseline {
    pub score: Score,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
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
    /// Which strategy of the search it is, from 0.
    pub index: u32,
    /// Units kept of each prunable group, in the graph's order.
    pub strategy: Vec<u32>,
    /// The same with names and sizes.
    pub groups: Vec<GroupKeep>,
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    pub evaluations: Vec<Evaluation>,
    /// Time that all of it took.
    pub seconds: f64,
}

impl Candidate {
    /// What its place among the search's candidates depends on; `None` where it lacks the evaluation that they are ranked by.
    pub fn ranked(&self) -> Option<Ranked> {
        let score = score_of(&self.evaluations, RANKED_KIND, RANKED_IMAGES)?;
        Some(Ranked { index: self.index, score })
    }
}

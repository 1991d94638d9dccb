//! Proposers: who says which strategies a search evaluates next.
//!
//! A proposer is a pure function of the task and of what has been evaluated, in order of index: a search that is taken up again
//! replays it, and proposes to the last count what it would have proposed without the interruption.

use eagleeye_graph::Strategy;
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Score, Space};

use crate::PROPOSERS;
use crate::error::StrategyError;

/// What strategies are proposed for.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    pub prunable: &'a PrunableSpace,
    pub space: Space,
    pub budget: &'a Budget,
    /// Everything random derives from it.
    pub seed: u64,
}

/// A strategy that was proposed before, and how it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    pub strategy: Strategy,
    /// The score that candidates are ranked by.
    pub score: Score,
}

/// A way to choose strategies.
#[derive(Debug)]
pub struct Proposer {
    /// What requests call it.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The most strategies that it has to propose; `None`: as many as are asked for.
    pub most: Option<u32>,
    /// The next strategies, given all that were evaluated before; none when there is nothing left to propose.
    pub propose: fn(&Task, &[Evaluated]) -> Result<Vec<Strategy>, StrategyError>,
}

/// The proposer of a name.
pub fn proposer(name: &str) -> Result<&'static Proposer, StrategyError> {
    let known = || PROPOSERS.iter().map(|proposer| proposer.name).collect();
    let found = PROPOSERS.iter().copied().find(|proposer| proposer.name == name);
    found.ok_or_else(|| StrategyError::Unknown { name: name.to_owned(), known: known() })
}

//! Random keep ratios under a budget (EagleEye, section 3.2).
//!
//! The paper's code draws keep ratios and throws them away until the cost happens to fit: 29 draws for each accepted candidate
//! of MobileNetV1 at 50%, 408 of ResNet-50 at 25%. Here a draw gives a direction, and its length is bisected on the cost
//! arithmetic, so that every draw is accepted.

use eagleeye_graph::Strategy;
use rand::Rng;

use crate::error::StrategyError;
use crate::landing::land;
use crate::proposer::{Proposer, Task};
use crate::ratios::{DIRECTIONS, Stream, generator};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "random",
    summary: "Draws a keep ratio for each channel group at random, and prunes further or less along the draw until the \
              budget is met. Candidate k depends on the seed and k alone.",
    most: None,
    has_budget: true,
    has_fronts: false,
    preview: None,
    adaptation: None,
    propose: |task, history| Ok(vec![draw(task, history.len() as u64)?.into()]),
};

/// Draws strategy `index` of the sequence that the seed names. It depends on nothing else.
///
/// Keep ratios are uniform as in the paper, then moved together along the line to the full network until the budget is met.
/// Where rounding leaves so few strategies that none of the directions leads to one, it is strategy 0 once more: a search whose
/// first draw meets the budget never fails at a later one.
pub fn draw(task: &Task, index: u64) -> Result<Strategy, StrategyError> {
    match land_from(task, index) {
        Err(StrategyError::TooCoarse { .. }) if index > 0 => land_from(task, 0),
        landed => landed,
    }
}

fn land_from(task: &Task, index: u64) -> Result<Strategy, StrategyError> {
    let mut rng = generator(task, Stream::Random, index);
    land(task, DIRECTIONS, |groups| (0..groups).map(|_| rng.random::<f64>().max(1e-6)).collect())
}

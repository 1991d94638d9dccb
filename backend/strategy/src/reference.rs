//! The search of the paper's published code, to compare others with: keep ratios drawn from a range, thrown away until the cost
//! happens to be the budget, and running statistics by an exponential average.

use eagleeye_graph::Strategy;
use eagleeye_spec::{Adaptation, TOLERANCE};
use rand::Rng;

use crate::choices::{MULTIPLES, choices};
use crate::costs::Costs;
use crate::error::StrategyError;
use crate::landing::land;
use crate::proposer::{Evaluated, Proposal, Proposer, Task};
use crate::random::draw;
use crate::ratios::{Stream, generator};
use crate::reach::check;

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "reference",
    summary: "The published code of the EagleEye paper: draws the keep ratio of each channel group between the smallest one \
              allowed and 1, throws the draw away unless its cost is within 1% of the budget (about 30 draws for each \
              candidate of MobileNetV1 at 50%, 400 for ResNet-50 at 25%, at most 100,000), and adapts running statistics by \
              an exponential average of 100 batches. Candidate k depends on the seed and k alone.",
    most: None,
    has_budget: true,
    has_fronts: false,
    // That a draw is accepted can take long to find out; what comes instead after too many is a random strategy.
    preview: Some(draw),
    adaptation: Some(Adaptation::paper),
    propose,
};

/// Draws for one candidate before the last one is moved onto the budget.
const DRAWS: usize = 100_000;

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    check(task)?;
    let index = history.len() as u64;
    let landed = match accepted(task, index) {
        Ok(strategy) => strategy,
        Err(ratios) => moved(task, index, ratios)?,
    };
    Ok(vec![landed.into()])
}

/// The first draw that meets the budget, or else the keep ratios of the first draw.
fn accepted(task: &Task, index: u64) -> Result<Strategy, Vec<f64>> {
    let (groups, space) = (&task.prunable.groups, &task.space);
    let (costs, choices) = (Costs::new(task), choices(groups, space, MULTIPLES[0]));
    let mut rng = generator(task, Stream::Reference, index);
    let mut ratios = || -> Vec<f64> { groups.iter().map(|_| rng.random_range(space.min_keep_ratio..=1.0)).collect() };
    let first = ratios();
    let mut keep: Vec<usize> = choices.iter().zip(&first).map(|(choice, &ratio)| choice.nearest(ratio)).collect();
    for _ in 1..DRAWS {
        if costs.distance(&keep) <= TOLERANCE {
            return Ok(Strategy { keep });
        }
        for (kept, (choice, ratio)) in keep.iter_mut().zip(choices.iter().zip(ratios())) {
            *kept = choice.nearest(ratio);
        }
    }
    Err(first)
}

/// Where no draw meets the budget: the first one moved onto it, and where rounding forbids that, what a random search has.
fn moved(task: &Task, index: u64, ratios: Vec<f64>) -> Result<Strategy, StrategyError> {
    let direction = || ratios.iter().map(|ratio| (1.0 - ratio).max(1e-6)).collect();
    match land(task, 1, |_| direction()) {
        Err(StrategyError::TooCoarse { .. }) => draw(task, index),
        landed => landed,
    }
}

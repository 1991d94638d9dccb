//! Random keep ratios around the uniform strategy.
//!
//! Keep ratios uniform in [0.1, 1] waste most draws on networks with a bottleneck: of MobileNetV1 at 25% of the multiply-adds,
//! the uniform strategy ends level with the best of 15 random ones after fine-tuning. Better ones are rather near it.

use eagleeye_graph::Strategy;
use rand_chacha::ChaCha8Rng;

use crate::error::StrategyError;
use crate::landing::{land, uniform_ratio};
use crate::proposer::{Evaluated, Proposal, Proposer, Task};
use crate::ratios::{DIRECTIONS, Stream, fresh, generator, normal, towards};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "near_uniform",
    summary: "Starts from the fraction that the uniform strategy keeps of every channel group, and varies it at random from \
              group to group: some candidates a little, others by a third or more, some from the first layers to the last.",
    most: None,
    has_budget: true,
    has_fronts: false,
    preview: None,
    adaptation: None,
    propose,
};

/// Standard deviations of the logarithms of keep ratios, one after the other.
const SPREADS: [f64; 4] = [0.1, 0.2, 0.07, 0.35];

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    let mut rng = generator(task, Stream::NearUniform, history.len() as u64);
    let next = fresh(history, |attempt| draw(task, &mut rng, history.len(), attempt))?;
    Ok(next.into_iter().map(Proposal::from).collect())
}

/// A strategy around the uniform one. How wide the draw goes depends on `index`; after failed attempts it goes wider.
pub(crate) fn draw(
    task: &Task,
    rng: &mut ChaCha8Rng,
    index: usize,
    attempt: usize,
) -> Result<Strategy, StrategyError> {
    let ratio = uniform_ratio(task)?;
    let spread = SPREADS[index % SPREADS.len()] * (1.0 + attempt as f64 / 8.0);
    let is_tilted = index / SPREADS.len() % 2 == 1;
    land(task, DIRECTIONS, |groups| towards(&around(ratio, groups, spread, is_tilted, rng)))
}

/// Keep ratios around one ratio. Tilted ones change from the first group to the last, besides varying on their own.
fn around(ratio: f64, groups: usize, spread: f64, is_tilted: bool, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let (tilt, own) = if is_tilted { (spread * normal(rng), spread / 2.0) } else { (0.0, spread) };
    let depth = |group: usize| if groups > 1 { 2.0 * group as f64 / (groups - 1) as f64 - 1.0 } else { 0.0 };
    (0..groups).map(|group| ratio * (tilt * depth(group) + own * normal(rng)).exp()).collect()
}

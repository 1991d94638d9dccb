//! Keep ratios, one for each group: how random ones are drawn, and how a proposer lands them on the budget without repeating
//! itself.

use eagleeye_graph::Strategy;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::StrategyError;
use crate::landing::land;
use crate::proposer::{Evaluated, Task};

/// Directions tried where rounding leaves none of a direction's neighbours within the tolerance.
pub(crate) const DIRECTIONS: usize = 32;

/// Strategies made in the hope of one that was not evaluated before.
const ATTEMPTS: usize = 32;

/// Of these, the ones that may miss the budget. Each has tried [`DIRECTIONS`] of them.
const MISSES: usize = 4;

/// Who draws: no two draw the same numbers from one seed. `Random` has the streams that it had when it was the only one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stream {
    Random,
    NearUniform,
    Evolutionary,
    Sensitivity,
    GlobalMagnitude,
    Reference,
}

/// The random numbers for proposal `index`.
pub(crate) fn generator(task: &Task, stream: Stream, index: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(task.seed);
    rng.set_stream(((stream as u64) << 48) | index);
    rng
}

/// A number of the standard normal distribution (Box and Muller, 1958).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (radius, angle) = (1.0 - rng.random::<f64>(), rng.random::<f64>());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

/// The keep ratio of each group.
pub(crate) fn ratios_of(task: &Task, strategy: &Strategy) -> Vec<f64> {
    strategy.keep.iter().zip(&task.prunable.groups).map(|(&kept, group)| kept as f64 / group.size as f64).collect()
}

/// Keep ratios of which each is changed with this probability, and one in any case. `spread` is the standard deviation of the
/// changes' logarithms.
pub(crate) fn mutated(ratios: &[f64], probability: f64, spread: f64, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let chosen = rng.random_range(0..ratios.len().max(1));
    let each = ratios.iter().enumerate().map(|(group, ratio)| {
        let changes = rng.random_bool(probability) || group == chosen;
        if changes { ratio * (spread * normal(rng)).exp() } else { *ratio }
    });
    each.collect()
}

/// The direction from the full network to these keep ratios.
pub(crate) fn towards(ratios: &[f64]) -> Vec<f64> {
    ratios.iter().map(|ratio| (1.0 - ratio).max(1e-3)).collect()
}

/// The strategy on the budget that is nearest to these keep ratios. Where rounding leaves none, keep ratios around them are
/// tried, at growing distance.
pub(crate) fn land_ratios(task: &Task, rng: &mut ChaCha8Rng, ratios: &[f64]) -> Result<Strategy, StrategyError> {
    let mut tries = 0;
    land(task, DIRECTIONS, |_| {
        let spread = 0.02 * f64::from(tries);
        tries += 1;
        towards(&ratios.iter().map(|ratio| ratio * (spread * normal(rng)).exp()).collect::<Vec<_>>())
    })
}

/// The first strategy that `make` makes and `history` does not have; `None` where there seems to be none left. `make` is told
/// how often it was asked before.
pub(crate) fn fresh(
    history: &[Evaluated],
    mut make: impl FnMut(usize) -> Result<Strategy, StrategyError>,
) -> Result<Option<Strategy>, StrategyError> {
    let mut misses = 0;
    for attempt in 0..ATTEMPTS {
        match make(attempt) {
            Ok(strategy) if is_new(history, &strategy) => return Ok(Some(strategy)),
            Ok(_) => {}
            Err(StrategyError::TooCoarse { .. }) if !history.is_empty() && misses < MISSES => misses += 1,
            Err(StrategyError::TooCoarse { .. }) if !history.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

pub(crate) fn is_new(history: &[Evaluated], strategy: &Strategy) -> bool {
    !history.iter().any(|before| before.strategy == *strategy)
}

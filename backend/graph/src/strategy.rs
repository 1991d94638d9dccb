//! Pruning strategies: how many units each channel group keeps, drawn under a budget (EagleEye, section 3.2).
//!
//! The paper's code draws keep ratios and throws them away until the cost happens to fit: 29 draws for each accepted candidate
//! of MobileNetV1 at 50%, 408 of ResNet-50 at 25%. Here a draw gives a direction, and its length is bisected on the cost
//! arithmetic, so that every draw is accepted.

use std::ops::RangeInclusive;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::cost::CostModel;
use crate::groups::ChannelGroups;

mod choices;

use choices::{Choice, MULTIPLES, choices};

/// Largest accepted distance of a strategy's multiply-adds from the budget, relative to the budget.
pub const TOLERANCE: f64 = 0.01;

/// The fix-up after rounding stops at this distance: closer would only bend the drawn direction further.
const AIM: f64 = 0.002;

/// Directions tried where rounding leaves none of a direction's neighbours within the tolerance.
const DIRECTIONS: usize = 32;

/// One keep count for each *prunable* group, in the order of [`ChannelGroups::prunable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Strategy {
    pub keep: Vec<usize>,
}

impl Strategy {
    /// Kept units divided by units, for each prunable group.
    pub fn keep_ratios(&self, groups: &ChannelGroups) -> Vec<f64> {
        self.keep.iter().zip(groups.prunable()).map(|(&kept, group)| kept as f64 / group.size as f64).collect()
    }
}

/// Which strategies may be drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// The channels that a layer keeps of a group are a multiple of this, or all of them. 1: any number. `None`: multiples of
    /// 8 where groups allow it, which is the default.
    ///
    /// Runtimes compute channels in blocks, and a count between two blocks can be slower than all channels. A group is held to
    /// the largest of 8, 4, 2 and 1 of which it has four multiples or more. Where no such strategy lands on the budget, as in
    /// networks of a few narrow layers, the largest multiple is 4, then 2, then 1.
    pub round_to: Option<usize>,
    /// Smallest part of a group's units that stays, in `[0, 1]`; at least one unit (or one multiple) does in any case.
    pub min_keep_ratio: f64,
}

impl Default for Space {
    fn default() -> Self {
        Self { round_to: None, min_keep_ratio: 0.1 }
    }
}

/// The multiply-adds to keep.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Fraction of the full network's multiply-adds, in `(0, 1]`.
    pub macs: f64,
}

/// Why no strategy can be drawn.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum StrategyError {
    #[error("the network has no channel group that can be pruned")]
    NothingToPrune,
    #[error("round_to is {0}, but must be 1 or more")]
    RoundTo(usize),
    #[error("min_keep_ratio is {0}, but must lie in 0 to 1")]
    MinKeepRatio(f64),
    #[error(
        "a budget of {wanted} of the multiply-adds is out of reach: with {}, between {:.4} and 1 of them can be kept{}",
        in_words(space), rounded_up(*smallest), further(space, *smallest, *finest)
    )]
    OutOfReach {
        wanted: f64,
        smallest: f64,
        space: Space,
        /// What could be kept at least with `round_to` 1 and `min_keep_ratio` 0.
        finest: f64,
    },
    #[error(
        "no strategy with {} comes within 1% of a budget of {wanted}: the nearest that was drawn keeps {:.4}; ask for \
         about that{}",
        in_words(space), rounded_up(*nearest), if space.round_to == Some(1) { "" } else { ", or choose a smaller round_to" }
    )]
    TooCoarse { wanted: f64, nearest: f64, space: Space },
}

fn in_words(space: &Space) -> String {
    let ratio = format!("min_keep_ratio {}", space.min_keep_ratio);
    match space.round_to {
        Some(multiple) => format!("round_to {multiple} and {ratio}"),
        None => ratio,
    }
}

/// What to change about a space that does not reach far enough.
fn further(space: &Space, smallest: f64, finest: f64) -> String {
    if finest >= smallest {
        return String::new();
    }
    let changes = match space.round_to {
        None | Some(1) => "a smaller min_keep_ratio reaches",
        Some(_) => "a smaller round_to or min_keep_ratio reaches",
    };
    format!("; {changes} further, down to {:.4}", rounded_up(finest))
}

/// To the four places that are printed, so that what is read there can be asked for.
fn rounded_up(fraction: f64) -> f64 {
    (fraction * 1e4).ceil() / 1e4
}

/// The fractions of the multiply-adds that strategies of a space can keep. Rounding leaves gaps between them.
pub fn reachable(cost: &CostModel, groups: &ChannelGroups, space: &Space) -> RangeInclusive<f64> {
    let exact = Space { round_to: space.round_to.or(Some(1)), ..*space };
    smallest(cost, &choices(groups, &exact, 1))..=1.0
}

/// The part of the multiply-adds that is left where every group is at its floor.
fn smallest(cost: &CostModel, choices: &[Choice]) -> f64 {
    let floors: Vec<usize> = choices.iter().map(|c| c.floor).collect();
    let full = cost.macs(&cost.full());
    if full == 0 { 1.0 } else { cost.macs_at(&floors) as f64 / full as f64 }
}

/// Draws strategy `index` of the sequence that `seed` names. It depends on nothing else, so any worker may draw it at any time.
///
/// Keep ratios are uniform in `[min_keep_ratio, 1]` as in the paper, then moved together along the line to the full network
/// until the budget is met within [`TOLERANCE`].
pub fn draw(
    cost: &CostModel,
    groups: &ChannelGroups,
    space: &Space,
    budget: &Budget,
    seed: u64,
    index: u64,
) -> Result<Strategy, StrategyError> {
    check(cost, groups, space, budget)?;
    let full = cost.macs(&cost.full()) as f64;
    let target = budget.macs * full;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    let mut nearest = *reachable(cost, groups, space).start();
    let mut tried: Option<Vec<Choice>> = None;
    // A multiple that was asked for is the only one.
    let largest = if space.round_to.is_some() { &MULTIPLES[..1] } else { &MULTIPLES[..] };
    for &multiple in largest {
        let choices = choices(groups, space, multiple);
        let in_reach = smallest(cost, &choices) * (1.0 - TOLERANCE) <= budget.macs;
        if !in_reach || tried.as_ref() == Some(&choices) {
            continue;
        }
        for _ in 0..DIRECTIONS {
            let steepness: Vec<f64> = choices.iter().map(|_| rng.random::<f64>().max(1e-6)).collect();
            let mut keep = bisect(cost, &choices, &steepness, target);
            let macs = settle(cost, &choices, &mut keep, target);
            if distance(macs, target) <= TOLERANCE {
                return Ok(Strategy { keep });
            }
            if distance(macs, target) < distance(nearest * full, target) {
                nearest = macs / full;
            }
        }
        tried = Some(choices);
    }
    Err(StrategyError::TooCoarse { wanted: budget.macs, nearest, space: *space })
}

fn check(cost: &CostModel, groups: &ChannelGroups, space: &Space, budget: &Budget) -> Result<(), StrategyError> {
    if let Some(0) = space.round_to {
        return Err(StrategyError::RoundTo(0));
    }
    if !(0.0..=1.0).contains(&space.min_keep_ratio) {
        return Err(StrategyError::MinKeepRatio(space.min_keep_ratio));
    }
    if groups.prunable().next().is_none() {
        return Err(StrategyError::NothingToPrune);
    }
    let smallest = *reachable(cost, groups, space).start();
    if !(smallest..=1.0).contains(&budget.macs) {
        let finest = *reachable(cost, groups, &Space { round_to: Some(1), min_keep_ratio: 0.0 }).start();
        return Err(StrategyError::OutOfReach { wanted: budget.macs, smallest, space: *space, finest });
    }
    Ok(())
}

/// The counts on the line from the full network along `steepness` whose cost is nearest to the target.
fn bisect(cost: &CostModel, choices: &[Choice], steepness: &[f64], target: f64) -> Vec<usize> {
    let at = |scale: f64| -> Vec<usize> {
        choices.iter().zip(steepness).map(|(choice, s)| choice.nearest(1.0 - s * scale)).collect()
    };
    let (mut above, mut below) = (0.0, 1.0);
    while cost.macs_at(&at(below)) as f64 > target && below < 1e7 {
        above = below;
        below *= 2.0;
    }
    for _ in 0..50 {
        let middle = (above + below) / 2.0;
        if cost.macs_at(&at(middle)) as f64 > target { above = middle } else { below = middle }
    }
    let (above, below) = (at(above), at(below));
    let of = |keep: &[usize]| distance(cost.macs_at(keep) as f64, target);
    if of(&above) < of(&below) { above } else { below }
}

/// Moves single counts, or two at once, by a step as long as that brings the cost closer to the target. Returns the cost.
fn settle(cost: &CostModel, choices: &[Choice], keep: &mut Vec<usize>, target: f64) -> f64 {
    let mut macs = cost.macs_at(keep) as f64;
    while distance(macs, target) > AIM {
        let Some(next) = better(cost, choices, keep, target, 1).or_else(|| better(cost, choices, keep, target, 2))
        else {
            break;
        };
        *keep = next;
        macs = cost.macs_at(keep) as f64;
    }
    macs
}

/// The neighbour, up to `moves` counts away, that is nearest to the target, if it is nearer than `keep` is.
fn better(cost: &CostModel, choices: &[Choice], keep: &[usize], target: f64, moves: usize) -> Option<Vec<usize>> {
    let mut best = (distance(cost.macs_at(keep) as f64, target), None);
    let mut trial = keep.to_vec();
    search(cost, choices, &mut trial, 0, moves, target, &mut best);
    best.1
}

fn search(
    cost: &CostModel,
    choices: &[Choice],
    trial: &mut Vec<usize>,
    first: usize,
    moves: usize,
    target: f64,
    best: &mut (f64, Option<Vec<usize>>),
) {
    for group in first..choices.len() {
        let count = trial[group];
        for next in [choices[group].below(count), choices[group].above(count)].into_iter().flatten() {
            trial[group] = next;
            let found = distance(cost.macs_at(trial) as f64, target);
            if found < best.0 {
                *best = (found, Some(trial.clone()));
            }
            if moves > 1 {
                search(cost, choices, trial, group + 1, moves - 1, target, best);
            }
        }
        trial[group] = count;
    }
}

fn distance(macs: f64, target: f64) -> f64 {
    (macs - target).abs() / target
}

//! Brings a direction onto the budget: the keep ratios of all groups move together from the full network along it, until the
//! cost is what was asked for.

use eagleeye_graph::Strategy;
use eagleeye_spec::{Space, TOLERANCE};

use crate::choices::{Choice, MULTIPLES, choices};
use crate::costs::Costs;
use crate::error::StrategyError;
use crate::proposer::Task;
use crate::reach::{check, kept, smallest};

/// The fix-up after rounding stops at this distance: closer would only bend the direction further.
const AIM: f64 = 0.002;

/// The strategy where the line along a direction meets the budget. Up to `tries` directions are asked for, where rounding
/// leaves none of a direction's neighbours within the tolerance. A direction says how steeply each group is pruned, above 0.
pub(crate) fn land(
    task: &Task,
    tries: usize,
    mut direction: impl FnMut(usize) -> Vec<f64>,
) -> Result<Strategy, StrategyError> {
    check(task)?;
    let costs = Costs::new(task);
    let mut nearest = Nearest::default();
    let mut tried: Option<Vec<Choice>> = None;
    // A multiple that was asked for is the only one.
    let multiples = if task.space.round_to.is_some() { &MULTIPLES[..1] } else { &MULTIPLES[..] };
    for &multiple in multiples {
        let choices = choices(&task.prunable.groups, &task.space, multiple);
        if !in_reach(task, &choices) || tried.as_ref() == Some(&choices) {
            continue;
        }
        for _ in 0..tries {
            let (mut keep, other) = bisect(&costs, &choices, &direction(choices.len()));
            let distance = settle(&costs, &choices, &mut keep);
            if distance <= TOLERANCE {
                return Ok(Strategy { keep });
            }
            nearest.note(&costs, keep);
            nearest.note(&costs, other);
        }
        tried = Some(choices);
    }
    if nearest == Nearest::default() {
        let floors = choices(&task.prunable.groups, &task.space, 1).iter().map(|choice| choice.floor).collect();
        nearest.note(&costs, floors);
    }
    let full = task.prunable.cost.full().keep;
    let found = [nearest.below, nearest.above].into_iter().flatten().filter(|keep| *keep != full);
    let nearest = found.map(|keep| kept(task, &keep)).collect();
    Err(StrategyError::TooCoarse { wanted: task.budget.clone(), nearest, space: task.space })
}

/// The keep ratio at which all groups together meet the budget, with any number of channels.
pub(crate) fn uniform_ratio(task: &Task) -> Result<f64, StrategyError> {
    check(task)?;
    let costs = Costs::new(task);
    let choices = choices(&task.prunable.groups, &Space { round_to: Some(1), ..task.space }, 1);
    let at = |ratio: f64| -> Vec<usize> { choices.iter().map(|choice| choice.nearest(ratio)).collect() };
    let (mut below, mut above) = (0.0, 1.0);
    for _ in 0..30 {
        let middle = (below + above) / 2.0;
        if costs.excess(&at(middle)) > 0.0 { above = middle } else { below = middle }
    }
    Ok((below + above) / 2.0)
}

/// The keep counts nearest to a budget, on either side of it.
#[derive(Debug, Default, PartialEq)]
struct Nearest {
    below: Option<Vec<usize>>,
    above: Option<Vec<usize>>,
}

impl Nearest {
    fn note(&mut self, costs: &Costs, keep: Vec<usize>) {
        let side = if costs.excess(&keep) > 0.0 { &mut self.above } else { &mut self.below };
        if side.as_ref().is_none_or(|nearest| costs.distance(&keep) < costs.distance(nearest)) {
            *side = Some(keep);
        }
    }
}

/// Whether every constraint can be met with these choices.
fn in_reach(task: &Task, choices: &[Choice]) -> bool {
    let least = |measure| smallest(&task.prunable.cost, choices, measure);
    task.budget.constraints().iter().all(|c| least(c.measure) * (1.0 - TOLERANCE) <= c.fraction)
}

/// The counts on the line from the full network along `steepness` on either side of the budget, the nearer ones first.
fn bisect(costs: &Costs, choices: &[Choice], steepness: &[f64]) -> (Vec<usize>, Vec<usize>) {
    let at = |scale: f64| -> Vec<usize> {
        choices.iter().zip(steepness).map(|(choice, s)| choice.nearest(1.0 - s * scale)).collect()
    };
    let (mut above, mut below) = (0.0, 1.0);
    while costs.excess(&at(below)) > 0.0 && below < 1e7 {
        above = below;
        below *= 2.0;
    }
    for _ in 0..50 {
        let middle = (above + below) / 2.0;
        if costs.excess(&at(middle)) > 0.0 { above = middle } else { below = middle }
    }
    let (above, below) = (at(above), at(below));
    if costs.distance(&above) < costs.distance(&below) { (above, below) } else { (below, above) }
}

/// Moves single counts, or two at once, by a step as long as that brings the cost closer to the budget. Returns the distance.
fn settle(costs: &Costs, choices: &[Choice], keep: &mut Vec<usize>) -> f64 {
    while costs.distance(keep) > AIM {
        let Some(next) = better(costs, choices, keep, 1).or_else(|| better(costs, choices, keep, 2)) else { break };
        *keep = next;
    }
    costs.distance(keep)
}

/// The neighbour, up to `moves` counts away, that is nearest to the budget, if it is nearer than `keep` is.
fn better(costs: &Costs, choices: &[Choice], keep: &[usize], moves: usize) -> Option<Vec<usize>> {
    let mut best = (costs.distance(keep), None);
    let mut trial = keep.to_vec();
    try_neighbours(costs, choices, &mut trial, 0, moves, &mut best);
    best.1
}

/// Moves each count from the group `first` on by a step, `moves` of them at once, and notes the nearest.
fn try_neighbours(
    costs: &Costs,
    choices: &[Choice],
    trial: &mut Vec<usize>,
    first: usize,
    moves: usize,
    best: &mut (f64, Option<Vec<usize>>),
) {
    for group in first..choices.len() {
        let count = trial[group];
        for next in [choices[group].below(count), choices[group].above(count)].into_iter().flatten() {
            trial[group] = next;
            let found = costs.distance(trial);
            if found < best.0 {
                *best = (found, Some(trial.clone()));
            }
            if moves > 1 {
                try_neighbours(costs, choices, trial, group + 1, moves - 1, best);
            }
        }
        trial[group] = count;
    }
}

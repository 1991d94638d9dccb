//! What of a budget is within reach: the one check that the form, the server and the engine share.

use std::ops::RangeInclusive;

use eagleeye_graph::{CostModel, Strategy};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Constraint, Measure, Score, Space};

use crate::choices::{Choice, choices};
use crate::error::StrategyError;
use crate::proposer::{Evaluated, Proposal, Task, proposer};

/// Strategies that are tried before a search begins. Rounding spoils most of them, or none.
const TRIED: usize = 4;

/// Of strategies that were not evaluated.
const UNKNOWN: Score = Score { top1: 0.0, top5: 0.0, cross_entropy: None };

/// The fractions of a cost that strategies of a space can keep. Rounding leaves gaps between them.
pub fn reachable(prunable: &PrunableSpace, space: &Space, measure: Measure) -> RangeInclusive<f64> {
    let exact = Space { round_to: space.round_to.or(Some(1)), ..*space };
    smallest(&prunable.cost, &choices(&prunable.groups, &exact, 1), measure)..=1.0
}

/// Whether the named proposer finds strategies that meet the task's budget: the first ones that a search would evaluate.
///
/// # Errors
/// What a search with the same settings would end with.
pub fn feasible(name: &str, task: &Task) -> Result<(), StrategyError> {
    let proposer = proposer(name)?;
    check(task)?;
    if *reachable(task.prunable, &task.space, Measure::Macs).start() >= 1.0 {
        return Err(StrategyError::NothingWithin(task.space));
    }
    let mut history: Vec<Evaluated> = Vec::new();
    while history.len() < TRIED {
        let next = (proposer.propose)(task, &history)?;
        if next.is_empty() {
            break;
        }
        history.extend(next.into_iter().map(|Proposal { strategy, is_probe }| Evaluated {
            strategy,
            is_probe,
            score: UNKNOWN,
        }));
    }
    Ok(())
}

/// Refuses spaces that make no sense and budgets beyond what the space reaches.
pub(crate) fn check(task: &Task) -> Result<(), StrategyError> {
    let Task { prunable, space, budget, .. } = task;
    if let Some(0) = space.round_to {
        return Err(StrategyError::RoundTo(0));
    }
    if !(0.0..=1.0).contains(&space.min_keep_ratio) {
        return Err(StrategyError::MinKeepRatio(space.min_keep_ratio));
    }
    if prunable.groups.is_empty() {
        return Err(StrategyError::NothingToPrune);
    }
    for &wanted in budget.constraints() {
        let range = reachable(prunable, space, wanted.measure);
        if !range.contains(&wanted.fraction) {
            let finest = Space { round_to: Some(1), min_keep_ratio: 0.0 };
            let finest = *reachable(prunable, &finest, wanted.measure).start();
            return Err(StrategyError::OutOfReach { wanted, smallest: *range.start(), space: *space, finest });
        }
    }
    Ok(())
}

/// The part of a cost that is left where every group is at its floor.
pub(crate) fn smallest(cost: &CostModel, choices: &[Choice], measure: Measure) -> f64 {
    let floors: Vec<usize> = choices.iter().map(|c| c.floor).collect();
    fraction(cost, &floors, measure)
}

/// The part of a cost that is left of the full network's.
fn fraction(cost: &CostModel, keep: &[usize], measure: Measure) -> f64 {
    let Strategy { keep: all } = cost.full();
    let full = measure.at(cost, &all);
    if full == 0 { 1.0 } else { measure.at(cost, keep) as f64 / full as f64 }
}

/// What a strategy keeps of each cost that a budget limits.
pub(crate) fn kept(task: &Task, keep: &[usize]) -> Vec<Constraint> {
    let each = task.budget.constraints().iter().map(|&Constraint { measure, .. }| Constraint {
        measure,
        fraction: fraction(&task.prunable.cost, keep, measure),
    });
    each.collect()
}

//! What of a budget is within reach: the one check that the form, the server and the engine share.

use std::ops::RangeInclusive;

use eagleeye_graph::{CostModel, Strategy};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Budget, Constraint, Measure, Space};

use crate::choices::{Choice, choices};
use crate::error::{StrategyError, Unmet};
use crate::proposer::Task;

/// The fractions of a cost that strategies of a space can keep. Rounding leaves gaps between them.
pub fn reachable(prunable: &PrunableSpace, space: &Space, measure: Measure) -> RangeInclusive<f64> {
    smallest(&prunable.cost, &finest_choices(prunable, space), measure)..=1.0
}

/// Refuses spaces that make no sense or leave nothing to prune, and budgets beyond what the space reaches.
pub(crate) fn check(task: &Task) -> Result<(), StrategyError> {
    let Task { prunable, space, .. } = task;
    if let Some(0) = space.round_to {
        return Err(StrategyError::RoundTo(0));
    }
    if !(0.0..=1.0).contains(&space.min_keep_ratio) {
        return Err(StrategyError::MinKeepRatio(space.min_keep_ratio));
    }
    if prunable.groups.is_empty() {
        return Err(StrategyError::NothingToPrune);
    }
    let finest = Space { round_to: Some(1), min_keep_ratio: 0.0 };
    if is_fixed(prunable, &finest) {
        return Err(StrategyError::AllLeftAlone);
    }
    if is_fixed(prunable, space) {
        return Err(StrategyError::NothingWithin(*space));
    }
    let budgets = [Some(task.budget), task.front].into_iter().flatten();
    let unmet: Vec<Unmet> = budgets.flat_map(Budget::constraints).filter_map(|c| unmet(task, c, &finest)).collect();
    if unmet.is_empty() {
        return Ok(());
    }
    let limited = prunable.groups.iter().any(|group| group.least > 1);
    Err(StrategyError::OutOfReach { unmet, space: *space, limited })
}

/// Whether every group keeps all of its units.
fn is_fixed(prunable: &PrunableSpace, space: &Space) -> bool {
    let choices = finest_choices(prunable, space);
    prunable.groups.iter().zip(choices).all(|(group, choice)| choice.floor == group.size)
}

/// The choices that reach furthest down.
fn finest_choices(prunable: &PrunableSpace, space: &Space) -> Vec<Choice> {
    let exact = Space { round_to: space.round_to.or(Some(1)), ..*space };
    choices(&prunable.groups, &exact, 1)
}

fn unmet(task: &Task, &wanted: &Constraint, finest: &Space) -> Option<Unmet> {
    let range = reachable(task.prunable, &task.space, wanted.measure);
    let finest = || *reachable(task.prunable, finest, wanted.measure).start();
    (!range.contains(&wanted.fraction)).then(|| Unmet { wanted, smallest: *range.start(), finest: finest() })
}

/// The part of a cost that is left where every group is at its floor.
pub(crate) fn smallest(cost: &CostModel, choices: &[Choice], measure: Measure) -> f64 {
    let floors: Vec<usize> = choices.iter().map(|c| c.floor).collect();
    fraction(cost, &floors, measure)
}

/// The part of a cost that is left of the full network's.
pub(crate) fn fraction(cost: &CostModel, keep: &[usize], measure: Measure) -> f64 {
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

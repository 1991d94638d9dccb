//! One threshold for the importance of all units, whatever their group.
//!
//! Raw norms of different layers do not compare: what a filter's norm is depends on the size of its kernel and on the scale of
//! what it reads. Each group's importances are divided by a norm of theirs first, of which there are several.

use eagleeye_graph::Strategy;

use crate::choices::{MULTIPLES, choices};
use crate::costs::Costs;
use crate::error::StrategyError;
use crate::landing::uniform_ratio;
use crate::proposer::{Evaluated, Proposal, Proposer, Task};
use crate::ratios::{Stream, generator, is_new, land_ratios};
use crate::reach::check;

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "global_magnitude",
    summary: "Removes the least important units of the whole network, whichever channel group they are in, down to the budget. \
              Importances are made comparable in three ways (by a group's mean, maximum or Euclidean norm), and each result \
              is also mixed with the uniform strategy: twelve candidates, without chance.",
    most: Some((NORMS.len() * SHARES.len()) as u32),
    has_budget: true,
    has_fronts: false,
    // Importances are not at hand where a search is asked for.
    preview: Some(uniform),
    adaptation: None,
    propose,
};

/// What a group's importances are divided by.
const NORMS: [fn(&[f64]) -> f64; 3] = [mean, maximum, euclidean];

/// The shares that the threshold has in a strategy; the rest is the uniform one's.
const SHARES: [f64; 4] = [1.0, 0.5, 0.75, 0.25];

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    check(task)?;
    for (variant, (share, norm)) in SHARES.iter().flat_map(|share| NORMS.map(|norm| (share, norm))).enumerate() {
        match mixed(task, variant, *share, norm) {
            Ok(strategy) if is_new(history, &strategy) => return Ok(vec![strategy.into()]),
            Ok(_) | Err(StrategyError::TooCoarse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    if history.is_empty() { Ok(vec![uniform(task, 0)?.into()]) } else { Ok(Vec::new()) }
}

/// Numbers of the streams for uniform strategies, beyond those of the variants.
const UNIFORM: u64 = 1 << 32;

/// What is left where no threshold lands on the budget: no share of one.
fn uniform(task: &Task, index: u64) -> Result<Strategy, StrategyError> {
    let ratios = vec![uniform_ratio(task)?; task.prunable.groups.len()];
    land_ratios(task, &mut generator(task, Stream::GlobalMagnitude, UNIFORM + index), &ratios)
}

fn mixed(task: &Task, variant: usize, share: f64, norm: fn(&[f64]) -> f64) -> Result<Strategy, StrategyError> {
    let uniform = uniform_ratio(task)?;
    let above = above_threshold(task, norm);
    let ratios: Vec<f64> = above.iter().map(|ratio| share * ratio + (1.0 - share) * uniform).collect();
    land_ratios(task, &mut generator(task, Stream::GlobalMagnitude, variant as u64), &ratios)
}

/// The part of each group's units that is above the one threshold with which the budget is met.
fn above_threshold(task: &Task, norm: fn(&[f64]) -> f64) -> Vec<f64> {
    let (groups, costs) = (&task.prunable.groups, Costs::new(task));
    let choices = choices(groups, &task.space, MULTIPLES[0]);
    let order = least_important_first(task, norm);
    // Of the first units of the order, so many go.
    let kept = |removed: usize| -> Vec<usize> {
        let mut kept: Vec<usize> = groups.iter().map(|group| group.size).collect();
        order[..removed].iter().for_each(|&group| kept[group] -= 1);
        kept
    };
    let ratios = |kept: Vec<usize>| -> Vec<f64> {
        kept.iter().zip(groups).map(|(&kept, group)| kept as f64 / group.size as f64).collect()
    };
    let rounded = |removed: usize| -> Vec<usize> {
        choices.iter().zip(ratios(kept(removed))).map(|(choice, ratio)| choice.nearest(ratio)).collect()
    };
    let (mut above, mut below) = (0, order.len());
    while below - above > 1 {
        let middle = above.midpoint(below);
        if costs.excess(&rounded(middle)) > 0.0 { above = middle } else { below = middle }
    }
    ratios(kept(below))
}

/// The group of each unit. Units that are equally important go from all groups alike, as they do where nothing is known of
/// their importance.
fn least_important_first(task: &Task, norm: fn(&[f64]) -> f64) -> Vec<usize> {
    let mut units: Vec<(f64, f64, usize)> = Vec::new();
    for (index, group) in task.prunable.groups.iter().enumerate() {
        let equal = vec![1.0; group.size];
        let importance = task.importance.get(index).filter(|known| known.len() == group.size).unwrap_or(&equal);
        let scale = Some(norm(importance)).filter(|&scale| scale > 0.0 && scale.is_finite()).unwrap_or(1.0);
        let mut values: Vec<f64> = importance.iter().map(|value| value / scale).collect();
        values.sort_by(f64::total_cmp);
        units.extend(values.into_iter().enumerate().map(|(n, value)| (value, n as f64 / group.size as f64, index)));
    }
    units.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.cmp(&b.2)));
    units.into_iter().map(|(_, _, group)| group).collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(0.0, f64::max)
}

fn euclidean(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

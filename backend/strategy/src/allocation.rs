//! From what probes say of single groups to keep ratios for all of them.

use eagleeye_spec::{Score, Space};

use crate::choices::{Choice, choices};
use crate::costs::Costs;
use crate::proposer::{Evaluated, Task};

/// How the loss grows where a group keeps a part of its units: a convex function that is 0 at 1.
type Form = fn(f64) -> f64;

/// The assumptions, the most trusted first: a form, and the part of the mean sensitivity that is added to each group's, since a
/// probe's loss is measured on few images and says little of small differences.
const ASSUMPTIONS: [(Form, f64); 8] = [
    (inverse, 0.25),
    (inverse_squared, 0.25),
    (squared, 0.25),
    (logarithmic, 0.25),
    (inverse, 1.0),
    (inverse_squared, 1.0),
    (cubed, 0.25),
    (logarithmic, 1.0),
];

/// Pieces in which a group is pruned at most.
const PIECES: usize = 64;

/// A guess at what pruning each group does to the loss, on its own.
#[derive(Debug)]
pub(crate) struct LossModel {
    form: Form,
    /// One for each group, above 0.
    sensitivity: Vec<f64>,
}

impl LossModel {
    /// A model for each assumption, from probes.
    pub(crate) fn all(task: &Task, probes: &[&Evaluated]) -> Vec<Self> {
        let rises = rises(probes);
        ASSUMPTIONS.iter().map(|&(form, smoothing)| Self::fitted(task, probes, &rises, form, smoothing)).collect()
    }

    /// The sensitivities with the least squared errors.
    fn fitted(task: &Task, probes: &[&Evaluated], rises: &[f64], form: Form, smoothing: f64) -> Self {
        let groups = &task.prunable.groups;
        let (mut products, mut squares) = (vec![0.0; groups.len()], vec![0.0; groups.len()]);
        for (probe, rise) in probes.iter().zip(rises) {
            let parts: Vec<f64> =
                probe.strategy.keep.iter().zip(groups).map(|(&k, g)| k as f64 / g.size as f64).collect();
            let pruned: Vec<usize> = (0..parts.len()).filter(|&group| parts[group] < 1.0).collect();
            for &group in &pruned {
                let growth = form(parts[group]);
                products[group] += growth * rise / pruned.len() as f64;
                squares[group] += growth * growth;
            }
        }
        let known: Vec<Option<f64>> =
            products.iter().zip(&squares).map(|(product, &square)| (square > 0.0).then(|| product / square)).collect();
        let measured = known.iter().flatten().count().max(1) as f64;
        let mean = known.iter().flatten().sum::<f64>() / measured;
        let sensitivity =
            known.into_iter().map(|s| if mean > 0.0 { s.unwrap_or(mean) + smoothing * mean } else { 1.0 });
        Self { form, sensitivity: sensitivity.collect() }
    }

    fn loss(&self, group: usize, ratio: f64) -> f64 {
        self.sensitivity[group] * (self.form)(ratio)
    }
}

/// By how much each probe's loss is above that of the best probe, which stands for the full network: pruning the group that
/// matters least does next to nothing.
fn rises(probes: &[&Evaluated]) -> Vec<f64> {
    let has_losses = probes.iter().all(|probe| probe.score.cross_entropy.is_some());
    let loss = |score: &Score| if has_losses { score.cross_entropy } else { None }.unwrap_or(1.0 - score.top1);
    let losses: Vec<f64> = probes.iter().map(|probe| loss(&probe.score)).collect();
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    losses.into_iter().map(|loss| loss - least).collect()
}

/// The keep ratios with which the budget is met at the least loss: from the full network on, the next piece is always taken where
/// the loss for the saved cost is smallest.
pub(crate) fn allocated(task: &Task, model: &LossModel) -> Vec<f64> {
    let (groups, costs) = (&task.prunable.groups, Costs::new(task));
    let choices = choices(groups, &Space { round_to: Some(1), ..task.space }, 1);
    let mut keep = task.prunable.cost.full().keep;
    // Never above what a piece costs by now, since both losses and costs grow with what is gone: only the smallest need be
    // looked at again.
    let mut prices = vec![0.0; keep.len()];
    while costs.beyond(&keep) > 0.0 {
        let Some((group, next)) = two_smallest(&prices) else { break };
        let (left, price) = piece(&costs, &choices, model, &mut keep, group);
        prices[group] = price;
        if price <= next && price.is_finite() {
            keep[group] = left;
        }
    }
    keep.iter().zip(groups).map(|(&kept, group)| kept as f64 / group.size as f64).collect()
}

/// What is left of a group without its next piece, and the loss for each part of the cost that is saved; infinite where nothing
/// can be saved.
fn piece(costs: &Costs, choices: &[Choice], model: &LossModel, keep: &mut [usize], group: usize) -> (usize, f64) {
    let (size, kept, floor) = (choices[group].size, keep[group], choices[group].floor);
    let left = kept.saturating_sub((size / PIECES).max(1)).max(floor);
    if left >= kept {
        return (kept, f64::INFINITY);
    }
    let before = costs.beyond(keep);
    keep[group] = left;
    let saved = before - costs.beyond(keep);
    keep[group] = kept;
    let loss = |count: usize| model.loss(group, count as f64 / size as f64);
    (left, if saved > 0.0 { (loss(left) - loss(kept)) / saved } else { f64::INFINITY })
}

/// The group of the smallest price, and the second smallest price; `None` where all are infinite.
fn two_smallest(prices: &[f64]) -> Option<(usize, f64)> {
    let smallest = (0..prices.len()).min_by(|&a, &b| prices[a].total_cmp(&prices[b]))?;
    let others = prices.iter().enumerate().filter(|(group, _)| *group != smallest).map(|(_, &price)| price);
    prices[smallest].is_finite().then(|| (smallest, others.fold(f64::INFINITY, f64::min)))
}

fn inverse(ratio: f64) -> f64 {
    1.0 / ratio - 1.0
}

fn inverse_squared(ratio: f64) -> f64 {
    inverse(ratio).powi(2)
}

fn squared(ratio: f64) -> f64 {
    (1.0 - ratio).powi(2)
}

fn cubed(ratio: f64) -> f64 {
    (1.0 - ratio).powi(3)
}

fn logarithmic(ratio: f64) -> f64 {
    -ratio.ln()
}

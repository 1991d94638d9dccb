//! Each group pruned alone, to see what the network can do without; then all of them, where it costs least.

use eagleeye_graph::Strategy;
use eagleeye_spec::Ranked;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::allocation::{LossModel, allocated};
use crate::choices::{Choice, MULTIPLES, choices};
use crate::error::StrategyError;
use crate::landing::{land, uniform_ratio};
use crate::near_uniform::draw;
use crate::proposer::{Evaluated, Proposal, Proposer, Task};
use crate::ratios::{DIRECTIONS, Stream, fresh, generator, is_new, land_ratios, mutated, ratios_of, towards};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "sensitivity",
    summary: "First prunes each channel group alone and measures what that does to the loss; these probes count as evaluations. \
              Then prunes all groups where the measured loss for the saved cost is smallest, under several assumptions about \
              how losses grow, and goes on with variations of the best.",
    most: None,
    has_budget: true,
    has_fronts: false,
    preview: Some(preview),
    adaptation: None,
    propose,
};

/// Variations of a good strategy: standard deviations of the logarithms of keep ratios, one after the other.
const SPREADS: [f64; 3] = [0.2, 0.1, 0.4];

/// The part of the groups that a variation changes.
const CHANGED: f64 = 1.0 / 3.0;

/// Variations start from one of so many strategies.
const BEST: usize = 3;

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    let uniform = uniform_ratio(task)?;
    if history.iter().all(|evaluated| evaluated.is_probe) {
        let left = probes(task, uniform).into_iter().skip(history.len());
        let left: Vec<_> = left.map(|strategy| Proposal { strategy, is_probe: true }).collect();
        if !left.is_empty() {
            return Ok(left);
        }
    }
    let next = match allocation(task, history)? {
        None => variation(task, history)?,
        found => found,
    };
    Ok(next.into_iter().map(Proposal::from).collect())
}

/// Strategies on the budget, for those who want to know whether there are any before the first probe. They are the search's own
/// where no allocation lands.
fn preview(task: &Task, index: u64) -> Result<Strategy, StrategyError> {
    draw(task, &mut generator(task, Stream::Sensitivity, index), index as usize, 0)
}

/// One group, or one bundle of neighbouring groups, pruned in each, the others full. Two levels of each group where these take
/// half of the evaluations or less; bundles where single groups would take more than 60% of them.
fn probes(task: &Task, uniform: f64) -> Vec<Strategy> {
    let choices = choices(&task.prunable.groups, &task.space, MULTIPLES[0]);
    let full = task.prunable.cost.full();
    let free: Vec<usize> = (0..choices.len()).filter(|&group| choices[group].floor < full.keep[group]).collect();
    let evaluations = task.evaluations as usize;
    let most = evaluations * 6 / 10;
    let bundles = free.len().min(most);
    // A single bundle tells no group from another.
    if bundles < 2 {
        return Vec::new();
    }
    let deep = uniform * uniform;
    let levels = if free.len() * 2 <= evaluations / 2 { &[deep, uniform][..] } else { &[deep][..] };
    let mut probes: Vec<Strategy> = Vec::new();
    for &level in levels {
        for bundle in 0..bundles {
            let mut probe = full.clone();
            for &group in &free[bundle * free.len() / bundles..(bundle + 1) * free.len() / bundles] {
                probe.keep[group] = pruned(&choices[group], probe.keep[group], level);
            }
            if !probes.contains(&probe) {
                probes.push(probe);
            }
        }
    }
    probes
}

/// A count below `size`, near a part of it.
fn pruned(choice: &Choice, size: usize, level: f64) -> usize {
    let nearest = choice.nearest(level);
    if nearest < size { nearest } else { choice.below(size).unwrap_or(choice.floor) }
}

/// The next strategy that is best under one of the assumptions about losses, until all have been tried.
fn allocation(task: &Task, history: &[Evaluated]) -> Result<Option<Strategy>, StrategyError> {
    let (probes, others): (Vec<_>, Vec<_>) = history.iter().partition(|evaluated| evaluated.is_probe);
    let left = (task.evaluations as usize).saturating_sub(probes.len());
    let models = LossModel::all(task, &probes);
    let models = models.into_iter().take((left / 2).max(1)).enumerate();
    if others.len() >= models.len() {
        return Ok(None);
    }
    for (variant, model) in models {
        let ratios = allocated(task, &model);
        let mut rng = generator(task, Stream::Sensitivity, VARIANTS + variant as u64);
        match land_ratios(task, &mut rng, &ratios) {
            Ok(strategy) if is_new(history, &strategy) => return Ok(Some(strategy)),
            Ok(_) | Err(StrategyError::TooCoarse { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Numbers of the streams for allocations, beyond those for proposals.
const VARIANTS: u64 = 1 << 32;

/// One of the best strategies, changed in some of its groups.
fn variation(task: &Task, history: &[Evaluated]) -> Result<Option<Strategy>, StrategyError> {
    let best = best_first(task, history);
    if best.is_empty() {
        return preview(task, 0).map(Some);
    }
    let index = history.len();
    let mut rng = generator(task, Stream::Sensitivity, index as u64);
    fresh(history, |attempt| {
        let from = &best[place(&mut rng, best.len())];
        let spread = SPREADS[index % SPREADS.len()] * (1.0 + attempt as f64 / 4.0);
        land(task, DIRECTIONS, |_| towards(&mutated(from, CHANGED, spread, &mut rng)))
    })
}

/// A place among the best, more often a front one.
fn place(rng: &mut ChaCha8Rng, candidates: usize) -> usize {
    let last = candidates.min(BEST);
    rng.random_range(0..last).min(rng.random_range(0..last))
}

/// The keep ratios of the best strategies so far.
fn best_first(task: &Task, history: &[Evaluated]) -> Vec<Vec<f64>> {
    let numbered = (0..).zip(history).filter(|(_, evaluated)| !evaluated.is_probe);
    let mut ranked: Vec<Ranked> = numbered.map(|(index, e)| Ranked { index, images: 0, score: e.score }).collect();
    ranked.sort_by(Ranked::best_first);
    ranked.iter().take(BEST).map(|best| ratios_of(task, &history[best.index as usize].strategy)).collect()
}

//! Strategies that descend from the best ones so far. With a front instead of one budget, those are the ones that no other
//! beats in both score and cost (NSGA-II).

use eagleeye_graph::Strategy;
use eagleeye_spec::{Budget, Constraint, Ranked};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::error::StrategyError;
use crate::landing::{land, uniform_ratio};
use crate::pareto::{crowding, fronts};
use crate::proposer::{Evaluated, Proposal, Proposer, Task};
use crate::ratios::{DIRECTIONS, Stream, fresh, generator, mutated, normal, ratios_of, towards};
use crate::reach::{check, fraction};
use crate::{near_uniform, random};

pub(crate) const PROPOSER: Proposer = Proposer {
    name: "evolutionary",
    summary: "Begins with random strategies, most of them around the uniform one, then breeds: the better ones are crossed and \
              mutated, a generation at a time, each offspring moved onto the budget. With a range of budgets it seeks the best \
              accuracy for every cost in between (NSGA-II) and so finds a whole front in one search.",
    most: None,
    has_budget: true,
    has_fronts: true,
    preview: None,
    adaptation: None,
    propose,
};

/// Every fourth strategy of the first generation is drawn as `random` does it.
const RANDOM: usize = 4;

/// These draws are numbered from here on, so that they are not the first ones of a random search beside this one.
const OWN_DRAWS: u64 = 1 << 40;

/// Standard deviation of the logarithm of a mutated keep ratio.
const SPREAD: f64 = 0.25;

/// Keep ratios that are moved towards nothing end here, so that they have a logarithm.
const LEAST: f64 = 0.02;

/// Probability of a child of all parents and not of two.
const JOINT: f64 = 0.5;

/// Least probability with which a group mutates.
const MUTATION: f64 = 0.15;

fn propose(task: &Task, history: &[Evaluated]) -> Result<Vec<Proposal>, StrategyError> {
    check(task)?;
    let (index, generations) = (history.len(), Generations::of(task.evaluations));
    let mut rng = generator(task, Stream::Evolutionary, index as u64);
    let next = match generations.parents(index) {
        None => fresh(history, |attempt| first(task, &mut rng, index, attempt))?,
        Some(parents) => {
            let best = Parents::of(task, &history[..parents], generations.kept());
            fresh(history, |attempt| best.child(task, &mut rng, attempt))?
        }
    };
    Ok(next.into_iter().map(Proposal::from).collect())
}

/// How many strategies there are of each generation.
struct Generations {
    first: usize,
    later: usize,
}

impl Generations {
    fn of(evaluations: u32) -> Self {
        let evaluations = evaluations as usize;
        Self { first: (evaluations / 3).clamp(4, 64), later: (evaluations / 6).clamp(2, 32) }
    }

    /// How many strategies come before the generation of strategy `index`; `None` for the first one.
    fn parents(&self, index: usize) -> Option<usize> {
        let after = index.checked_sub(self.first)?;
        Some(self.first + after / self.later * self.later)
    }

    /// How many of the best have offspring.
    fn kept(&self) -> usize {
        self.later.max(4)
    }
}

/// A strategy of the first generation.
fn first(task: &Task, rng: &mut ChaCha8Rng, index: usize, attempt: usize) -> Result<Strategy, StrategyError> {
    let budget = task.front.map(|front| {
        let limits = 0..task.budget.constraints().len();
        let places: Vec<f64> = limits.map(|limit| spread_out(index, limit)).collect();
        between(task.budget, front, &places)
    });
    let task = Task { budget: budget.as_ref().unwrap_or(task.budget), ..*task };
    if index % RANDOM == RANDOM - 1 {
        // No attempt repeats one at another strategy.
        return random::draw(&task, OWN_DRAWS + (attempt * (1 << 20) + index) as u64);
    }
    near_uniform::draw(&task, rng, index - index / RANDOM, attempt)
}

/// Both ends of a range, 0 and 1, then numbers that are spread evenly over it however many there are (van der Corput, in another
/// base for each `dimension`).
fn spread_out(index: usize, dimension: usize) -> f64 {
    const BASES: [usize; 4] = [2, 3, 5, 7];
    if index < 2 {
        return index as f64;
    }
    let base = BASES[dimension % BASES.len()];
    let (mut rest, mut digit, mut place) = (index - 1, 1.0, 0.0);
    while rest > 0 {
        digit /= base as f64;
        place += digit * (rest % base) as f64;
        rest /= base;
    }
    place
}

/// The budget at a place between two, 0 at the larger one and 1 at the smaller one, for each limit.
fn between(larger: &Budget, smaller: &Budget, places: &[f64]) -> Budget {
    let limits = larger.constraints().iter().zip(places).map(|(limit, place)| {
        let end = end_of(limit, smaller);
        Constraint { fraction: limit.fraction + place * (end - limit.fraction), ..*limit }
    });
    Budget(limits.collect())
}

/// Where a limit ends on a front; where it began if the front does not move it.
fn end_of(limit: &Constraint, smaller: &Budget) -> f64 {
    let same = smaller.constraints().iter().find(|other| other.measure == limit.measure);
    same.map_or(limit.fraction, |other| other.fraction.min(limit.fraction))
}

/// The strategies that have offspring.
struct Parents {
    /// The best first.
    best_first: Vec<Parent>,
    /// Keep ratios of all strategies so far.
    all: Vec<Vec<f64>>,
}

struct Parent {
    ratios: Vec<f64>,
    /// Where it lies between the budgets of a front, for each limit.
    places: Vec<f64>,
}

impl Parents {
    fn of(task: &Task, candidates: &[Evaluated], kept: usize) -> Self {
        let order = match task.front {
            None => by_score(candidates),
            Some(_) => by_front(task, candidates),
        };
        let chosen = order.into_iter().take(kept).map(|index| {
            let strategy = &candidates[index].strategy;
            Parent { ratios: ratios_of(task, strategy), places: places_of(task, strategy) }
        });
        let all = candidates.iter().map(|candidate| ratios_of(task, &candidate.strategy));
        Self { best_first: chosen.collect(), all: all.collect() }
    }

    /// The better one of two.
    fn pick(&self, rng: &mut ChaCha8Rng) -> &Parent {
        let last = self.best_first.len();
        &self.best_first[rng.random_range(0..last).min(rng.random_range(0..last))]
    }

    /// A strategy with keep ratios of parents, some of them changed. After failed attempts they change more.
    fn child(&self, task: &Task, rng: &mut ChaCha8Rng, attempt: usize) -> Result<Strategy, StrategyError> {
        let (one, other) = (self.pick(rng), self.pick(rng));
        let budget = task.front.map(|front| between(task.budget, front, &inherited(&one.places, &other.places, rng)));
        let task = Task { budget: budget.as_ref().unwrap_or(task.budget), ..*task };
        // Strategies of a front cost more or less than the child is to cost; what counts is which groups they prune more.
        let mean = task.front.map(|_| uniform_ratio(&task)).transpose()?;
        let level = |ratios: &[f64]| mean.map_or_else(|| ratios.to_vec(), |mean| moved(ratios, mean));
        let (is_joint, probability) = (rng.random_bool(JOINT), (2.0 / one.ratios.len() as f64).clamp(MUTATION, 1.0));
        let spread = SPREAD * (1.0 + attempt as f64 / 4.0);
        land(&task, DIRECTIONS, |_| {
            let crossed = match is_joint {
                true => self.joint(level, rng),
                false => crossed(&level(&one.ratios), &level(&other.ratios), rng),
            };
            towards(&mutated(&crossed, probability, spread, rng))
        })
    }

    /// What the best have in common, taken further: from the mean of all strategies to that of the best, and on.
    fn joint(&self, level: impl Fn(&[f64]) -> Vec<f64>, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let last = self.best_first.len();
        let weighted = self.best_first.iter().enumerate().map(|(place, p)| ((last - place) as f64, level(&p.ratios)));
        let all = mean_logarithms(self.all.iter().map(|ratios| (1.0, level(ratios))));
        let (best, step) = (mean_logarithms(weighted), rng.random_range(0.5..=2.5));
        all.iter().zip(best).map(|(all, best)| (all + step * (best - all)).exp()).collect()
    }
}

/// Keep ratios moved along their line from the full network until their mean is another one.
fn moved(ratios: &[f64], mean: f64) -> Vec<f64> {
    let pruned: f64 = ratios.iter().map(|ratio| 1.0 - ratio).sum::<f64>() / ratios.len() as f64;
    let scale = if pruned > 0.0 { (1.0 - mean) / pruned } else { 1.0 };
    ratios.iter().map(|ratio| (1.0 - (1.0 - ratio) * scale).max(LEAST)).collect()
}

/// The weighted mean of the logarithms of keep ratios, for each group.
fn mean_logarithms(weighted: impl Iterator<Item = (f64, Vec<f64>)>) -> Vec<f64> {
    let (mut sums, mut weights) = (Vec::new(), 0.0);
    for (weight, ratios) in weighted {
        sums.resize(ratios.len(), 0.0);
        sums.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += weight * ratio.ln());
        weights += weight;
    }
    sums.into_iter().map(|sum| sum / weights).collect()
}

/// Keep ratios of two parents: each from either, or all of them mixed in the same parts, which may also lead a little beyond.
fn crossed(one: &[f64], other: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    if rng.random_bool(0.5) {
        return one.iter().zip(other).map(|(a, b)| if rng.random_bool(0.5) { *a } else { *b }).collect();
    }
    let share = rng.random_range(-0.25..=1.25);
    // At least some of every group stays.
    one.iter().zip(other).map(|(a, b)| (share * a + (1.0 - share) * b).max(a.min(*b) / 2.0)).collect()
}

/// Places between the budgets of a front: about where the parents are, and now and then anywhere.
fn inherited(one: &[f64], other: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
    if rng.random_bool(0.1) {
        return one.iter().map(|_| rng.random()).collect();
    }
    let share: f64 = rng.random();
    let near = one.iter().zip(other).map(|(a, b)| (share * a + (1.0 - share) * b + 0.1 * normal(rng)).clamp(0.0, 1.0));
    near.collect()
}

/// Where a strategy lies between the budgets of a front, for each limit.
fn places_of(task: &Task, strategy: &Strategy) -> Vec<f64> {
    let Some(front) = task.front else { return Vec::new() };
    let place = |limit: &Constraint| {
        let extent = limit.fraction - end_of(limit, front);
        let kept = fraction(&task.prunable.cost, &strategy.keep, limit.measure);
        if extent > 0.0 { ((limit.fraction - kept) / extent).clamp(0.0, 1.0) } else { 0.0 }
    };
    task.budget.constraints().iter().map(place).collect()
}

/// Candidates, best first.
fn by_score(candidates: &[Evaluated]) -> Vec<usize> {
    ranked(candidates).iter().map(|ranked| ranked.index as usize).collect()
}

/// Candidates, those first that fewest others beat in score and cost, and among these the ones that stand alone.
fn by_front(task: &Task, candidates: &[Evaluated]) -> Vec<usize> {
    let points = objectives(task, candidates);
    let mut order = Vec::new();
    for front in fronts(&points) {
        let mut alone: Vec<(f64, usize)> = crowding(&points, &front).into_iter().zip(front).collect();
        alone.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        order.extend(alone.into_iter().map(|(_, index)| index));
    }
    order
}

/// What is to be small: the place in the ranking by score, and what is kept of each cost that the budget limits.
fn objectives(task: &Task, candidates: &[Evaluated]) -> Vec<Vec<f64>> {
    let ranked = ranked(candidates);
    let mut places = vec![0.0; candidates.len()];
    for pair in ranked.windows(2) {
        let is_same = pair[0].score == pair[1].score;
        places[pair[1].index as usize] = places[pair[0].index as usize] + if is_same { 0.0 } else { 1.0 };
    }
    let costs = |keep: &[usize]| -> Vec<f64> {
        task.budget.constraints().iter().map(|limit| fraction(&task.prunable.cost, keep, limit.measure)).collect()
    };
    let each = candidates.iter().zip(places);
    each.map(|(candidate, place)| [vec![place], costs(&candidate.strategy.keep)].concat()).collect()
}

fn ranked(candidates: &[Evaluated]) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> = (0..).zip(candidates).map(|(index, e)| Ranked { index, images: 0, score: e.score }).collect();
    ranked.sort_by(Ranked::best_first);
    ranked
}

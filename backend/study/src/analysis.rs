//! From candidates and their fine-tunings to a report.

use std::collections::BTreeMap;

use eagleeye_spec::{Budget, Interval};

use crate::bootstrap::Bootstrap;
use crate::correlation::Coefficient;
use crate::predictor::{Predictor, predictors};
use crate::report::{
    BudgetStudy, Correlation, Point, PredictorStudy, Reason, StudyReport, TrainingStudy, TunedAccuracy, Undecided,
};
use crate::trained::Trained;

/// With fewer candidates the interval of a coefficient reaches over most of its range, and resamples of a handful give intervals
/// that are far too narrow: there is none then.
const FEW: usize = 12;
/// With a reliability below this more than half of the variance of the candidates' means is chance.
const LOW_RELIABILITY: f64 = 0.5;

/// What candidates and their fine-tunings say, budget by budget. Without labels top-1 is the agreement with the full
/// network. `seed` is that of the intervals' resamples.
///
/// Candidates without a budget of their own, or with fewer fine-tunings than others, are left out.
pub fn analysed(budgets: &[Budget], trained: &[Trained], is_labelled: bool, seed: u64) -> StudyReport {
    let whole = trained.iter().map(|trained| trained.tunings.len()).max().unwrap_or_default();
    let complete = |trained: &&Trained| trained.tunings.len() == whole && whole > 0;
    let first = trained.iter().find(complete).and_then(|trained| trained.tunings.first());
    let is_on_test_images = first.is_some_and(|tuning| tuning.test.is_some());
    let images = first.map_or(0, |tuning| match is_on_test_images {
        true => tuning.test_images,
        false => tuning.validation_images,
    });
    let of = |place: usize| -> Vec<&Trained> {
        let own = |trained: &&Trained| trained.candidate.origin.budget == Some(place as u32);
        let mut own: Vec<&Trained> = trained.iter().filter(complete).filter(own).collect();
        own.sort_by_key(|trained| trained.candidate.index);
        own
    };
    let study = |(place, budget): (usize, &Budget)| {
        let own = of(place);
        (!own.is_empty()).then(|| of_budget(budget.in_words(), &own, seed))
    };
    StudyReport {
        seeds: trained
            .iter()
            .find(complete)
            .map_or(Vec::new(), |trained| trained.tunings.iter().map(|t| t.seed).collect()),
        is_labelled,
        is_on_test_images,
        images,
        budgets: budgets.iter().enumerate().filter_map(study).collect(),
    }
}

fn of_budget(budget: String, trained: &[&Trained], seed: u64) -> BudgetStudy {
    let bootstrap = Bootstrap::new(trained.len(), seed);
    let tuned: Vec<f64> = trained.iter().map(|trained| trained.accuracy()).collect();
    let by_seed =
        |place: usize| -> Vec<f64> { trained.iter().map(|trained| trained.tunings[place].accuracy()).collect() };
    let runs: Vec<Vec<f64>> = (0..trained[0].tunings.len()).map(by_seed).collect();
    let ceiling = (runs.len() > 1).then(|| agreement(&runs, &runs, &bootstrap));
    let spearman = ceiling.as_ref().and_then(|ceiling| ceiling.iter().find(|c| c.coefficient == Coefficient::Spearman));
    // Of a few candidates any coefficient may come by chance.
    let attainable = spearman
        .filter(|_| trained.len() >= FEW)
        .and_then(|ceiling| ceiling.value)
        .and_then(|value| (value > 0.0).then(|| reliability(value, runs.len()).sqrt()));
    let accuracy = TunedAccuracy {
        lowest: tuned.iter().copied().fold(f64::INFINITY, f64::min),
        highest: tuned.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        spread: deviation(&tuned),
        noise: noise(trained),
        seconds: mean(trained.iter().flat_map(|trained| trained.tunings.iter().map(|tuning| tuning.seconds))),
        regret: (runs.len() > 1).then(|| regret_of_pairs(&runs, &runs)),
    };
    let columns = columns(trained);
    let ranking = columns.iter().filter(|column| column.predictor.is_ranking()).max_by_key(|column| column.known());
    let study =
        |column: &Column| studied(column, ranking.filter(|ranking| *ranking != column), &tuned, trained, &bootstrap);
    let point = |(place, trained): (usize, &&Trained)| Point {
        candidate: trained.candidate.index,
        strategy: trained.candidate.origin.strategy.clone(),
        tuned: trained.tunings.iter().map(|tuning| tuning.accuracy()).collect(),
        values: columns.iter().map(|column| column.values[place]).collect(),
    };
    BudgetStudy {
        undecided: undecided(trained.len(), &accuracy, runs.len(), spearman),
        predictors: columns.iter().map(study).collect(),
        training: training(trained, &runs, &bootstrap),
        candidates: trained.iter().enumerate().map(point).collect(),
        budget,
        accuracy,
        attainable,
        ceiling,
    }
}

/// A predictor's values of all candidates.
#[derive(PartialEq)]
struct Column {
    predictor: Predictor,
    values: Vec<Option<f64>>,
    seconds: f64,
}

impl Column {
    fn known(&self) -> usize {
        self.values.iter().flatten().count()
    }
}

/// Every predictor that is known of at least two candidates: figures of the network as it is first, then by kind.
fn columns(trained: &[&Trained]) -> Vec<Column> {
    let mut found: BTreeMap<Predictor, (Vec<Option<f64>>, Vec<f64>)> = BTreeMap::new();
    for (place, trained) in trained.iter().enumerate() {
        for (predictor, value, seconds) in predictors(trained.candidate) {
            let (values, times) = found.entry(predictor).or_default();
            values.resize(place, None);
            values.push(Some(value));
            times.push(seconds);
        }
    }
    let column = |(predictor, (mut values, times)): (Predictor, (Vec<Option<f64>>, Vec<f64>))| {
        values.resize(trained.len(), None);
        Column { predictor, values, seconds: mean(times) }
    };
    found.into_iter().map(column).filter(|column| column.known() > 1).collect()
}

fn studied(
    column: &Column,
    ranking: Option<&Column>,
    tuned: &[f64],
    trained: &[&Trained],
    bootstrap: &Bootstrap,
) -> PredictorStudy {
    let known = |places: &[usize], column: &Column| -> (Vec<f64>, Vec<f64>) {
        places.iter().filter_map(|&place| Some((column.values[place]?, tuned[place]))).unzip()
    };
    let of = |coefficient: Coefficient, places: &[usize], column: &Column| {
        let (values, tuned) = known(places, column);
        coefficient.of(&values, &tuned)
    };
    let all = bootstrap.all();
    let above = |ranking: &Column| {
        let both = |places: &[usize]| -> Vec<usize> {
            let known = |place: &usize| column.values[*place].is_some() && ranking.values[*place].is_some();
            places.iter().copied().filter(known).collect()
        };
        let difference = |places: &[usize]| {
            let places = both(places);
            Some(of(Coefficient::Spearman, &places, column)? - of(Coefficient::Spearman, &places, ranking)?)
        };
        correlation(Coefficient::Spearman, bootstrap, both(&all).len(), difference)
    };
    let places: Vec<usize> = all.iter().copied().filter(|&place| column.values[place].is_some()).collect();
    let own = |coefficient| correlation(coefficient, bootstrap, places.len(), |places| of(coefficient, places, column));
    let (values, known_tuned) = known(&all, column);
    let (winner, regret) = regret(&values, &known_tuned);
    PredictorStudy {
        name: column.predictor.name(),
        predictor: column.predictor.clone(),
        candidates: places.len() as u64,
        correlations: Coefficient::ALL.map(own).to_vec(),
        above_ranking: ranking.map(above),
        regret,
        winner: trained[places[winner]].candidate.index,
        seconds: column.seconds,
    }
}

/// The place of the highest value, and how much its accuracy is below the highest. Of equal values the first is named, and what they
/// lose is the mean, as if one of them were chosen by chance.
fn regret(values: &[f64], accuracies: &[f64]) -> (usize, f64) {
    let highest = |values: &[f64]| values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (value, best) = (highest(values), highest(accuracies));
    let tied: Vec<usize> = (0..values.len()).filter(|&place| values[place] == value).collect();
    (tied.first().copied().unwrap_or_default(), mean(tied.iter().map(|&place| best - accuracies[place])))
}

/// What is known from each seed with the accuracies from each other one.
fn pairs<'a>(known: &'a [Vec<f64>], runs: &'a [Vec<f64>]) -> impl Iterator<Item = (&'a [f64], &'a [f64])> {
    let others = move |place: usize| runs.iter().enumerate().filter(move |(other, _)| *other != place);
    known.iter().enumerate().flat_map(move |(place, one)| others(place).map(move |(_, other)| (&one[..], &other[..])))
}

/// How well what is known from one seed agrees with the accuracies from another: the mean over all pairs of seeds.
fn agreement(known: &[Vec<f64>], runs: &[Vec<f64>], bootstrap: &Bootstrap) -> Vec<Correlation> {
    let of = |coefficient: Coefficient, places: &[usize]| -> Option<f64> {
        let at = |values: &[f64]| -> Vec<f64> { places.iter().map(|&place| values[place]).collect() };
        let each = pairs(known, runs).map(|(one, other)| coefficient.of(&at(one), &at(other)));
        each.collect::<Option<Vec<f64>>>().map(mean)
    };
    let candidates = bootstrap.all().len();
    Coefficient::ALL.map(|each| correlation(each, bootstrap, candidates, |places| of(each, places))).to_vec()
}

/// How much the winner by one seed loses to the best by another.
fn regret_of_pairs(known: &[Vec<f64>], runs: &[Vec<f64>]) -> f64 {
    mean(pairs(known, runs).map(|(one, other)| regret(one, other).1))
}

/// A fine-tuning after its first epoch, half of them, and all.
fn training(trained: &[&Trained], runs: &[Vec<f64>], bootstrap: &Bootstrap) -> Vec<TrainingStudy> {
    let tunings = || trained.iter().flat_map(|trained| &trained.tunings);
    let last = tunings().map(|tuning| tuning.by_epoch.len()).min().unwrap_or_default();
    // Where some ended early, an epoch means something else for each.
    if runs.len() < 2 || last == 0 || tunings().any(|tuning| tuning.by_epoch.len() != last) {
        return Vec::new();
    }
    let mut epochs = vec![1, last.div_ceil(2), last];
    epochs.dedup();
    let after = |epochs: usize| {
        let of = |seed: usize| trained.iter().map(|trained| trained.tunings[seed].by_epoch[epochs - 1]).collect();
        let known: Vec<Vec<f64>> = (0..runs.len()).map(of).collect();
        TrainingStudy {
            epochs: epochs as u32,
            of: last as u32,
            correlations: agreement(&known, runs, bootstrap),
            regret: regret_of_pairs(&known, runs),
            seconds: mean(tunings().map(|tuning| tuning.seconds * epochs as f64 / tuning.by_epoch.len() as f64)),
        }
    };
    epochs.into_iter().map(after).collect()
}

/// A figure of all candidates, with the interval that it has over their resamples where so many are enough.
fn correlation(
    coefficient: Coefficient,
    bootstrap: &Bootstrap,
    known: usize,
    figure: impl Fn(&[usize]) -> Option<f64>,
) -> Correlation {
    let value = figure(&bootstrap.all());
    Correlation { coefficient, value, interval: if known < FEW { None } else { bootstrap.interval(figure) } }
}

/// How much of the differences between means of so many fine-tunings is no chance, where two single ones agree so well
/// (Spearman, 1910; Brown, 1910).
fn reliability(agreement: f64, tunings: usize) -> f64 {
    let tunings = tunings as f64;
    tunings * agreement / (1.0 + (tunings - 1.0) * agreement)
}

fn undecided(
    candidates: usize,
    accuracy: &TunedAccuracy,
    seeds: usize,
    ceiling: Option<&Correlation>,
) -> Vec<Undecided> {
    let mut found = Vec::new();
    let mut add = |reason, message| found.push(Undecided { reason, message });
    if candidates < FEW {
        let says = format!("{} too few for any coefficient to be known well; take 24 or more", are(candidates));
        add(Reason::FewCandidates, says);
    }
    // There is nothing to compare.
    if candidates < 2 {
        return found;
    }
    if seeds < 2 {
        let says = "each candidate was fine-tuned once, so that nobody knows how much of the differences is chance; \
                    give two seeds";
        add(Reason::OneSeed, says.to_owned());
        return found;
    }
    let help = "take more seeds, train for more epochs, use more test images, or compare candidates that differ more: a \
                smaller budget, the strategy `random`";
    match ceiling.map(|ceiling| (ceiling.value, ceiling.interval)) {
        None | Some((None, _)) => add(
            Reason::LowCeiling,
            format!("fine-tuning made all candidates alike, so that there is no order to predict; {help}"),
        ),
        Some((Some(value), _)) if value <= 0.0 || reliability(value, seeds) < LOW_RELIABILITY => add(
            Reason::LowCeiling,
            format!(
                "two fine-tunings of the same candidates agree too little (Spearman's {value:.2}): the order of the means of \
                 {seeds} is mostly chance; {help}"
            ),
        ),
        Some((Some(value), Some(Interval { low, .. }))) if low <= 0.0 => add(
            Reason::LowCeiling,
            format!(
                "how well two fine-tunings of the same candidates agree is not known (Spearman's {value:.2}, its interval from \
                 {low:.2}): take more candidates"
            ),
        ),
        Some(_) => {}
    }
    // Of the variance of means of k fine-tunings, one's variance divided by k is chance.
    let is_chance = |noise: &f64| accuracy.spread.powi(2) <= 2.0 * noise.powi(2) / seeds as f64;
    if let Some(noise) = accuracy.noise.filter(is_chance) {
        let says = format!(
            "at least half of what the candidates' means of {seeds} differ by ({:.2} points) is chance, as two fine-tunings of one \
             differ by {:.2} points; {help}",
            100.0 * accuracy.spread,
            100.0 * noise
        );
        add(Reason::LittleSpread, says);
    }
    found
}

fn are(candidates: usize) -> String {
    if candidates == 1 { "1 candidate is".to_owned() } else { format!("{candidates} candidates are") }
}

/// Standard deviation of one candidate's fine-tunings, of all candidates together.
fn noise(trained: &[&Trained]) -> Option<f64> {
    let (mut squares, mut freedom) = (0.0, 0_usize);
    for trained in trained {
        let mean = trained.accuracy();
        squares += trained.tunings.iter().map(|tuning| (tuning.accuracy() - mean).powi(2)).sum::<f64>();
        freedom += trained.tunings.len() - 1;
    }
    (freedom > 0).then(|| (squares / freedom as f64).sqrt())
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

fn deviation(values: &[f64]) -> f64 {
    let mean = mean(values.iter().copied());
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    if values.len() < 2 { 0.0 } else { (squares / (values.len() - 1) as f64).sqrt() }
}

#[cfg(test)]
mod tests;

//! Whether a search's scores can be believed at all. A wrong preprocessing, other images than the network was trained for or
//! classes in another order break the full network first, and adaptive BN then mends its statistics in every candidate: the
//! search would end with a pruned network far "above" the full one.

use std::collections::BTreeSet;

use eagleeye_spec::{Baseline, Candidate, RANKED_IMAGES, RANKED_KIND, Score, evaluation_of};
use tch::{TchError, Tensor};

use crate::board::Board;
use crate::score::Reference;

/// Two shares differ by more than the noise when they are this many standard errors apart.
const STANDARD_ERRORS: f64 = 2.0;
/// A network is told from chance when chance scores as high with at most this probability.
const SIGNIFICANCE: f64 = 0.01;
/// A set of scoring images is large enough to speak of chance when a network this far from it, on the way from chance to
/// certainty, would be told from it.
const TELLING: f64 = 0.2;

/// Why a search's scores are not to be believed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Doubt {
    #[error(
        "the full network classifies {} of the {images} scoring images correctly, which is chance for {classes} classes: \
         check the mean, deviation and scale, the order of the classes and the input size",
        percent(*top1)
    )]
    Chance { top1: f64, images: u64, classes: u64 },
    #[error(
        "the best candidate classifies {} of the {images} scoring images correctly and the full network only {}: pruning \
         cannot cause this, so the preprocessing probably differs from the one used in training, or the images are \
         of a different kind; check the mean, deviation, scale and input size",
        percent(*best),
        percent(*full)
    )]
    AboveFull { full: f64, best: f64, images: u64 },
}

/// A confusion matrix of more classes takes too much memory for what it says.
const MOST_CLASSES: usize = 2000;

/// What the scoring images can tell.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    pub images: u64,
    /// Classes among them.
    pub classes: u64,
    /// Whether they are the dataset's own; otherwise they are the full network's answers.
    pub are_given: bool,
    /// How often each class was answered where each class is right: a row for each class. Empty for more than 2000 classes.
    pub confusion: Vec<Vec<u64>>,
}

impl Labels {
    /// `labels` are `[n]`, `i64`, and `reference` is of the same images.
    pub fn of(labels: &Tensor, reference: &Reference, are_given: bool) -> Result<Self, TchError> {
        let (labels, answers) = (Vec::<i64>::try_from(labels)?, Vec::<i64>::try_from(&reference.answers()?)?);
        let classes = labels.iter().chain(&answers).max().map_or(0, |&largest| largest as usize + 1);
        let present: BTreeSet<i64> = labels.iter().copied().collect();
        let mut confusion = if classes > MOST_CLASSES { Vec::new() } else { vec![vec![0; classes]; classes] };
        for (&label, &answer) in labels.iter().zip(&answers) {
            if let Some(count) =
                confusion.get_mut(label as usize).and_then(|row: &mut Vec<u64>| row.get_mut(answer as usize))
            {
                *count += 1;
            }
        }
        Ok(Self { images: labels.len() as u64, classes: present.len() as u64, are_given, confusion })
    }
}

/// Refuses a full network that is no better than chance on the scoring images.
pub fn full_network(labels: &Labels, score: &Score) -> Result<(), Doubt> {
    if labels.are_given { better_than_chance(score, labels.images, labels.classes) } else { Ok(()) }
}

/// Refuses a full network that is no better than chance on `images` scoring images of `classes` classes.
///
/// Chance is one in `classes`. The test is the exact binomial one. Sets that are too small to tell a usable network from
/// chance are let pass.
fn better_than_chance(score: &Score, images: u64, classes: u64) -> Result<(), Doubt> {
    if classes < 2 || images == 0 {
        return Ok(());
    }
    let chance = 1.0 / classes as f64;
    let is_chance = |correct: u64| at_least(correct, images, chance) > SIGNIFICANCE;
    let telling = ((chance + TELLING * (1.0 - chance)) * images as f64).floor() as u64;
    if is_chance(telling) || !is_chance(correct(score.top1, images)) {
        return Ok(());
    }
    Err(Doubt::Chance { top1: score.top1, images, classes })
}

/// Refuses a best candidate, of those that were evaluated on the most images, that is above the full network by more than the
/// noise.
pub fn best_candidate(labels: &Labels, baseline: &Baseline, board: &Board) -> Result<(), Doubt> {
    let candidates = board.candidates().iter().filter(|candidate| !candidate.origin.is_probe);
    let Some((best, images)) = Board::best(candidates).and_then(scored) else { return Ok(()) };
    if labels.are_given { not_above(full_on(baseline, images), best.top1, images) } else { Ok(()) }
}

/// Refuses a best candidate that is above the full network by more than the noise of `images` scoring images.
///
/// The noise is two standard errors of the difference of two independent binomial shares, with a hit and a miss added to
/// each (Agresti and Caffo, 2000), so that few images do not look certain. Both networks see the same images, so the true
/// noise is smaller, which leaves room for the best of many candidates.
pub fn not_above(full: f64, best: f64, images: u64) -> Result<(), Doubt> {
    let share = |top1: f64| (correct(top1, images) + 1) as f64 / (images + 2) as f64;
    let variance = |share: f64| share * (1.0 - share) / (images + 2) as f64;
    let (full_share, best_share) = (share(full), share(best));
    let noise = STANDARD_ERRORS * (variance(full_share) + variance(best_share)).sqrt();
    if best_share - full_share <= noise {
        return Ok(());
    }
    Err(Doubt::AboveFull { full, best, images })
}

/// A candidate's score by which it is ranked, and on how many images.
pub fn scored(candidate: &Candidate) -> Option<(Score, u64)> {
    let evaluation = evaluation_of(&candidate.evaluations, RANKED_KIND, RANKED_IMAGES)?;
    Some((evaluation.score, evaluation.images))
}

/// The full network's accuracy on the first images of the set.
pub fn full_on(baseline: &Baseline, images: u64) -> f64 {
    let hits = baseline.hits.as_ref().filter(|hits| images > 0 && hits.len() >= images);
    hits.map_or(baseline.score.top1, |hits| hits.prefix(images).count() as f64 / images as f64)
}

/// Images that a share stands for.
fn correct(top1: f64, images: u64) -> u64 {
    (top1 * images as f64).round() as u64
}

/// The probability of at least `hits` in `trials` that each hit with probability `p`, strictly between 0 and 1.
fn at_least(hits: u64, trials: u64, p: f64) -> f64 {
    // Summed from the lower end in logarithms: each term follows from the one before.
    let odds = (p / (1.0 - p)).ln();
    let mut term = trials as f64 * (1.0 - p).ln();
    let mut below = 0.0;
    for k in 0..hits.min(trials + 1) {
        below += term.exp();
        term += ((trials - k) as f64 / (k + 1) as f64).ln() + odds;
    }
    (1.0 - below).max(0.0)
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(top1: f64) -> Score {
        Score::new(top1, 1.0, 2.3)
    }

    #[test]
    fn tails_of_the_binomial_distribution_are_exact() {
        assert!((at_least(0, 10, 0.3) - 1.0).abs() < 1e-12);
        assert!((at_least(10, 10, 0.5) - 0.5f64.powi(10)).abs() < 1e-12);
        // 1 - (0.9^4 + 4 * 0.1 * 0.9^3)
        assert!((at_least(2, 4, 0.1) - 0.0523).abs() < 1e-12);
        assert!(at_least(2000, 5000, 0.1) < 1e-12);
        assert!(at_least(100_000, 1_000_000, 0.1) > 0.49);
    }

    #[test]
    fn a_full_network_at_chance_is_refused_in_words_that_help() {
        let doubt = better_than_chance(&score(0.1), 1000, 10).unwrap_err();
        assert_eq!(doubt, Doubt::Chance { top1: 0.1, images: 1000, classes: 10 });
        let said = doubt.to_string();
        assert!(said.contains("10.0% of the 1000 scoring images") && said.contains("chance for 10 classes"), "{said}");
        for thing in ["mean, deviation", "scale", "order of the classes", "input size"] {
            assert!(said.contains(thing), "{said}");
        }
        // Below chance is not above it, and a few hits more than a tenth are luck.
        for top1 in [0.0, 0.02, 0.115] {
            assert!(better_than_chance(&score(top1), 1000, 10).is_err(), "{top1}");
        }
        assert!(better_than_chance(&score(0.51), 2000, 2).is_err());
        assert!(better_than_chance(&score(0.001), 5000, 1000).is_err());
    }

    #[test]
    fn a_weak_network_is_told_from_chance() {
        for (top1, images, classes) in [(0.15, 1000, 10), (0.56, 2000, 2), (0.01, 5000, 1000), (0.3, 64, 10)] {
            better_than_chance(&score(top1), images, classes).unwrap();
        }
    }

    #[test]
    fn too_few_images_say_nothing_about_chance() {
        for (top1, images, classes) in
            [(0.0, 1, 10), (0.25, 8, 10), (0.5, 60, 2), (1.0, 3, 10), (0.0, 0, 10), (1.0, 9, 1)]
        {
            better_than_chance(&score(top1), images, classes).unwrap();
        }
        assert!(better_than_chance(&score(0.1), 64, 10).is_err(), "64 images do");
    }

    #[test]
    fn a_best_candidate_far_above_the_full_network_is_refused_in_words_that_help() {
        let said = not_above(0.717, 0.935, 1000).unwrap_err().to_string();
        assert!(said.contains("93.5%") && said.contains("71.7%") && said.contains("preprocessing"), "{said}");
        not_above(0.10, 0.6067, 1500).unwrap_err();
    }

    #[test]
    fn a_best_candidate_within_the_noise_or_below_is_believed() {
        for (full, best, images) in [(0.93, 0.95, 1000), (0.93, 0.90, 1000), (0.92, 0.921, 5000), (0.5, 0.75, 16)] {
            not_above(full, best, images).unwrap();
        }
        not_above(1.0, 1.0, 10).unwrap();
        not_above(0.0, 1.0, 1).unwrap();
    }
}

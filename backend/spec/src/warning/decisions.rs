//! When figures are worth a warning.

use crate::hits::Hits;
use crate::interval::Interval;
use crate::paired::paired;

/// What a measured latency may be above its budget, as a part of it.
const LATENCY_SLACK: f64 = 0.1;
/// An interval that is wider than this (4 points) hides the differences that matter between candidates.
pub const WIDE_INTERVAL: f64 = 0.04;
/// Fewer calibration images than this are few: batch-norm statistics are still noisy.
pub const FEW_CALIBRATION_IMAGES: u64 = 500;
/// Fewer calibration batches than this are few.
pub const FEW_CALIBRATION_BATCHES: u64 = 4;
/// A preset is one of several that are tried, so it must be better beyond more doubt than one candidate against another.
const PRESET_SIGNIFICANCE: f64 = 0.01;
/// A gain of less than this is nothing that a wrong preset would do.
const PRESET_GAIN: f64 = 0.02;
/// Networks for photographs take at least so many pixels to a side.
const PHOTOGRAPH: u64 = 96;

/// Whether a score of `top1` on so many images has an interval that is wider than [`WIDE_INTERVAL`].
pub fn few_scoring_images(top1: f64, images: u64) -> bool {
    Interval::of_share(top1, images).width() > WIDE_INTERVAL
}

/// Whether adaptive batch norm has few images or batches to average over.
pub fn few_calibration_images(images: u64, batches: u64) -> bool {
    images < FEW_CALIBRATION_IMAGES || batches < FEW_CALIBRATION_BATCHES
}

/// Whether the full network does clearly better with a known preset than with the request's values, on the same images: by two
/// points or more, and by more than chance.
pub fn other_preset_fits(requested: &Hits, preset: &Hits) -> bool {
    let compared = paired(preset, requested);
    compared.difference() >= PRESET_GAIN && compared.p_value < PRESET_SIGNIFICANCE
}

/// Whether images of one size (`[height, width]`) are of another size than the network's `input`, and not meant to be resized.
/// Photographs are larger than what networks take, and are; small images are not.
pub fn input_size_differs(input: [u64; 2], images: [u64; 2]) -> bool {
    let is_known = images.iter().all(|&size| size > 0);
    let is_photograph = images.iter().zip(input).all(|(&image, input)| image >= input && input >= PHOTOGRAPH);
    is_known && images != input && !is_photograph
}

/// Whether a network that was measured misses a budget of latency, both of the full network's: by more than what a busy machine
/// and the model that told its latency are off by.
pub fn latency_budget_missed(allowed: f64, measured: f64) -> bool {
    measured > allowed * (1.0 + LATENCY_SLACK)
}

/// How a winner does against the uniform candidate on the images that both were scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgainstUniform {
    /// Better by more than the noise.
    Better,
    /// They cannot be told apart.
    Tied,
    /// Worse by more than the noise.
    Below,
}

/// How the winner does against the uniform candidate, which is another one.
pub fn against_uniform(winner: &Hits, uniform: &Hits) -> AgainstUniform {
    let compared = paired(winner, uniform);
    match compared {
        _ if compared.a_is_better() => AgainstUniform::Better,
        _ if compared.b_is_better() => AgainstUniform::Below,
        _ => AgainstUniform::Tied,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that is right on so many of the first of 1,000 images.
    fn first(hits: u64) -> Hits {
        Hits::from_bits((0..1000).map(|image| image < hits))
    }

    #[test]
    fn an_interval_wider_than_four_points_means_few_images() {
        assert!(few_scoring_images(0.7969, 64) && few_scoring_images(0.9, 800) && few_scoring_images(0.9, 0));
        assert!(!few_scoring_images(0.9, 900) && !few_scoring_images(0.5, 2400));
    }

    #[test]
    fn calibration_needs_images_and_batches() {
        assert!(few_calibration_images(499, 10) && few_calibration_images(5000, 3));
        assert!(!few_calibration_images(500, 4));
    }

    #[test]
    fn a_preset_fits_better_when_it_is_clearly_better() {
        assert!(other_preset_fits(&first(700), &first(900)));
        assert!(!other_preset_fits(&first(900), &first(700)));
        assert!(!other_preset_fits(&first(900), &first(915)), "certain, but of no weight");
        let (requested, preset) = (first(20).prefix(25), first(24).prefix(25));
        assert!(!other_preset_fits(&requested, &preset), "4 of 25 images are chance");
    }

    #[test]
    fn small_images_of_another_size_differ_and_photographs_do_not() {
        assert!(input_size_differs([28, 28], [8, 8]) && input_size_differs([28, 28], [32, 32]));
        assert!(input_size_differs([224, 224], [32, 32]), "images are enlarged");
        assert!(!input_size_differs([28, 28], [28, 28]) && !input_size_differs([224, 224], [375, 500]));
        assert!(!input_size_differs([28, 28], [0, 0]), "images of several sizes");
    }

    #[test]
    fn a_budget_of_latency_is_missed_by_more_than_a_tenth() {
        assert!(latency_budget_missed(0.5, 0.56) && latency_budget_missed(0.9, 1.2));
        assert!(!latency_budget_missed(0.5, 0.54) && !latency_budget_missed(0.5, 0.3));
    }

    #[test]
    fn a_winner_is_better_tied_or_below() {
        assert_eq!(against_uniform(&first(930), &first(910)), AgainstUniform::Better);
        assert_eq!(against_uniform(&first(930), &first(927)), AgainstUniform::Tied);
        assert_eq!(against_uniform(&first(930), &first(930)), AgainstUniform::Tied);
        assert_eq!(against_uniform(&first(910), &first(930)), AgainstUniform::Below);
    }
}

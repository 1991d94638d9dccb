//! What each warning says.

use super::decisions::{FEW_CALIBRATION_BATCHES, FEW_CALIBRATION_IMAGES, WIDE_INTERVAL};
use super::{Warning, WarningCode};
use crate::confusion::OneAnswer;
use crate::hits::Hits;
use crate::interval::Interval;
use crate::latency_model::LatencyOf;
use crate::paired::paired;

impl Warning {
    fn new(code: WarningCode, message: String) -> Self {
        Self { code, message, at: code.at() }
    }

    /// `model`: height and width that the model was traced at; `images`: those of the images.
    pub fn input_size_differs(model: [u64; 2], images: [u64; 2]) -> Self {
        let message = format!(
            "The model was traced at {} pixels (height x width), but the images have {}. A network does worse on images of \
             another size than those it was trained on: use images of {0}, or set the input size.",
            size(model),
            size(images),
        );
        Self::new(WarningCode::InputSizeDiffers, message)
    }

    /// `guess`: height and width that were guessed from the weights.
    pub fn input_size_guessed(guess: [u64; 2]) -> Self {
        let message = format!(
            "The file does not say which images the model takes; {} pixels (height x width) were guessed from its weights. MACs \
             and scores depend on it: set the input size if the model was trained on another one.",
            size(guess),
        );
        Self::new(WarningCode::InputSizeGuessed, message)
    }

    /// The full network's top-1 on so many images of so many classes.
    pub fn near_chance(top1: f64, images: u64, classes: u64) -> Self {
        let message = format!(
            "The full network classifies {} of {} correctly, which is not clearly above the {} that chance gives for {}. Check \
             the mean, deviation and scale, the order of the classes and the input size.",
            percent(top1),
            counted(images, "image"),
            percent(1.0 / classes.max(1) as f64),
            counted(classes, "class"),
        );
        Self::new(WarningCode::NearChance, message)
    }

    /// The full network's and the best candidate's top-1 on the same images.
    pub fn above_full_network(full: f64, best: f64, images: u64) -> Self {
        let message = format!(
            "The best candidate classifies {} of {} correctly, {} more than the full network ({}). Pruning cannot cause this: \
             the preprocessing probably differs from the one used in training, or the images are of a different kind. Check the \
             mean, deviation, scale and input size.",
            percent(best),
            counted(images, "image"),
            points(best - full),
            percent(full),
        );
        Self::new(WarningCode::AboveFullNetwork, message)
    }

    /// `name`: the class's name, where it has one.
    pub fn one_answer(answer: OneAnswer, name: Option<&str>) -> Self {
        let OneAnswer { class, answers, images } = answer;
        let name = name.map(|name| format!(" (`{name}`)")).unwrap_or_default();
        let message = format!(
            "The full network answers class {class}{name} on {answers} of {}, whatever they show. Check the mean, deviation, \
             scale and range of the pixels.",
            counted(images, "image"),
        );
        Self::new(WarningCode::OneAnswer, message)
    }

    /// The full network's top-1 with the request's values and with the preset of this name, on the same images.
    pub fn other_preset_fits(requested: f64, preset: &str, with_preset: f64, images: u64) -> Self {
        let message = format!(
            "With the preset `{preset}` the full network classifies {} of {} correctly; with the request's mean and deviation it \
             classifies {}. Use the preset, unless the model was trained with the request's values.",
            percent(with_preset),
            counted(images, "image"),
            percent(requested),
        );
        Self::new(WarningCode::OtherPresetFits, message)
    }

    /// The full network's top-1 as the classes are ordered and under the best order, in which `moved` of `classes` classes have
    /// another place.
    pub fn class_order_suspect(current: f64, best: f64, images: u64, moved: u64, classes: u64) -> Self {
        let message = format!(
            "The full network classifies {} of {} correctly with the classes in their present order, and would classify {} \
             correctly if {moved} of the {} changed places. The labels are probably numbered in another order than the model's \
             outputs: give the classes in the order of the outputs, as a list of names or a mapping.",
            percent(current),
            counted(images, "image"),
            percent(best),
            counted(classes, "class"),
        );
        Self::new(WarningCode::ClassOrderSuspect, message)
    }

    /// `images`: the scoring images.
    pub fn unlabelled(images: u64) -> Self {
        let message = format!(
            "The images have no labels, so the full network's own answers take their place: scores on the {} are the agreement \
             with the full network, not accuracies, and say nothing about whether it is right. Upload labels to measure accuracy.",
            counted(images, "scoring image"),
        );
        Self::new(WarningCode::Unlabelled, message)
    }

    /// The full network's top-1 on the scoring images.
    pub fn few_scoring_images(top1: f64, images: u64) -> Self {
        let interval = Interval::of_share(top1, images);
        let message = format!(
            "On {}, a score of {} has a 95% confidence interval from {} to {}: {}, which is more than candidates often differ \
             by. For an interval of {}, score on {} images.",
            counted(images, "scoring image"),
            percent(top1),
            percent(interval.low),
            percent(interval.high),
            points(interval.width()),
            points(WIDE_INTERVAL),
            Interval::images_for(top1, WIDE_INTERVAL),
        );
        Self::new(WarningCode::FewScoringImages, message)
    }

    /// The calibration images and the batches that they come in.
    pub fn few_calibration_images(images: u64, batches: u64) -> Self {
        let message = format!(
            "The batch norms' statistics are recomputed from {} in {}, which leaves noise in every score. Calibrate on at least \
             {FEW_CALIBRATION_IMAGES} images in at least {FEW_CALIBRATION_BATCHES} batches.",
            counted(images, "calibration image"),
            counted(batches, "batch"),
        );
        Self::new(WarningCode::FewCalibrationImages, message)
    }

    /// Both on the scoring images; those that both were scored on count.
    pub fn winner_ties_with_uniform(winner: &Hits, uniform: &Hits) -> Self {
        let message = format!(
            "The winner and the uniform candidate cannot be told apart: {}. Score on more images, evaluate more candidates, or \
             take the uniform candidate.",
            side_by_side(winner, uniform),
        );
        Self::new(WarningCode::WinnerTiesWithUniform, message)
    }

    /// Both on the scoring images; those that both were scored on count.
    pub fn winner_below_uniform(winner: &Hits, uniform: &Hits) -> Self {
        let message = format!(
            "The uniform candidate, with one keep ratio for all channel groups, is better than the winner: {}. Take the uniform \
             candidate, or evaluate more candidates with another strategy.",
            side_by_side(winner, uniform),
        );
        Self::new(WarningCode::WinnerBelowUniform, message)
    }

    /// Median latencies in milliseconds; `runtime` says where, such as "ONNX Runtime with one thread".
    pub fn winner_slower_than_full(winner_ms: f64, full_ms: f64, runtime: &str) -> Self {
        let message = format!(
            "The winner takes {} in {runtime} and the full network {}, so pruning made it {:.2} times slower. Runtimes compute \
             channels in blocks: prune to a multiple of 8 channels or more, or to a lower budget, or set a budget of latency.",
            milliseconds(winner_ms),
            milliseconds(full_ms),
            winner_ms / full_ms,
        );
        Self::new(WarningCode::WinnerSlowerThanFull, message)
    }

    /// Of the full network's latency: what the budget allows, and what the winner was measured to keep.
    pub fn latency_budget_missed(allowed: f64, measured: f64, of: LatencyOf) -> Self {
        let message = format!(
            "The budget allows {} of the latency in {}, and the winner was measured to take {}. Its latency was predicted by a \
             model that is fitted to measured networks: set a lower budget of latency, or measure again on a machine that does \
             nothing else.",
            percent(allowed),
            of.in_words(),
            percent(measured),
        );
        Self::new(WarningCode::LatencyBudgetMissed, message)
    }

    /// Why ONNX Runtime cannot be used.
    pub fn no_onnxruntime(reason: &str) -> Self {
        let message = format!(
            "Latencies were measured in libtorch alone, since ONNX Runtime cannot be used: {}.",
            reason.trim_end_matches('.')
        );
        Self::new(WarningCode::NoOnnxruntime, message)
    }

    /// The candidate's index, and why its repair failed.
    pub fn not_repaired(index: u32, reason: &str) -> Self {
        let message = format!(
            "Candidate {index} could not be repaired: {}. Its other scores stand, and it can be used without a repair.",
            reason.trim_end_matches('.'),
        );
        Self::new(WarningCode::NotRepaired, message)
    }

    /// The candidate's index, and why its short training failed.
    pub fn not_short_tuned(index: u32, reason: &str) -> Self {
        let message = format!(
            "Candidate {index} could not be trained for a short time: {}. Its other scores stand.",
            reason.trim_end_matches('.'),
        );
        Self::new(WarningCode::NotShortTuned, message)
    }
}

fn side_by_side(winner: &Hits, uniform: &Hits) -> String {
    let compared = paired(winner, uniform);
    let images = compared.images;
    let share = |hits: &Hits| percent(hits.prefix(images).count() as f64 / images.max(1) as f64);
    let p_value = match compared.p_value {
        p if p < 0.001 => "p < 0.001".to_owned(),
        p => format!("p = {p:.3}"),
    };
    format!(
        "of {} the winner classifies {} correctly and the uniform candidate {}; {} only by the winner and {} only by the uniform \
         candidate ({p_value})",
        counted(images, "scoring image"),
        share(winner),
        share(uniform),
        was(compared.only_a),
        compared.only_b,
    )
}

fn was(images: u64) -> String {
    format!("{images} {} classified correctly", if images == 1 { "is" } else { "are" })
}

/// A count with its noun.
fn counted(count: u64, noun: &str) -> String {
    let ending = match noun {
        _ if count == 1 => "",
        _ if noun.ends_with('s') || noun.ends_with("ch") => "es",
        _ => "s",
    };
    format!("{count} {noun}{ending}")
}

fn size([height, width]: [u64; 2]) -> String {
    format!("{height}x{width}")
}

fn percent(share: f64) -> String {
    format!("{:.1}%", 100.0 * share)
}

fn points(difference: f64) -> String {
    format!("{:.1} points", 100.0 * difference)
}

/// Three significant digits.
fn milliseconds(milliseconds: f64) -> String {
    let decimals = match milliseconds {
        ms if ms >= 100.0 => 0,
        ms if ms >= 10.0 => 1,
        ms if ms >= 1.0 => 2,
        _ => 3,
    };
    format!("{milliseconds:.decimals$} ms")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::warning::decisions::few_scoring_images;

    fn first(hits: u64) -> Hits {
        Hits::from_bits((0..1000).map(|image| image < hits))
    }

    /// Each warning with what its message must name.
    fn all() -> Vec<(Warning, &'static [&'static str])> {
        let answer = OneAnswer { class: 3, answers: 247, images: 256 };
        vec![
            (
                Warning::input_size_differs([28, 30], [8, 9]),
                &["traced at 28x30 pixels", "images have 8x9", "images of 28x30"],
            ),
            (Warning::input_size_guessed([28, 32]), &["28x32 pixels", "guessed", "set the input size"]),
            (
                Warning::near_chance(0.104, 1000, 10),
                &["10.4% of 1000 images", "the 10.0%", "10 classes", "mean, deviation"],
            ),
            (
                Warning::above_full_network(0.717, 0.935, 2000),
                &["93.5% of 2000 images", "71.7%", "21.8 points", "Check"],
            ),
            (Warning::one_answer(answer, Some("cat")), &["class 3 (`cat`) on 247 of 256 images", "Check the mean"]),
            (Warning::one_answer(answer, None), &["class 3 on 247 of 256 images"]),
            (
                Warning::other_preset_fits(0.717, "imagenet", 0.928, 512),
                &["`imagenet`", "92.8% of 512 images", "71.7%"],
            ),
            (
                Warning::class_order_suspect(0.082, 0.915, 1000, 9, 11),
                &["8.2% of 1000", "91.5%", "9 of the 11 classes"],
            ),
            (Warning::unlabelled(640), &["640 scoring images", "agreement", "Upload labels"]),
            (
                Warning::few_scoring_images(0.796875, 64),
                &["64 scoring images", "79.7%", "68.3% to 87.7%", "19.4 points"],
            ),
            (Warning::few_calibration_images(64, 1), &["64 calibration images in 1 batch,", "500 images", "4 batches"]),
            (
                Warning::winner_ties_with_uniform(&first(930), &first(929)),
                &["1000 scoring images", "93.0%", "92.9%", "1 is classified correctly only by the winner", "p = 1.000"],
            ),
            (
                Warning::winner_below_uniform(&first(910), &first(930)),
                &["91.0%", "93.0%", "0 are classified", "and 20 only by the uniform", "p < 0.001"],
            ),
            (
                Warning::winner_slower_than_full(0.56, 0.33, "ONNX Runtime with one thread"),
                &["0.560 ms in ONNX Runtime with one thread", "0.330 ms", "1.70 times slower", "multiple of 8"],
            ),
            (
                Warning::latency_budget_missed(0.5, 0.612, LatencyOf::OnnxruntimeOneThread),
                &["allows 50.0% of the latency in ONNX Runtime with one thread", "61.2%", "set a lower budget"],
            ),
            (
                Warning::no_onnxruntime("there is no file libonnxruntime.so."),
                &["measured in libtorch alone", "there is no file libonnxruntime.so."],
            ),
            (
                Warning::not_repaired(7, "libtorch: out of memory."),
                &["Candidate 7 could not be repaired: libtorch: out of memory.", "without a repair"],
            ),
            (
                Warning::not_short_tuned(7, "libtorch: out of memory."),
                &["Candidate 7 could not be trained for a short time: libtorch: out of memory.", "other scores stand"],
            ),
        ]
    }

    #[test]
    fn each_message_names_its_figures_and_what_to_do() {
        for (warning, parts) in all() {
            let message = &warning.message;
            for part in parts {
                assert!(message.contains(part), "`{part}` is not in: {message}");
            }
            assert!(message.ends_with('.') && !message.contains("  "), "{message}");
            assert_eq!(warning.at, warning.code.at());
        }
    }

    #[test]
    fn each_code_has_a_message() {
        let said: BTreeSet<WarningCode> = all().into_iter().map(|(warning, _)| warning.code).collect();
        assert_eq!(said, WarningCode::ALL.iter().copied().collect());
    }

    #[test]
    fn the_images_that_are_said_to_be_enough_are() {
        let message = Warning::few_scoring_images(0.796875, 64).message;
        let enough = Interval::images_for(0.796875, 0.04);
        assert!(message.contains(&format!("4.0 points, score on {enough} images")), "{message}");
        assert!(!few_scoring_images(0.796875, enough));
    }

    #[test]
    fn latencies_have_three_significant_digits() {
        let said = [0.1234, 1.234, 12.34, 123.4].map(milliseconds);
        assert_eq!(said, ["0.123 ms", "1.23 ms", "12.3 ms", "123 ms"]);
    }
}

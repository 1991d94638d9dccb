//! What a search's scores do not say by themselves: warnings with stable codes, said before, during and after a search. None of
//! them ends it.

mod decisions;
mod messages;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use decisions::{
    AgainstUniform, FEW_CALIBRATION_BATCHES, FEW_CALIBRATION_IMAGES, WIDE_INTERVAL, against_uniform,
    few_calibration_images, few_scoring_images, input_size_differs, latency_budget_missed, other_preset_fits,
};

/// Something that whoever reads a search's scores should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    pub code: WarningCode,
    /// What was found, with its figures, and what helps.
    pub message: String,
    /// When it was found.
    pub at: Moment,
}

/// When something was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Before the first candidate.
    Before,
    /// While candidates were evaluated.
    During,
    /// After the last candidate.
    After,
}

impl Warning {
    /// The same, found at another moment than its code's own.
    pub fn found(self, at: Moment) -> Self {
        Self { at, ..self }
    }
}

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $code:ident = $name:literal, $at:ident, $title:literal, $advice:literal;)+) => {
        /// The kinds of warnings. Names are stable.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum WarningCode {
            $($(#[doc = $meaning])+ $code,)+
        }

        impl WarningCode {
            /// All codes, in the order in which they are listed.
            pub const ALL: &[WarningCode] = &[$(WarningCode::$code,)+];

            /// The name in rows and answers.
            pub fn name(self) -> &'static str {
                match self { $(WarningCode::$code => $name,)+ }
            }

            /// The same words for every warning of this code.
            pub fn title(self) -> &'static str {
                match self { $(WarningCode::$code => $title,)+ }
            }

            /// What it means.
            pub fn meaning(self) -> &'static str {
                match self { $(WarningCode::$code => concat!($($meaning,)+).trim_ascii(),)+ }
            }

            /// What to do.
            pub fn advice(self) -> &'static str {
                match self { $(WarningCode::$code => $advice,)+ }
            }

            /// When it is usually found.
            pub fn at(self) -> Moment {
                match self { $(WarningCode::$code => Moment::$at,)+ }
            }
        }
    };
}

codes! {
    /// The model was traced at another height or width than the images have.
    InputSizeDiffers = "input_size_differs", Before, "Input size differs",
        "Use images of the size that the model was trained on, or set the input size.";
    /// The file does not say which height and width the model takes; they were guessed from its weights.
    InputSizeGuessed = "input_size_guessed", Before, "Input size guessed",
        "Set the input size that the model was trained on.";
    /// The full network classifies hardly more images correctly than chance would.
    NearChance = "near_chance", Before, "Full network near chance",
        "Check the mean, deviation and scale, the order of the classes and the input size.";
    /// A candidate is above the full network by more than the noise, which pruning cannot cause.
    AboveFullNetwork = "above_full_network", During, "Candidate above the full network",
        "Check the mean, deviation, scale and input size, and that the images are of the kind that the model was trained on.";
    /// The full network answers nearly all images with the same class.
    OneAnswer = "one_answer", Before, "One answer for nearly all images",
        "Check the mean, deviation, scale and range of the pixels.";
    /// A known preset of mean and deviation scores clearly better than the request's values.
    OtherPresetFits = "other_preset_fits", Before, "Another preset fits better",
        "Use the preset, unless the model was trained with the values of the request.";
    /// The full network's answers agree with the labels far better after a permutation of the classes.
    ClassOrderSuspect = "class_order_suspect", Before, "Order of the classes suspect",
        "Give the classes in the order of the model's outputs, as a list of names or a mapping.";
    /// The images have no labels; the full network's own answers take their place.
    Unlabelled = "unlabelled", Before, "No labels",
        "Read scores as agreement with the full network; upload labels to measure accuracy.";
    /// The confidence interval of a score is wider than the differences that matter, 4 points.
    FewScoringImages = "few_scoring_images", Before, "Few scoring images",
        "Score on more images.";
    /// There are fewer than 500 calibration images, or fewer than 4 batches of them.
    FewCalibrationImages = "few_calibration_images", Before, "Few calibration images",
        "Calibrate on more images, or in smaller batches.";
    /// The winner and the uniform candidate cannot be told apart on the scoring images.
    WinnerTiesWithUniform = "winner_ties_with_uniform", After, "Winner ties with uniform",
        "Score on more images, evaluate more candidates, or take the uniform candidate.";
    /// The uniform candidate is better than the winner by more than the noise.
    WinnerBelowUniform = "winner_below_uniform", After, "Winner below uniform",
        "Take the uniform candidate, or evaluate more candidates with another strategy.";
    /// The winner was measured to be slower than the full network.
    WinnerSlowerThanFull = "winner_slower_than_full", After, "Winner slower than the full network",
        "Prune to a multiple of 8 channels or more, or to a lower budget, or set a budget of latency.";
    /// The winner was measured to keep clearly more of the latency than its budget allows.
    LatencyBudgetMissed = "latency_budget_missed", After, "Latency budget missed",
        "Set a lower budget of latency, or measure again on a machine that does nothing else.";
    /// Latencies could not be measured in ONNX Runtime; those in libtorch stand.
    NoOnnxruntime = "no_onnxruntime", After, "Not measured in ONNX Runtime",
        "Install ONNX Runtime where the worker finds it, or rely on libtorch's latencies.";
    /// A candidate could not be repaired; its other scores stand.
    NotRepaired = "not_repaired", After, "Candidate not repaired",
        "Use the candidate without a repair, or mend what the message says and search again.";
    /// A candidate could not be trained for a short time; its other scores stand.
    NotShortTuned = "not_short_tuned", After, "Candidate not trained",
        "Rely on the candidate's other scores, or mend what the message says and search again.";
}

impl WarningCode {
    /// The code of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }
}

/// All codes as a table in Markdown, for the documentation.
pub fn table() -> String {
    let mut table = String::from("| code | title | meaning | what to do |\n|---|---|---|---|\n");
    for code in WarningCode::ALL {
        let (name, title, meaning, advice) = (code.name(), code.title(), code.meaning(), code.advice());
        table.push_str(&format!("| `{name}` | {title} | {meaning} | {advice} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_answers_and_read_back() {
        for &code in WarningCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
            assert_eq!(WarningCode::named(code.name()), Some(code));
        }
        assert_eq!(WarningCode::named("NearChance"), None);
    }

    #[test]
    fn a_warning_reads_back_and_may_be_found_at_another_moment() {
        let warning = Warning::near_chance(0.1, 1000, 10);
        assert_eq!(warning.at, Moment::Before);
        let during = warning.found(Moment::During);
        let json = serde_json::to_value(&during).unwrap();
        assert_eq!((&json["code"], &json["at"]), (&"near_chance".into(), &"during".into()));
        assert_eq!(serde_json::from_value::<Warning>(json).unwrap(), during);
    }

    #[test]
    fn the_table_has_a_row_for_each_code_with_all_that_is_to_be_said() {
        let table = table();
        let rows: Vec<&str> = table.lines().skip(2).collect();
        assert_eq!(rows.len(), WarningCode::ALL.len());
        for (row, code) in rows.into_iter().zip(WarningCode::ALL) {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let name = format!("`{}`", code.name());
            assert_eq!(cells, ["", name.as_str(), code.title(), code.meaning(), code.advice(), ""]);
            assert!(cells[3..5].iter().all(|sentence| sentence.ends_with('.')), "{row}");
        }
    }
}

//! What a study says.

use eagleeye_spec::{Interval, StrategyName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::correlation::Coefficient;
use crate::predictor::Predictor;

/// How well figures that are known before fine-tuning predict the accuracy after it (the main figure of *EagleEye*, ECCV 2020).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StudyReport {
    /// From which each candidate was fine-tuned once.
    pub seeds: Vec<u64>,
    /// Whether the images have labels; if not, top-1 is the agreement with the full network.
    pub is_labelled: bool,
    /// Whether accuracies are those on test images; if not, they are those on the images that scores are from, too.
    pub is_on_test_images: bool,
    /// Images that accuracies after fine-tuning are from.
    pub images: u64,
    /// One for each budget, in the order of the search.
    pub budgets: Vec<BudgetStudy>,
}

/// The candidates of one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BudgetStudy {
    /// As in `50% of the MACs`.
    pub budget: String,
    pub accuracy: TunedAccuracy,
    /// The correlation of two fine-tunings of the same candidates, for each coefficient. Null with one seed.
    #[schema(required)]
    pub ceiling: Option<Vec<Correlation>>,
    /// The best Spearman's that can be expected of anything that knew how good each candidate is: the root of the reliability
    /// of the mean of the fine-tunings (Spearman, 1910; Brown, 1910). Null where the ceiling is null or not positive.
    #[schema(required)]
    pub attainable: Option<f64>,
    /// Why the study of this budget decides nothing, and what would help. Empty where it decides.
    pub undecided: Vec<Undecided>,
    pub predictors: Vec<PredictorStudy>,
    /// The oldest way of judging: a fine-tuning, after some of its epochs and at its end. Empty with one seed, and where
    /// fine-tunings have different numbers of epochs.
    pub training: Vec<TrainingStudy>,
    /// In order of index.
    pub candidates: Vec<Point>,
}

/// What fine-tuning has come to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TunedAccuracy {
    /// Of the candidates' means.
    pub lowest: f64,
    pub highest: f64,
    /// Standard deviation of the candidates' means.
    pub spread: f64,
    /// Standard deviation of one candidate's fine-tunings from different seeds. Null with one seed.
    #[schema(required)]
    pub noise: Option<f64>,
    /// Mean time of one fine-tuning, in seconds.
    pub seconds: f64,
    /// How much the winner of one fine-tuning loses to the best, both by another one. Null with one seed.
    #[schema(required)]
    pub regret: Option<f64>,
}

/// A coefficient with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Correlation {
    pub coefficient: Coefficient,
    /// Null where one side has one value only.
    #[schema(required)]
    pub value: Option<f64>,
    /// Percentile bootstrap over the candidates, 95%. Null where fewer than 12 are known.
    #[schema(required)]
    pub interval: Option<Interval>,
}

/// One predictor and the accuracy after fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PredictorStudy {
    pub predictor: Predictor,
    /// In words.
    pub name: String,
    /// Candidates that it is known of.
    pub candidates: u64,
    pub correlations: Vec<Correlation>,
    /// By how much its Spearman's is above that of the search's ranking, on the same candidates. Null for the ranking itself.
    #[schema(required)]
    pub above_ranking: Option<Correlation>,
    /// How much accuracy after fine-tuning its winner loses to the best candidate that it is known of.
    pub regret: f64,
    /// The candidate with its highest value, by index.
    pub winner: u32,
    /// Mean time of one candidate, in seconds; 0 where it is known without looking at an image.
    pub seconds: f64,
}

/// A fine-tuning as a way of judging: the top-1 on the validation images after so many epochs from one seed, and the accuracy after
/// fine-tuning from another. The mean over all pairs of seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrainingStudy {
    pub epochs: u32,
    /// Of the whole fine-tuning.
    pub of: u32,
    pub correlations: Vec<Correlation>,
    /// How much accuracy from the other seed its winner loses to the best candidate.
    pub regret: f64,
    /// Mean time of one candidate, in seconds.
    pub seconds: f64,
}

/// A candidate in the figure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = StudyPoint)]
pub struct Point {
    pub candidate: u32,
    pub strategy: StrategyName,
    /// After each fine-tuning, in the order of the seeds.
    pub tuned: Vec<f64>,
    /// The value of each predictor, in their order. Null where it is not known.
    pub values: Vec<Option<f64>>,
}

/// Why a study decides nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Undecided {
    pub reason: Reason,
    /// The reason with figures, and what would help.
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = UndecidedReason)]
pub enum Reason {
    FewCandidates,
    OneSeed,
    LowCeiling,
    LittleSpread,
}

//! The report's form.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budget::Measure;
use crate::budgets::Limits;
use crate::candidate::GroupKeep;
use crate::evaluation::{Intervals, Score};
use crate::interval::Interval;
use crate::latency::Latency;
use crate::latency_model::LatencyModel;
use crate::request::{SearchRequest, StrategyName};
use crate::warning::Warning;

/// The version of the report's form.
pub const REPORT_VERSION: u32 = 1;

/// What a search has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// The version of the report's form. Fields may be added without a new one.
    pub version: u32,
    /// The search's name. Null where it has none.
    #[schema(required)]
    pub name: Option<String>,
    /// The model's name.
    pub model: String,
    /// The dataset's name.
    pub dataset: String,
    /// What was asked, with its defaults.
    pub request: SearchRequest,
    /// How the images were divided.
    pub split: ReportedSplit,
    /// Whether the images have labels. Where they have none, the full network's answers take their place, and `top1` is the
    /// agreement with it and no accuracy.
    pub labelled: bool,
    /// The full network.
    pub full: ReportedNetwork,
    /// What was found under each budget, in the order in which they were asked for; then what is for none of them.
    pub sections: Vec<ReportSection>,
    /// What all candidates took.
    pub passes: Passes,
    /// The model that predicts the latency of strategies, for budgets of latency. Null where there are none.
    #[schema(required)]
    #[serde(default)]
    pub latency_model: Option<LatencyModel>,
    /// What whoever reads the scores should know.
    pub warnings: Vec<Warning>,
    /// Seconds that the search took. Null where they are not known.
    #[schema(required)]
    pub seconds: Option<f64>,
    /// How the search ended.
    #[serde(default)]
    pub ended: ReportedEnd,
    /// Why it failed. Null where it has not.
    #[schema(required)]
    #[serde(default)]
    pub error: Option<String>,
    /// The search in a few sentences. Those of one budget are in its section.
    pub sentences: Vec<String>,
    /// What to try next, the most important first.
    pub advice: Vec<String>,
}

/// How a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReportedEnd {
    /// It has not ended: more is to come.
    NotYet,
    #[default]
    Succeeded,
    Failed,
    Cancelled,
}

/// How many images there were of each kind. No image is of two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedSplit {
    /// From which adaptive batch norm computes running statistics.
    pub calibration: u64,
    /// By which candidates were compared.
    pub scoring: u64,
    /// By which no candidate was chosen.
    pub test: u64,
}

/// A score, and how certain it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScoredOn {
    /// Images that were scored.
    pub images: u64,
    /// Images that the running statistics come from; 0 where they are the full network's. Null where it is not known.
    #[schema(required)]
    pub calibration_images: Option<u64>,
    pub score: Score,
    /// 95% confidence intervals.
    pub intervals: Intervals,
}

/// The full network, before anything was pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedNetwork {
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of its weights and statistics. Null for searches of older versions.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// On the scoring images.
    pub scoring: ScoredOn,
    /// On the test images. Null where there are none.
    #[schema(required)]
    pub test: Option<ScoredOn>,
}

/// What was found under one budget, or for none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportSection {
    /// The budget's place among the search's budgets. Null for strategies of the user's own and those of a front.
    #[schema(required)]
    pub budget: Option<u32>,
    /// The budget in numbers. Null where `budget` is.
    #[schema(required)]
    pub limits: Option<Limits>,
    /// The budget in words.
    #[schema(example = "50% of the MACs")]
    pub title: String,
    /// The best candidate by the ranking. Null where none was evaluated.
    #[schema(required)]
    pub winner: Option<ReportedCandidate>,
    /// The strategies, that of the winner first, then by their best candidates.
    pub strategies: Vec<ReportedStrategy>,
    /// Which candidates cannot be told apart from the winner.
    pub ties: Ties,
    /// Candidates that could win.
    pub evaluated: u32,
    /// Candidates that were evaluated for what they say about others, and could not win.
    pub probes: u32,
    /// How many of the candidates that could win were scored on how many images at most; the most images first.
    pub scored_on: Vec<ImageCount>,
    /// What the candidates took, probes among them.
    pub passes: Passes,
    /// The search's candidates, whatever proposed them, than which none is both cheaper and better, the cheapest first; of those
    /// that were scored on the most images. Null where no front was asked for.
    #[schema(required)]
    pub front: Option<Vec<FrontPoint>>,
    /// What was found, in sentences.
    pub sentences: Vec<String>,
}

/// Candidates by the images that they were scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageCount {
    /// Scoring images.
    pub images: u64,
    pub candidates: u32,
}

/// A strategy under a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedStrategy {
    pub strategy: StrategyName,
    /// Its candidates that could win.
    pub evaluated: u32,
    /// The best of them.
    pub best: ReportedCandidate,
}

/// A candidate and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedCandidate {
    /// Its number in the search.
    pub index: u32,
    /// Which strategy proposed it.
    pub strategy: StrategyName,
    /// What it keeps of each channel group.
    pub groups: Vec<GroupKeep>,
    pub costs: ReportedCosts,
    /// With adaptive batch norm, on the most scoring images.
    pub scoring: ScoredOn,
    /// With the full network's running statistics, on scoring images. Null where it was not scored so.
    #[schema(required)]
    pub unadapted: Option<ScoredOn>,
    /// With adaptive batch norm, on the test images. Null where it was not scored there.
    #[schema(required)]
    pub test: Option<ScoredOn>,
    /// Repaired, on scoring images. Null where it was not repaired.
    #[schema(required)]
    #[serde(default)]
    pub repaired: Option<ScoredOn>,
    /// Repaired, on the test images. Null where it was not repaired or not scored there.
    #[schema(required)]
    #[serde(default)]
    pub repaired_test: Option<ScoredOn>,
    /// Trained for a short time, on scoring images. Null where it was not trained so.
    #[schema(required)]
    #[serde(default)]
    pub short_tuned: Option<ScoredOn>,
    /// Trained for a short time, on the test images. Null where it was not trained or not scored there.
    #[schema(required)]
    #[serde(default)]
    pub short_tuned_test: Option<ScoredOn>,
    /// Measured latencies; empty where none were measured.
    pub latencies: Vec<MeasuredLatency>,
    /// Against the uniform candidate of the same budget, on scoring images. Null where there is none.
    #[schema(required)]
    pub against_uniform: Option<Comparison>,
    /// Against the uniform candidate of the same budget, on the test images.
    #[schema(required)]
    pub against_uniform_on_test: Option<Comparison>,
    /// Against the full network, on scoring images. Null where there are no labels, or where it is not known which images were
    /// classified correctly.
    #[schema(required)]
    pub against_full: Option<Comparison>,
}

/// What a network costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReportedCosts {
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of the weights and statistics. Null for candidates of older versions.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// Of the full network's MACs.
    pub macs_fraction: f64,
    /// Of the full network's parameters.
    pub parameters_fraction: f64,
    /// Of the full network's bytes.
    #[schema(required)]
    pub bytes_fraction: Option<f64>,
}

/// A latency, beside the full network's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MeasuredLatency {
    #[serde(flatten)]
    pub latency: Latency,
    /// How many times as fast as the full network; below 1 it is slower.
    pub speedup: f64,
}

impl From<&Latency> for MeasuredLatency {
    fn from(latency: &Latency) -> Self {
        Self { speedup: latency.speedup(), latency: latency.clone() }
    }
}

/// A candidate against another network on the images that both were scored on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The other candidate. Null for the full network.
    #[schema(required)]
    pub with: Option<u32>,
    /// Images that both were scored on.
    pub images: u64,
    /// The candidate's top-1 minus the other's: 0.01 is one point.
    pub difference: f64,
    /// 95% confidence interval of the difference.
    pub interval: Interval,
    /// Probability that two equally good networks differ this much or more (exact McNemar test).
    pub p_value: f64,
    pub standing: Standing,
}

/// How one network does against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Better by more than the noise.
    Better,
    /// They cannot be told apart.
    Tied,
    /// Worse by more than the noise.
    Below,
    /// They are the same network.
    Same,
}

/// Candidates that cannot be told apart from the winner on the images that both were scored on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ties {
    /// How many there are, the winner not counted.
    pub count: u32,
    /// How many of them were scored on fewer images than the winner.
    pub on_fewer_images: u32,
    /// Their indices, the best first; 20 at most.
    #[schema(max_items = 20)]
    pub indices: Vec<u32>,
}

/// Images that went through networks, for running statistics and for scores with adaptive batch norm. Networks that were
/// evaluated once for several candidates count once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Passes {
    pub spent: u64,
    /// If every candidate had been evaluated on all images.
    pub of_all: u64,
    /// `spent` as a fraction of `of_all`. Null without candidates.
    #[schema(required)]
    pub ratio: Option<f64>,
}

/// A candidate on the front of cost and score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FrontPoint {
    pub index: u32,
    pub strategy: StrategyName,
    pub measure: Measure,
    /// Its cost by `measure`.
    pub cost: u64,
    /// Of the full network's cost.
    pub fraction: f64,
    pub top1: f64,
    /// 95% confidence interval of `top1`.
    pub interval: Interval,
    /// Scoring images.
    pub images: u64,
}

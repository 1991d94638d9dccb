//! The card's form.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::adaptation::Adaptation;
use crate::budgets::Limits;
use crate::candidate::GroupKeep;
use crate::class_order::ClassOrder;
use crate::evaluation::{ImageSet, Intervals, Score};
use crate::importance::Importance;
use crate::preprocessing::Preprocessing;
use crate::request::{SearchRequest, StrategyName};
use crate::summary::{MeasuredLatency, ReportedSplit};
use crate::tune::TuneOptions;
use crate::warning::Warning;

/// The version of the card's form.
pub const CARD_VERSION: u32 = 1;

/// A pruned network and all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelCard {
    /// The version of the card's form. Fields may be added without a new one.
    pub version: u32,
    /// What has made the network.
    #[schema(example = "EagleEye 0.1.0")]
    pub producer: String,
    /// The file that the card is of. Null in the card that travels inside it.
    #[schema(required)]
    pub file: Option<CardFile>,
    /// The network that was pruned.
    pub source: CardSource,
    pub weights: CardWeights,
    pub strategy: CardStrategy,
    /// What the full network costs.
    pub full: CardCosts,
    /// What the pruned network costs.
    pub pruned: CardCosts,
    /// The images that it was made and scored with. Null for a network that was pruned without any.
    #[schema(required)]
    pub data: Option<CardData>,
    /// How running statistics were recomputed, of a tuned network before it was trained. Null where they are the full network's, or
    /// follow from a repair.
    #[schema(required)]
    pub adaptation: Option<Adaptation>,
    /// How it was trained. Null where it was not.
    #[schema(required)]
    pub tuning: Option<CardTuning>,
    /// Every score of it and of the full network; those of the weights in the file have its `weights` as `network`.
    pub scores: Vec<CardScore>,
    /// Measured latencies of a network of this size; empty where none were measured.
    pub latencies: Vec<MeasuredLatency>,
    /// What whoever reads the scores should know.
    pub warnings: Vec<Warning>,
    /// How to get the network again.
    pub repeat: CardRepeat,
}

/// A file of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardFile {
    /// As in requests for checkpoints.
    #[schema(example = "torchscript")]
    pub format: String,
    /// Version of ONNX's operators in an ONNX file. Null for other formats.
    #[schema(required)]
    pub opset: Option<u32>,
    /// Its size. Null until it is written.
    #[schema(required)]
    pub bytes: Option<u64>,
    /// BLAKE3, in hexadecimal digits. Null until it is written.
    #[schema(required)]
    pub hash: Option<String>,
    /// SHA-256, in hexadecimal digits. Null until it is written, and for a file of an older version.
    #[schema(required)]
    #[serde(default)]
    pub sha256: Option<String>,
}

/// The network that was pruned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardSource {
    pub name: String,
    /// The name of its file.
    pub file_name: String,
    /// BLAKE3 of its file, in hexadecimal digits.
    pub hash: String,
    /// Of the first input, batch dimension included.
    pub input_shape: Vec<u64>,
    /// Number of classes, where it is known.
    #[schema(required)]
    pub classes: Option<u32>,
}

/// Which weights the network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CardWeights {
    /// What pruning has left of the full network's, with its running statistics.
    Unadapted,
    /// With running statistics of its own: adaptive batch norm.
    Adapted,
    /// Fitted, layer by layer, to what the full network answers.
    Repaired,
    /// Trained further.
    Tuned,
}

/// Which channels stay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardStrategy {
    /// Which strategy proposed it.
    pub name: StrategyName,
    /// Its number: in the search, or in the sequence of the seed.
    pub index: u64,
    pub seed: u64,
    /// The budget that it was proposed for. Null for strategies of the user's own and those of a front.
    #[schema(required)]
    pub budget: Option<Limits>,
    /// How channels were compared: which ones stay, once it was said how many.
    pub importance: Importance,
    /// What each channel group keeps.
    pub groups: Vec<GroupKeep>,
}

/// What a network costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardCosts {
    /// MACs of one image.
    pub macs: u64,
    pub parameters: u64,
    /// Bytes of weights and statistics, where they were counted.
    #[schema(required)]
    pub bytes: Option<u64>,
}

/// The images that a network was made and scored with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardData {
    /// The dataset's name.
    pub name: String,
    /// BLAKE3 of the file of its images, in hexadecimal digits.
    pub hash: String,
    /// BLAKE3 of the file of its labels. Null where they are not in a file of their own.
    #[schema(required)]
    pub labels_hash: Option<String>,
    /// Number of its images.
    pub images: u64,
    /// Whether it has labels. Where it has none, the full network's answers take their place, and `top1` is the agreement with
    /// it and no accuracy.
    pub labelled: bool,
    /// How many images are for what. No image is of two.
    pub split: ReportedSplit,
    /// The seed that the split is drawn by.
    pub seed: u64,
    pub preprocessing: Preprocessing,
    pub class_order: ClassOrder,
}

/// How a network was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardTuning {
    /// What was asked for, with its defaults; `start` is what it began with.
    pub options: TuneOptions,
    /// Passes over the training images.
    pub epochs: u32,
    pub training_images: u64,
}

/// The network that a score is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CardNetwork {
    /// The full one.
    Full,
    /// The pruned one with the full one's running statistics.
    Unadapted,
    /// The pruned one with adaptive batch norm.
    Adapted,
    /// The pruned one, repaired.
    Repaired,
    /// The pruned one, trained for a short time on the calibration images.
    ShortTuned,
    /// The pruned one, trained further.
    Tuned,
}

/// A score, and how certain it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardScore {
    pub network: CardNetwork,
    pub image_set: ImageSet,
    /// Images that were scored.
    pub images: u64,
    pub score: Score,
    /// 95% confidence intervals.
    pub intervals: Intervals,
}

/// How to get the network again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CardRepeat {
    /// A search that evaluates this strategy alone. Null for a network that was pruned without a search.
    #[schema(required)]
    pub request: Option<SearchRequest>,
    /// On the command line, with `request` as `request.json` and the tuning's options as `options.json`.
    pub commands: Vec<String>,
    /// Over the API, in their order: method, path and body.
    pub calls: Vec<String>,
}

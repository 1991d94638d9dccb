//! What fine-tuning tells, epoch by epoch.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::evaluation::Score;

/// One epoch of fine-tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Epoch {
    /// From 1.
    pub epoch: u32,
    /// Steps since the beginning.
    pub steps: u64,
    /// Mean loss of the epoch's batches.
    pub loss: f64,
    /// Fraction of the epoch's images that were classified correctly when they were trained on. Null where the labels say less
    /// about them: without labels, and with mixup.
    #[schema(required)]
    pub train_top1: Option<f64>,
    /// On the validation images, after the epoch.
    pub validation: Score,
    /// Of the epoch's last step.
    pub learning_rate: f64,
    /// Training images a second, validation left out.
    pub images_per_second: f64,
    /// Since the beginning.
    pub seconds: f64,
    /// Until the end, if it goes on at this speed.
    pub seconds_left: f64,
    /// The L1 norms of the filters of all convolutions.
    pub filter_norms: Histogram,
    /// How far each layer has moved from the network that it began with.
    pub drift: Vec<LayerDrift>,
}

/// How many values lie in equal intervals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Histogram {
    /// Lower end of the first interval.
    pub low: f64,
    /// Upper end of the last interval.
    pub high: f64,
    /// Values in each interval.
    pub counts: Vec<u64>,
}

/// How far a layer's tensors have moved: the norm of the difference divided by the norm at the beginning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LayerDrift {
    /// Name of the layer's weight, or of a batch norm's running mean.
    pub tensor: String,
    /// `weight`, `mean` or `variance`.
    pub kind: DriftKind,
    pub relative: f64,
}

/// What has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DriftKind {
    Weight,
    Mean,
    Variance,
}

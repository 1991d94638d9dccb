//! What fine-tuning tells, epoch by epoch.

use std::cmp::Ordering;

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

/// The order of tuned networks by their scores on the validation images, best first: more images right, or as many with a smaller
/// cross-entropy. Less is better.
pub fn best_tuned_first(one: &Score, other: &Score) -> Ordering {
    let loss = |score: &Score| score.cross_entropy.unwrap_or(f64::INFINITY);
    other.top1.total_cmp(&one.top1).then(loss(one).total_cmp(&loss(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top1_decides_and_then_cross_entropy_which_counts_as_infinite_where_it_is_absent() {
        let score = |top1, loss| Score::new(top1, 1.0, loss);
        let ordered = [score(0.9, 0.5), score(0.8, 0.1), score(0.8, 0.2), score(0.8, f64::INFINITY), score(0.7, 0.1)];
        for pair in ordered.windows(2) {
            assert_eq!(best_tuned_first(&pair[0], &pair[1]), Ordering::Less, "{pair:?}");
            assert_eq!(best_tuned_first(&pair[1], &pair[0]), Ordering::Greater, "{pair:?}");
        }
        assert_eq!(best_tuned_first(&score(0.8, f64::INFINITY), &score(0.8, f64::NAN)), Ordering::Equal);
    }
}

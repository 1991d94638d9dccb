//! How the values of a network's weights and statistics are spread.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Histogram;

/// The tensors that a network's file has, in the order in which its operations read them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NetworkTensors {
    pub tensors: Vec<TensorSummary>,
}

/// A weight, or a statistic of a norm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TensorSummary {
    #[schema(example = "layer1.0.conv1.weight")]
    pub name: String,
    /// The operation that reads it first, by its name in the graph and in the list of layers.
    #[schema(example = "layer1.0.conv1")]
    pub layer: String,
    pub shape: Vec<u64>,
    /// Values that are infinite or not a number. What follows is about the others.
    pub not_finite: u64,
    /// Values that are exactly 0.
    pub zeros: u64,
    /// 0 where there are no values.
    pub mean: f64,
    /// Standard deviation from the mean.
    pub deviation: f64,
    /// Between the smallest and the largest value.
    pub histogram: Histogram,
}

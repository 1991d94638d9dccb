//! What the propagation finds, or why it cannot.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::tensor::Labels;
use crate::ir::ParameterId;

/// Why the channel groups of a network cannot be found.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GroupError {
    #[error("tensor `{value}` is empty; every axis must have a size of at least 1")]
    Empty { value: String },
    #[error("node `{node}` would need too many labels; its tensors are too large")]
    TooLarge { node: String },
    #[error("the labels of node `{node}` do not follow its shapes: {source}")]
    Labels { node: String, source: ndarray::ShapeError },
}

/// What an axis of a parameter has to do with a group of channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Output axis of the weight of a convolution or linear layer: its slices make the channels.
    Produces,
    /// Input axis of the weight of a convolution or linear layer.
    Consumes,
    /// Bias, norm, depthwise filter, PReLU, layer scale, position embedding: one slice for each channel.
    Follows,
}

/// The labels along one axis of a parameter.
#[derive(Clone, Debug)]
pub(crate) struct AxisLabels {
    pub parameter: ParameterId,
    pub axis: usize,
    pub role: Role,
    pub labels: Vec<u32>,
}

/// What the propagation found. All labels are representatives of their class, [`super::FIXED`] or [`super::WILD`].
pub(crate) struct Propagated {
    /// By value; `None` for parameters that no rule asked about.
    pub values: Vec<Option<Labels>>,
    /// In order of the parameters' first use.
    pub axes: Vec<AxisLabels>,
    /// Why a class is locked.
    pub locked: BTreeMap<u32, Arc<str>>,
    /// The operator over which a class is normalised together with others.
    pub normalised: BTreeMap<u32, Arc<str>>,
    /// Layers without a parameter that could hold labels, in order of execution.
    pub unlabelled: Vec<Unlabelled>,
}

/// A layer whose weight is no parameter: all its channels stay.
#[derive(Clone, Debug)]
pub(crate) struct Unlabelled {
    pub layer: String,
    /// How many channels it makes.
    pub channels: usize,
    pub reason: Arc<str>,
}

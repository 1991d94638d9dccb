//! What a repair answers.

use serde::Serialize;
use tch::TchError;

use crate::exec::ExecError;
use crate::network::Network;
use eagleeye_torchscript::tensors::reason;

/// A repaired network and what was done to each layer.
#[derive(Debug)]
pub struct Repaired {
    pub network: Network,
    /// Convolutions and linear layers, in order of execution.
    pub layers: Vec<RepairedLayer>,
}

/// What was done to a layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RepairedLayer {
    /// The name of its node.
    pub layer: String,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It has new weights.
    Fitted {
        /// Whether it was fitted to a sum that it is the last layer of, and not to its own output.
        to_sum: bool,
        /// Strength of the ridge, relative to the mean square of what the layer reads.
        strength: f64,
        /// The squared error before and after, as a part of the variance of what the full network answers, on images that
        /// were held back from the fit.
        before: f64,
        after: f64,
    },
    /// It is as it was.
    Left { reason: String },
}

/// Why a network cannot be repaired.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RepairError {
    #[error(transparent)]
    Exec(#[from] ExecError),
    #[error("the pruned network has {found} nodes, but the full one has {expected}")]
    Nodes { expected: usize, found: usize },
}

impl From<TchError> for RepairError {
    fn from(error: TchError) -> Self {
        Self::Exec(ExecError::Torch(reason(&error)))
    }
}

/// Who follows a repair, and may end it.
pub struct Follow<'a> {
    /// Asked before every node of every batch; `true` ends the repair with [`ExecError::Cancelled`].
    pub cancelled: &'a dyn Fn() -> bool,
    /// Told how many layers are done, and of how many.
    pub progress: &'a dyn Fn(u64, u64),
}

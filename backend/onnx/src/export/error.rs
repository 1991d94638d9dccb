//! Everything that can go wrong between the graph and an ONNX file.

/// Why a network cannot be written as ONNX.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    #[error("the network has {expected} parameters, but {found} tensors were given")]
    WeightCount { expected: usize, found: usize },
    #[error("parameter `{name}` has shape {expected:?}, but its tensor has shape {found:?}")]
    WeightShape { name: String, expected: Vec<usize>, found: Vec<usize> },
    #[error("the tensor of parameter `{name}` has {found} bytes, expected {expected}")]
    WeightBytes { name: String, expected: usize, found: usize },
    #[error("{operator} at node `{node}` cannot be written as ONNX: {reason}")]
    Operator { operator: &'static str, node: String, reason: String },
    #[error("the file would have {bytes} bytes, but an ONNX file without external data is limited to {limit}")]
    TooLarge { bytes: usize, limit: usize },
}

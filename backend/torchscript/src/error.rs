//! Everything that can go wrong between a TorchScript file and the graph.

use std::path::PathBuf;

use eagleeye_graph::{BuildError, Unsupported};

/// Why a TorchScript file cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TorchScriptError {
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("not a TorchScript file: {0}")]
    NotTorchScript(String),
    #[error("the archive's entry `{entry}` {reason}")]
    Archive { entry: String, reason: String },
    #[error("libtorch cannot load the file: {0}")]
    Load(String),
    #[error("the module's description is malformed: {0}")]
    Description(String),
    #[error("the module's code refers to {what}, which is not in the file")]
    Missing { what: String },
    #[error("the file stores `{name}`, for which no tensor was given")]
    NoStandIn { name: String },
    #[error("unsupported operators: {}", Unsupported::list(.0))]
    Unsupported(Vec<Unsupported>),
    #[error("the network's input `{name}` is {kind}; expected a single tensor, the batch of images")]
    Input { name: String, kind: String },
    #[error(
        "the network takes {} inputs ({}), but a search can only provide images; export a module whose forward takes only \
         the images, with everything else as constants",
        .0.len(), quoted(.0)
    )]
    Inputs(Vec<String>),
    #[error("the network has no input; its forward must take a batch of images")]
    NoInput,
    #[error(
        "the file is in training mode: {operator} at `{node}` behaves as in training; call model.eval() before \
         torch.jit.trace, and pass training=self.training to functional dropout"
    )]
    Training { operator: String, node: String },
    #[error(
        "the network is quantised ({found}), but pruning works on floating-point weights; upload the network from before \
         quantisation, and quantise the pruned network"
    )]
    Quantised { found: String },
    #[error(
        "the network calls the custom operator {0}, which is not part of PyTorch; save it without that operator, for example \
         without the post-processing of the class scores"
    )]
    CustomOperator(String),
    #[error("the input shape {0:?} must be [batch, channels, ...] with every size at least 1")]
    InputShape(Vec<usize>),
    #[error(
        "the file does not state its input shape, and none of the usual ones works ({tried}); specify it. The first error: {first}"
    )]
    NoInputShape { tried: String, first: Box<TorchScriptError> },
    #[error("with the input shape {shape:?}: {error}")]
    Shape { shape: Vec<usize>, error: BuildError },
    #[error("{operator} at `{node}`: {reason}")]
    Invalid { operator: String, node: String, reason: String },
    #[error("the network raises an exception at `{node}`: {text}")]
    Raised { node: String, text: String },
    #[error("reading the network takes more than {0} steps")]
    TooLong(usize),
    #[error("reading the file would take too much memory or time: {0}")]
    TooComplex(String),
    #[error("the network's output is not a tensor or a tuple, list or dict of tensors")]
    Output,
    #[error(
        "the weights do not match the graph: parameter `{name}` has shape {expected:?}, but its tensor has {found:?}"
    )]
    Weights { name: String, expected: Vec<usize>, found: Vec<i64> },
    #[error("{operator} at `{node}` cannot be written as TorchScript: {reason}")]
    Write { operator: String, node: String, reason: String },
    #[error("libtorch cannot write the file: {0}")]
    Save(String),
    #[error("libtorch: {0}")]
    Torch(#[from] tch::TchError),
}

/// Names in one line.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

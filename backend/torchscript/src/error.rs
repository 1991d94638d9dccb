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
    #[error("the module's description is broken: {0}")]
    Description(String),
    #[error("the module's code reaches {what}, which was not found in the file")]
    Missing { what: String },
    #[error("unsupported operators: {}", Unsupported::list(.0))]
    Unsupported(Vec<Unsupported>),
    #[error("the network takes `{name}`, which is {kind}; expected one tensor, a batch of images")]
    Input { name: String, kind: String },
    #[error(
        "the network takes {} inputs ({}), but images are the only input that a search can feed; export a module whose \
         forward takes the images alone, with everything else as constants",
        .0.len(), quoted(.0)
    )]
    Inputs(Vec<String>),
    #[error("the network takes no input; expected a forward that takes a batch of images")]
    NoInput,
    #[error(
        "the file is in training mode: {operator} at `{node}` does what it does in training; call model.eval() before \
         torch.jit.trace, and give functional dropout training=self.training"
    )]
    Training { operator: String, node: String },
    #[error(
        "the network is quantised ({found}), and channels are pruned in floating point; upload the network from before \
         quantisation, and quantise what comes out"
    )]
    Quantised { found: String },
    #[error(
        "the network calls the custom operator {0}, which is no part of PyTorch; save it without that operator, for example \
         without what comes behind the class scores"
    )]
    CustomOperator(String),
    #[error("the input shape {0:?} is not [batch, channels, ...] with sizes of at least 1")]
    InputShape(Vec<usize>),
    #[error(
        "the input shape is not stored in the file and none of the usual ones fits ({tried}); give it. The first misfit: {first}"
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
    #[error("the file describes more than can be read in reasonable memory: {0}")]
    TooComplex(String),
    #[error("the network's output is not a tensor or a tuple, list or dict of tensors")]
    Output,
    #[error("the weights do not belong to the graph: parameter `{name}` has shape {expected:?}, its tensor {found:?}")]
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

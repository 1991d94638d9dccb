//! Everything that can go wrong between an ONNX file and the graph.

use std::path::PathBuf;

use eagleeye_graph::{BuildError, Unsupported};

/// Why an ONNX file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("the file has {bytes} bytes, but an ONNX file is limited to 2 GiB; store larger weights as external data")]
    FileTooLarge { bytes: u64 },
    #[error("this is not an ONNX file: {0}")]
    NotOnnx(String),
    #[error("reading the file would take too much memory or time: {0}")]
    TooComplex(String),
    #[error(
        "the file uses operator set {found}; {oldest} to {newest} are supported: convert it in Python with \
         onnx.version_converter.convert_version(onnx.load(path), 17)"
    )]
    Opset { found: i64, oldest: i64, newest: i64 },
    #[error("tensor `{name}` {reason}")]
    Tensor { name: String, reason: String },
    #[error("tensor `{name}` is stored next to the model in `{location}`, which {reason}")]
    External { name: String, location: String, reason: String },
    #[error("the file has no initializer `{0}`: it shares the tensor with another, or has it in a node")]
    NoInitializer(String),
    #[error("two tensors are named `{0}`")]
    DuplicateName(String),
    #[error("node `{node}` reads `{tensor}`, which is not an input, an initializer or the output of an earlier node")]
    MissingTensor { node: String, tensor: String },
    #[error("unsupported operators: {}", Unsupported::list(.0))]
    Unsupported(Vec<Unsupported>),
    #[error("the network's input `{name}` {reason}")]
    Input { name: String, reason: String },
    #[error(
        "the network takes {} inputs ({}), but a search can only provide images; export a network that takes only \
         images, or store the other inputs as initializers",
        .0.len(), quoted(.0)
    )]
    Inputs(Vec<String>),
    #[error(
        "the file was exported in training mode: {operator} at `{node}` behaves as in training; call model.eval() and \
         omit training= in torch.onnx.export"
    )]
    Training { operator: String, node: String },
    #[error(
        "the network is quantised ({operator} at `{node}`), but pruning works on floating-point weights; upload the \
         network from before quantisation, and quantise the pruned network"
    )]
    Quantised { operator: String, node: String },
    #[error("the input shape {0:?} must be [batch, channels, ...] with every size at least 1")]
    InputShape(Vec<usize>),
    #[error(
        "the file does not state its input shape, and none of the usual ones works ({tried}); specify it. \
         The first error: {first}"
    )]
    NoInputShape { tried: String, first: Box<OnnxError> },
    #[error("with the input shape {shape:?}: {error}")]
    Shape { shape: Vec<usize>, error: Box<BuildError> },
    #[error("{operator} at `{node}`: {reason}")]
    Invalid { operator: String, node: String, reason: String },
    #[error("reading the network takes more than {0} steps")]
    TooLong(usize),
    #[error("the file's functions are nested more than {0} levels deep")]
    TooDeep(usize),
    #[error("the network's output `{name}` {reason}")]
    Output { name: String, reason: String },
}

/// Names in one line.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

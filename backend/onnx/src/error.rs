//! Everything that can go wrong between an ONNX file and the graph.

use std::path::PathBuf;

use eagleeye_graph::{BuildError, Unsupported};

/// Why an ONNX file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: std::io::Error },
    #[error("the file has {bytes} bytes, but an ONNX file ends at 2 GiB; larger weights belong into a file beside it")]
    FileTooLarge { bytes: u64 },
    #[error("this is no ONNX file: {0}")]
    NotOnnx(String),
    #[error("the file describes more than can be read in reasonable memory: {0}")]
    TooComplex(String),
    #[error(
        "the file is written for operator set {found}; {oldest} to {newest} are supported: convert it in Python with \
         onnx.version_converter.convert_version(onnx.load(path), 17)"
    )]
    Opset { found: i64, oldest: i64, newest: i64 },
    #[error("tensor `{name}` {reason}")]
    Tensor { name: String, reason: String },
    #[error("tensor `{name}` is stored in `{location}` beside the model, which {reason}")]
    External { name: String, location: String, reason: String },
    #[error("the name `{0}` is given to two tensors")]
    DuplicateName(String),
    #[error("node `{node}` reads `{tensor}`, which no input, initializer or earlier node provides")]
    MissingTensor { node: String, tensor: String },
    #[error("unsupported operators: {}", Unsupported::list(.0))]
    Unsupported(Vec<Unsupported>),
    #[error("the network's input `{name}` {reason}")]
    Input { name: String, reason: String },
    #[error(
        "the network takes {} inputs ({}), but images are the only input that a search can feed; export a network that takes \
         the images alone, or store the others as initializers",
        .0.len(), quoted(.0)
    )]
    Inputs(Vec<String>),
    #[error(
        "the file was exported in training mode: {operator} at `{node}` does what it does in training; call model.eval() and \
         leave out training= of torch.onnx.export"
    )]
    Training { operator: String, node: String },
    #[error(
        "the network is quantised ({operator} at `{node}`), and channels are pruned in floating point; upload the network \
         from before quantisation, and quantise what comes out"
    )]
    Quantised { operator: String, node: String },
    #[error("the input shape {0:?} is not [batch, channels, ...] with sizes of at least 1")]
    InputShape(Vec<usize>),
    #[error(
        "the input shape is not stored in the file and none of the usual ones fits ({tried}); give it. The first misfit: {first}"
    )]
    NoInputShape { tried: String, first: Box<OnnxError> },
    #[error("with the input shape {shape:?}: {error}")]
    Shape { shape: Vec<usize>, error: Box<BuildError> },
    #[error("{operator} at `{node}`: {reason}")]
    Invalid { operator: String, node: String, reason: String },
    #[error("reading the network takes more than {0} steps")]
    TooLong(usize),
    #[error("the functions of the file call each other more than {0} levels deep")]
    TooDeep(usize),
    #[error("the network's output `{name}` {reason}")]
    Output { name: String, reason: String },
}

/// Names in one line.
fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

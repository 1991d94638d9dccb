//! A model file of either format as a network. Formats are told apart by content, never by file name.

use std::io;
use std::path::{Path, PathBuf};

use eagleeye_graph::reading::Narrowed;
use eagleeye_onnx::OnnxError;
use tch::{TchError, Tensor};

use crate::computed::store_computed_weights;
use crate::means::means_as_sums;
use crate::network::{Format, Network};
use crate::rewrite::RewriteError;
use crate::sniff::{self, Kind};
use eagleeye_torchscript::tensors::{from_data, reason};
use eagleeye_torchscript::{self as torchscript, TorchScriptError};

/// A network read from a file.
#[derive(Debug)]
pub struct Loaded {
    pub network: Network,
    /// Whether the input shape is a guess from the weights: neither given nor stored in the file.
    pub guessed_shape: bool,
}

/// Why a model file cannot be read. Each message is one line.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error(
        "the file is neither TorchScript nor ONNX; save the model with torch.jit.save(torch.jit.trace(model, example), \
         path) or torch.onnx.export"
    )]
    UnknownFormat,
    #[error("the file is {is}: {instead}")]
    WrongKind { is: &'static str, instead: &'static str },
    #[error("TorchScript: {0}")]
    TorchScript(#[from] TorchScriptError),
    #[error("ONNX: {0}")]
    Onnx(#[from] OnnxError),
    #[error("tensor `{name}` cannot be stored: {reason}")]
    Tensor { name: String, reason: String },
    #[error("a weight that the network computes from its stored tensors cannot be computed: {0}")]
    Computed(RewriteError),
    #[error("a mean over channels cannot be rewritten as a sum: {0}")]
    Means(RewriteError),
}

/// Reads a TorchScript or ONNX file. The weights are on the CPU; those that the file computes from others are computed
/// already.
///
/// `input_shape` is `[batch, channels, height, width]` (any batch) of the first input; where it is left out, the file says it
/// or it is guessed from the weights.
pub fn load(path: &Path, input_shape: Option<&[usize]>) -> Result<Loaded, LoadError> {
    load_with(path, input_shape, None)
}

/// [`load`], with other tensors in the places of the file's own where they are given.
pub(crate) fn load_with(
    path: &Path,
    input_shape: Option<&[usize]>,
    narrowed: Option<Narrowed>,
) -> Result<Loaded, LoadError> {
    let failed = |source| LoadError::Open { path: path.to_owned(), source };
    match sniff::kind(path).map_err(failed)? {
        Kind::Model(Format::TorchScript) => {
            of_torchscript(torchscript::read_with(path, input_shape, narrowed.as_ref())?)
        }
        Kind::Model(Format::Onnx) => of_onnx(eagleeye_onnx::read_with(path, input_shape, narrowed)?),
        Kind::Other { is, instead } => Err(LoadError::WrongKind { is, instead }),
        Kind::Model(Format::Safetensors) | Kind::Unknown => Err(LoadError::UnknownFormat),
    }
}

fn of_torchscript(read: torchscript::Imported) -> Result<Loaded, LoadError> {
    let (graph, weights, precision, metadata) = (read.graph, read.weights, read.precision, read.metadata);
    let network = prepared(Network { graph, weights, precision, format: Format::TorchScript, metadata })?;
    Ok(Loaded { network, guessed_shape: read.guessed_shape })
}

fn of_onnx(read: eagleeye_onnx::Imported) -> Result<Loaded, LoadError> {
    let tensors = read.graph.parameters.iter().zip(&read.weights).map(|(parameter, data)| {
        let failed = |error: TchError| LoadError::Tensor { name: parameter.name.clone(), reason: reason(&error) };
        from_data(data).map_err(failed)
    });
    let weights = tensors.collect::<Result<Vec<Tensor>, _>>()?;
    let (graph, precision, metadata) = (read.graph, read.precision, read.metadata);
    let network = prepared(Network { graph, weights, precision, format: Format::Onnx, metadata })?;
    Ok(Loaded { network, guessed_shape: read.guessed_shape })
}

/// The network in the form in which it can be pruned; it computes the same.
fn prepared(network: Network) -> Result<Network, LoadError> {
    means_as_sums(store_computed_weights(network).map_err(LoadError::Computed)?).map_err(LoadError::Means)
}

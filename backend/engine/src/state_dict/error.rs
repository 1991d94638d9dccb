//! Why a candidate cannot be had as a `state_dict`.

use std::io;
use std::path::PathBuf;

use safetensors::SafeTensorError;
use tch::TchError;
use zip::result::ZipError;

use crate::exec::ExecError;
use crate::export::ExportError;
use crate::load::LoadError;
use eagleeye_torchscript::tensors::reason;

/// Why a network was not written as a `state_dict`: most are about networks that need more than other widths.
#[derive(Debug, thiserror::Error)]
pub enum StateDictError {
    #[error(
        "the pruned network has the tensor `{tensor}` at `{node}`, which the uploaded network does not have: a module of its \
         class has no place for it"
    )]
    Added { tensor: String, node: String },
    #[error(
        "`{tensor}`, which node `{node}` reads, is computed from {} when the network runs; the pruned network stores the \
         result, for which the class has no place", from.join(" and ")
    )]
    Computed { tensor: String, node: String, from: Vec<String> },
    #[error(
        "`{tensor}`, which node `{node}` reads, is not a name that a module's state_dict has: the exporter has computed the \
         tensor, as when it folds batch norms; upload the network as TorchScript, or as ONNX with its names kept"
    )]
    NotOfTheClass { tensor: String, node: String },
    #[error(
        "the code at `{node}` contains the constant `{tensor}`, which has lost channels; the class would still make all"
    )]
    Constant { tensor: String, node: String },
    #[error("node `{node}` has lost channels or groups, and has no weight by which its module could be found")]
    NoModule { node: String },
    #[error("the network's own code does not run with the widths that are left: {0}")]
    MoreThanWidths(Box<LoadError>),
    #[error("{0}")]
    Load(#[from] LoadError),
    /// [`Self::MoreThanWidths`] of a process that has read the file.
    #[error("{0}")]
    Refused(String),
    #[error("the network's own code computes something else with the widths that are left: {0}")]
    ComputesElse(ExportError),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the written archive: {0}")]
    Archive(#[from] ZipError),
    #[error("the written archive has other bytes as `{0}` than were written")]
    Entry(String),
    #[error("safetensors: {0}")]
    Safetensors(#[from] SafeTensorError),
    #[error("the widths cannot be written: {0}")]
    Encode(#[from] serde_json::Error),
    #[error("{0}")]
    Exec(#[from] ExecError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for StateDictError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl From<ExportError> for StateDictError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Safetensors(error) => Self::Safetensors(error),
            ExportError::Exec(error) => Self::Exec(error),
            ExportError::Torch(reason) => Self::Torch(reason),
            other => Self::ComputesElse(other),
        }
    }
}

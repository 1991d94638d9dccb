//! Why fine-tuning ends early.

use std::path::PathBuf;

use eagleeye_torchscript::tensors::reason;
use safetensors::SafeTensorError;
use tch::TchError;

use crate::exec::ExecError;
use crate::rewrite::RewriteError;

/// Why fine-tuning ended early.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    #[error("cancelled")]
    Cancelled,
    #[error("`{field}` {detail}")]
    Option { field: &'static str, detail: &'static str },
    #[error("there are {found} training images; fine-tuning needs at least two")]
    TooFewImages { found: usize },
    #[error("there are no validation images")]
    NoValidation,
    #[error("there are {labels} labels for {images} training images")]
    Labels { images: usize, labels: usize },
    #[error("there is no full network; images without labels and distillation need one to learn from")]
    NothingToLearn,
    #[error("the network has no weights that can be trained")]
    NoWeights,
    #[error(
        "the loss is not finite after step {step}, which had a learning rate of {rate}; begin again with a smaller one"
    )]
    Diverged { step: u64, rate: f64 },
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error("{0}")]
    Exec(ExecError),
    #[error("virtual batch norms: {0}")]
    Rewrite(#[from] RewriteError),
    #[error("libtorch: {0}")]
    Torch(String),
}

/// Why a snapshot cannot be written, read or taken up.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    #[error("snapshot `{}`: cannot write: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("snapshot `{}`: cannot read: {source}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` is damaged or no snapshot ({source}); remove it to begin anew", path.display())]
    Form { path: PathBuf, source: SafeTensorError },
    #[error("snapshot `{}` is damaged: its content is not what was written; remove it to begin anew", path.display())]
    Damaged { path: PathBuf },
    #[error("`{}` is damaged or no snapshot ({reason}); remove it to begin anew", path.display())]
    State { path: PathBuf, reason: String },
    #[error("the snapshot has format version {found}; this program reads version {known}")]
    Version { found: u32, known: u32 },
    #[error(
        "the snapshot is of fine-tuning with other options, {found}: give these to go on from it, or name another file to begin anew"
    )]
    Options { found: String },
    #[error("the snapshot is of another network: its tensors differ")]
    Network,
    #[error("the snapshot is of fine-tuning on {found} training images; there are {images} now")]
    Images { found: u64, images: u64 },
    #[error("the snapshot has no tensor `{0}` of the right size")]
    Tensor(&'static str),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for SnapshotError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl From<TchError> for TuneError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

impl From<ExecError> for TuneError {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Cancelled => Self::Cancelled,
            other => Self::Exec(other),
        }
    }
}

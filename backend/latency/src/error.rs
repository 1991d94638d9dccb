//! Why a latency was not measured.

use std::path::PathBuf;

use crate::names::{LIBRARY, OLDEST, VARIABLE};

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LatencyError {
    #[error(
        "ONNX Runtime was not found ({looked}); run `cargo xtask setup`, or set {VARIABLE} to the file `{LIBRARY}.*` of \
         ONNX Runtime {OLDEST} or newer (the Python package `onnxruntime` has it in its folder `capi`)"
    )]
    Absent { looked: String },
    #[error(
        "{} cannot be loaded as ONNX Runtime: {reason}; run `cargo xtask setup`, or set {VARIABLE} to the file \
         `{LIBRARY}.*` of ONNX Runtime {OLDEST} or newer",
        path.display()
    )]
    Library { path: PathBuf, reason: String },
    #[error("ONNX Runtime is already loaded from {}, so {} cannot be loaded as well", loaded.display(), path.display())]
    OtherLibrary { loaded: PathBuf, path: PathBuf },
    #[error("ONNX Runtime cannot load {}: {reason}", path.display())]
    Network { path: PathBuf, reason: String },
    #[error("{} has {found} inputs; the latency of networks with one input can be measured", path.display())]
    Inputs { path: PathBuf, found: usize },
    #[error("input `{name}` of {} is of type {found}; images are floating-point tensors", path.display())]
    InputType { path: PathBuf, name: String, found: String },
    #[error("ONNX Runtime cannot run {}: {reason}", path.display())]
    Run { path: PathBuf, reason: String },
    #[error("ONNX Runtime broke down: {reason}")]
    BrokeDown { reason: String },
    #[error("cancelled")]
    Cancelled,
}

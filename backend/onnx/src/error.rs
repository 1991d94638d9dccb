//! Everything that can go wrong between an ONNX file and the graph.

use std::path::PathBuf;

/// Why an ONNX file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OnnxError {
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: std::io::Error },
}

//! ONNX files to a graph and back.
//!
//! The `.proto` of the specification is the whole interface to the format: [`proto`] is generated from it. Importing lowers
//! every node to the closed set of operations of `eagleeye-graph`; exporting always writes from the graph, so nothing of a
//! file that the graph does not know has to survive.

mod error;
pub mod export;
mod functions;
mod import;
mod proto;

pub use error::OnnxError;
pub use import::{INPUT_SHAPE, Imported, Operator, families, folded_operators, read, read_with};

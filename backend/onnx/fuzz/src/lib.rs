//! What the fuzz target `import` is made of: mutations of ONNX models, and what is done with a file.

pub mod flow;
mod initializers;
pub mod mutate;
mod nodes;
mod random;

/// The messages of ONNX.
#[allow(clippy::all, rustdoc::all)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
}

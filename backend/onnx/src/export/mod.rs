//! The graph as an ONNX file: weights inline, the batch symbolic, opset 17 unless another is asked for.
//!
//! Every operation is lowered to operators of the ONNX standard that mean the same for every batch size. Where ONNX and
//! PyTorch round or count in different ways (pooling with `ceil`, adaptive bins, interpolation), the difference is settled
//! here, from the graph's known shapes, rather than left to how a runtime reads an attribute.

mod adaptive;
mod attribute;
mod convolution;
pub(crate) mod element;
mod elementwise;
mod error;
mod file;
mod layout;
mod linear;
mod names;
mod norm;
mod operators;
mod opset;
mod pooling;
mod reduction;
mod resize;
mod writer;

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, Precision, TensorData};

pub use error::ExportError;
pub use opset::{Opset, OpsetError};

/// The bytes of an ONNX file with the network and its weights (ONNX IR version 8, opset 17).
///
/// `weights` are the tensors of `graph.parameters`, in that order. Initializers have the parameters' names (a tied tensor
/// its first name) and element types; parameters that no node reads are left out. Inputs and outputs are `f32`, with the
/// dimension parameter `batch` where their size is the batch's. `metadata` becomes the file's `metadata_props`. The same
/// arguments give the same bytes. [`write_in`] writes networks in other element types.
///
/// Errors: weights that are not those of the graph, an operation that ONNX cannot express (names node and operator), or
/// more than the 2 GiB that fit into one file.
pub fn write(
    graph: &Graph,
    weights: &[TensorData],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    write_in(graph, weights, &Precision::default(), metadata)
}

/// As [`write()`], with nodes, inputs and outputs in the element types of `precision`.
///
/// Nodes compute in `f16` or `f32`. ONNX's operators of opset 17 are not all there in `bf16`, and ONNX Runtime has no
/// convolution in either `bf16` or `f64`, so that these are cast to `f32` where a node reads them; initializers, inputs and
/// outputs keep their type.
pub fn write_in(
    graph: &Graph,
    weights: &[TensorData],
    precision: &Precision,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    write_at(Opset::default(), graph, weights, precision, metadata)
}

/// As [`write_in`], in another version of ONNX's operators. An operation that it has no operator for is an error that names the
/// node.
pub fn write_at(
    opset: Opset,
    graph: &Graph,
    weights: &[TensorData],
    precision: &Precision,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    file::check_weights(graph, weights)?;
    let network = operators::lower(opset, graph, weights, precision)?;
    file::encode(opset, &network, weights, metadata)
}

#[cfg(test)]
mod tests;

//! Graph and weights to a TorchScript file.

use std::collections::BTreeMap;
use std::path::Path;

use eagleeye_graph::{Dim, Graph, ParameterKind, Precision};
use tch::Tensor;

use super::error::TorchScriptError;
use super::ffi::{ModuleBuilder, Slot};
use super::tensors::is_float;
use super::{INPUT_SHAPE, names, source};

/// Key of the metadata that says which attribute holds which parameter, where a name could not be kept.
pub const PARAMETER_NAMES: &str = "parameter_names";

/// Writes the network as a TorchScript file that plain PyTorch loads.
///
/// `weights` are the tensors by parameter. `state_dict()` of the loaded module has the parameters' names, unused ones and
/// aliases included; `forward` takes any batch. `metadata` becomes extra files (`torch.jit.load(.., _extra_files=..)`), with
/// the input shape added.
///
/// # Errors
/// [`TorchScriptError::Weights`] where a tensor does not have its parameter's shape, [`TorchScriptError::Write`] for an
/// operation that PyTorch cannot express, [`TorchScriptError::Save`] for what libtorch refuses.
pub fn write(
    graph: &Graph,
    weights: &[Tensor],
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<(), TorchScriptError> {
    write_in(graph, weights, &Precision::default(), metadata, path)
}

/// As [`write()`], with nodes, inputs and outputs in the element types of `precision`. Tensors are stored as they are, and cast
/// where a node that reads them computes in another type; inputs may have any type.
pub fn write_in(
    graph: &Graph,
    weights: &[Tensor],
    precision: &Precision,
    metadata: &BTreeMap<String, String>,
    path: &Path,
) -> Result<(), TorchScriptError> {
    let paths = names::attribute_paths(graph);
    let mut builder = ModuleBuilder::new().map_err(TorchScriptError::Save)?;
    for (index, parameter) in graph.parameters.iter().enumerate() {
        let tensor = weights.get(index).filter(|t| same_shape(&parameter.shape, t)).ok_or_else(|| {
            let found = weights.get(index).map(Tensor::size).unwrap_or_default();
            TorchScriptError::Weights { name: parameter.name.clone(), expected: parameter.shape.clone(), found }
        })?;
        let slot = slot(parameter.kind, tensor);
        // A tensor of its own, so that learning on the written module's parameters does not touch the engine's.
        let tensor = tensor.f_detach()?.f_contiguous()?.f_set_requires_grad(matches!(slot, Slot::Parameter))?;
        for name in std::iter::once(&parameter.name).chain(&parameter.aliases) {
            let path = paths.get(name).map_or(name.as_str(), String::as_str);
            builder.tensor(path, slot, &tensor).map_err(TorchScriptError::Save)?;
        }
    }
    builder.define(&source::forward(graph, &paths, weights, precision)?).map_err(TorchScriptError::Save)?;
    builder.save(path, &extra_files(graph, metadata, &paths)).map_err(TorchScriptError::Save)
}

fn same_shape(expected: &[usize], tensor: &Tensor) -> bool {
    tensor.size().iter().map(|&s| s as usize).eq(expected.iter().copied())
}

fn slot(kind: ParameterKind, tensor: &Tensor) -> Slot {
    match kind {
        // Only floats can be learned; PyTorch refuses others as parameters.
        ParameterKind::Parameter if is_float(tensor.kind()) => Slot::Parameter,
        ParameterKind::Parameter | ParameterKind::Buffer => Slot::Buffer,
        ParameterKind::Constant => Slot::Attribute,
    }
}

fn extra_files(
    graph: &Graph,
    metadata: &BTreeMap<String, String>,
    paths: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let mut files = metadata.clone();
    files.insert(INPUT_SHAPE.to_owned(), input_shapes(graph));
    let changed: BTreeMap<&String, &String> = paths.iter().filter(|(name, path)| name != path).collect();
    if changed.is_empty() {
        files.remove(PARAMETER_NAMES);
    } else {
        files.insert(PARAMETER_NAMES.to_owned(), serde_json::json!(changed).to_string());
    }
    files.into_iter().collect()
}

/// Shapes for a batch of one, several inputs separated by semicolons.
fn input_shapes(graph: &Graph) -> String {
    let shape = |dims: &[Dim]| dims.iter().map(|d| d.sample().to_string()).collect::<Vec<_>>().join(",");
    graph.inputs.iter().map(|&input| shape(graph.shape(input))).collect::<Vec<_>>().join(";")
}

//! What the nodes of a graph use its initializers for, and which of its `Constant` nodes are initializers in all but name.

use std::collections::{HashMap, HashSet};

use super::tensor;
use crate::proto::{GraphProto, NodeProto};

/// How initializers are used, by name.
#[derive(Debug, Default)]
pub(super) struct Uses<'a> {
    /// Running statistics of batch norms.
    pub buffers: HashSet<&'a str>,
    /// Those that are used at several places, also by way of an `Identity` or a `Cast`.
    pub shared: HashSet<&'a str>,
    /// Outputs of `Constant` nodes that hold the weights of layers: some exporters store all tensors so.
    pub weights: HashSet<&'a str>,
}

impl<'a> Uses<'a> {
    pub fn of(graph: &'a GraphProto) -> Self {
        let mut uses = Self { weights: constant_weights(graph), ..Self::default() };
        let stored = graph.initializer.iter().map(|t| t.name()).chain(uses.weights.iter().copied());
        let mut aliases: HashMap<&str, &str> = stored.map(|name| (name, name)).collect();
        let mut seen = HashSet::new();
        for node in &graph.node {
            let stored = node.input.iter().map(|name| aliases.get(name.as_str()).copied());
            if matches!(node.op_type(), "Identity" | "Cast")
                && let (Some(Some(stored)), Some(output)) = (stored.clone().next(), node.output.first())
            {
                aliases.insert(output, stored);
                continue;
            }
            for (index, stored) in stored.enumerate().filter_map(|(index, stored)| Some((index, stored?))) {
                if !seen.insert(stored) {
                    uses.shared.insert(stored);
                }
                if node.op_type() == "BatchNormalization" && index >= 3 {
                    uses.buffers.insert(stored);
                }
            }
        }
        uses
    }
}

/// Outputs of `Constant` nodes that layers read as weights, as they are or behind operators that weights pass through.
fn constant_weights(graph: &GraphProto) -> HashSet<&str> {
    let (mut read, mut passed) = (HashSet::new(), HashSet::new());
    let mut weights = HashSet::new();
    let constants: HashSet<&str> = graph
        .node
        .iter()
        .filter(|n| n.op_type() == "Constant")
        .filter_map(|n| n.output.first())
        .map(|o| &o[..])
        .collect();
    for node in graph.node.iter().rev() {
        let inputs = node.input.iter().map(String::as_str).enumerate();
        if let Some(output) = node.output.first().map(String::as_str) {
            let floats = node.attribute.iter().find(|a| a.name() == "value").and_then(|a| a.t.as_ref());
            let axes = floats.filter(|t| tensor::is_float(t)).map_or(0, |t| t.dims.len());
            // A vector behind an operator can be anything that is added to an activation.
            let weight = (axes > 0 && read.contains(output)) || (axes > 1 && passed.contains(output));
            if node.op_type() == "Constant" && weight {
                weights.insert(output);
            }
            if read.contains(output) || passed.contains(output) {
                passed.extend(inputs.clone().filter(|(index, _)| passes(node, *index)).map(|(_, name)| name));
            }
        }
        // What constants alone decide is no layer.
        if node.input.first().is_some_and(|x| !constants.contains(x.as_str())) {
            read.extend(inputs.filter(|(index, _)| is_weight(node, *index)).map(|(_, name)| name));
        }
    }
    weights
}

fn is_weight(node: &NodeProto, input: usize) -> bool {
    match node.op_type() {
        "Conv" | "ConvTranspose" | "Gemm" => matches!(input, 1 | 2),
        "MatMul" | "PRelu" => input == 1,
        "BatchNormalization" => (1..=4).contains(&input),
        "LayerNormalization" | "GroupNormalization" | "InstanceNormalization" => matches!(input, 1 | 2),
        _ => false,
    }
}

fn passes(node: &NodeProto, input: usize) -> bool {
    match node.op_type() {
        "Transpose" | "Reshape" | "Unsqueeze" | "Squeeze" | "Flatten" | "Identity" | "Cast" => input == 0,
        "Mul" | "Div" | "Add" | "Sub" => true,
        _ => false,
    }
}

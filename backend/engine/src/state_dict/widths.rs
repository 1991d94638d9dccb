//! Which widths a class's modules have in the pruned network, and whether widths are all that differs.

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::{Graph, Node, Op, Parameter, ParameterId, ParameterKind, ValueId};
use serde::Serialize;

use super::error::StateDictError;
use crate::network::{Format, Network};

/// How wide a module is, by the names that PyTorch's modules have for it.
pub(super) type Widths = BTreeMap<&'static str, Width>;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Width {
    Count(usize),
    Shape(Vec<usize>),
}

/// What differs from the full network.
#[derive(Debug, PartialEq)]
pub(super) struct Narrowing {
    /// By module.
    pub widths: BTreeMap<String, Widths>,
    /// By name in the `state_dict`, further names of tied tensors included.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Groups of convolutions and group norms, by the names of their weights.
    pub groups: BTreeMap<String, usize>,
    /// Counters of batch norms that the file does not have, as ONNX files; a `state_dict` does.
    pub counters: BTreeSet<String>,
}

impl Narrowing {
    /// # Errors
    /// Where the network has tensors that a `state_dict` of the full network's class does not have, or where a module would
    /// need more than other widths.
    pub fn between(full: &Network, pruned: &Network) -> Result<Self, StateDictError> {
        let (format, full, pruned) = (full.format, &full.graph, &pruned.graph);
        same_tensors(format, full, pruned)?;
        let parts = || full.parameters.iter().zip(&pruned.parameters);
        if let Some((constant, _)) =
            parts().find(|(own, new)| own.kind == ParameterKind::Constant && own.shape != new.shape)
        {
            return Err(StateDictError::Constant { tensor: constant.name.clone(), node: reader(full, &constant.name) });
        }
        let shapes = parts().filter(|(own, new)| own.shape != new.shape);
        let shapes = shapes.flat_map(|(_, new)| names(new).map(|name| (name.to_owned(), new.shape.clone())));
        let mut narrowing = Self { widths: changed(full, pruned), shapes: shapes.collect(), ..Self::counting(pruned) };
        for (own, new) in full.nodes.iter().zip(&pruned.nodes) {
            narrowing.regroup(full, pruned, own, new)?;
        }
        Ok(narrowing)
    }

    fn counting(graph: &Graph) -> Self {
        let known: BTreeSet<&str> = graph.parameters.iter().flat_map(names).collect();
        let norms = graph.nodes.iter().filter_map(|node| module_of_norm(graph, node));
        let counters = norms.map(|module| format!("{module}.num_batches_tracked"));
        let counters = counters.filter(|counter| !known.contains(counter.as_str())).collect();
        Self { widths: BTreeMap::new(), shapes: BTreeMap::new(), groups: BTreeMap::new(), counters }
    }

    fn regroup(&mut self, full: &Graph, pruned: &Graph, own: &Node, new: &Node) -> Result<(), StateDictError> {
        let groups = match (&own.op, &new.op) {
            (Op::Conv(own), Op::Conv(new)) if own.groups != new.groups => new.groups,
            (Op::GroupNorm { groups: own, .. }, Op::GroupNorm { groups: new, .. }) if own != new => *new,
            (Op::LayerNorm { axes, .. }, Op::LayerNorm { .. }) if own.inputs.len() == 1 => {
                let of = |graph: &Graph, node: &Node| {
                    let shape = graph.shape(node.inputs[0]);
                    shape[shape.len() - axes..].to_vec()
                };
                let alike = of(full, own) == of(pruned, new);
                return if alike { Ok(()) } else { Err(StateDictError::NoModule { node: own.name.clone() }) };
            }
            _ => return Ok(()),
        };
        match new.inputs.get(1).and_then(|&weight| stored(pruned, weight)) {
            Some(weight) => {
                self.groups.insert(weight.name.clone(), groups);
                Ok(())
            }
            None => Err(StateDictError::NoModule { node: own.name.clone() }),
        }
    }
}

/// Every name of a tensor, its own first.
pub(super) fn names(parameter: &Parameter) -> impl Iterator<Item = &str> {
    std::iter::once(&parameter.name).chain(&parameter.aliases).map(String::as_str)
}

/// Both networks have the tensors of a `state_dict`.
fn same_tensors(format: Format, full: &Graph, pruned: &Graph) -> Result<(), StateDictError> {
    let own: BTreeMap<&str, &Parameter> = full.parameters.iter().map(|p| (p.name.as_str(), p)).collect();
    if let Some(added) = pruned.parameters.iter().find(|p| !own.contains_key(p.name.as_str())) {
        return Err(StateDictError::Added { tensor: added.name.clone(), node: reader(pruned, &added.name) });
    }
    for parameter in &full.parameters {
        if let Some(computed) = &parameter.computed {
            let (tensor, node) = (parameter.name.clone(), reader(full, &parameter.name));
            return Err(StateDictError::Computed { tensor, node, from: computed.from.clone() });
        }
        let is_known = parameter.kind == ParameterKind::Constant || format != Format::Onnx || !is_made(&parameter.name);
        if !is_known {
            let (tensor, node) = (parameter.name.clone(), reader(full, &parameter.name));
            return Err(StateDictError::NotOfTheClass { tensor, node });
        }
    }
    Ok(())
}

/// Whether an exporter to ONNX has made up the name: `onnx::Conv_123`, `/layer1/Constant_output_0`, or a number.
fn is_made(name: &str) -> bool {
    name.contains("::") || name.contains('/') || name.chars().all(|c| c.is_ascii_digit())
}

/// The first node that reads a tensor, for messages.
fn reader(graph: &Graph, tensor: &str) -> String {
    let reads = |node: &&Node| {
        node.inputs.iter().any(|&input| stored(graph, input).is_some_and(|parameter| parameter.name == tensor))
    };
    graph.nodes.iter().find(reads).map(|node| node.name.clone()).unwrap_or_default()
}

fn stored(graph: &Graph, value: ValueId) -> Option<&Parameter> {
    graph.parameter_of(value).map(|id: ParameterId| graph.parameter(id))
}

/// The modules whose widths are not those that they have in the full network.
fn changed(full: &Graph, pruned: &Graph) -> BTreeMap<String, Widths> {
    let mut modules = BTreeMap::new();
    for (own, new) in full.nodes.iter().zip(&pruned.nodes) {
        let (Some((_, before)), Some((name, after))) = (module(full, own), module(pruned, new)) else { continue };
        if before != after {
            modules.insert(name, after);
        }
    }
    modules
}

/// The module that a node is the call of, and how wide it is. It is found by its weight.
fn module(graph: &Graph, node: &Node) -> Option<(String, Widths)> {
    let count = Width::Count;
    let of_weight = || {
        let weight = stored(graph, *node.inputs.get(1)?)?;
        Some((weight.name.strip_suffix(".weight")?.to_owned(), &weight.shape))
    };
    Some(match &node.op {
        Op::Conv(conv) => {
            let (name, shape) = of_weight()?;
            let (inputs, outputs) = match conv.transposed {
                None => (shape[1] * conv.groups, shape[0]),
                Some(_) => (shape[0], shape[1] * conv.groups),
            };
            let widths = [("in_channels", inputs), ("out_channels", outputs), ("groups", conv.groups)];
            (name, widths.map(|(name, width)| (name, count(width))).into())
        }
        Op::Linear { transposed: false } => {
            let (name, shape) = of_weight()?;
            (name, [("in_features", count(shape[1])), ("out_features", count(shape[0]))].into())
        }
        Op::BatchNorm { .. } => {
            let channels = graph.shape(node.inputs[0])[1].sample();
            (module_of_norm(graph, node)?, [("num_features", count(channels))].into())
        }
        Op::LayerNorm { .. } => {
            let (name, shape) = of_weight()?;
            (name, [("normalized_shape", Width::Shape(shape.clone()))].into())
        }
        // Instance norms are read as group norms of single channels, and call their channels features.
        Op::GroupNorm { groups, .. } => {
            let (name, shape) = of_weight()?;
            let widths = [("num_channels", shape[0]), ("num_features", shape[0]), ("num_groups", *groups)];
            (name, widths.map(|(name, width)| (name, count(width))).into())
        }
        Op::PRelu => {
            let (name, shape) = of_weight()?;
            (name, [("num_parameters", count(shape[0]))].into())
        }
        _ => return None,
    })
}

/// The module of a batch norm, by its running statistics: not all have a weight.
fn module_of_norm(graph: &Graph, node: &Node) -> Option<String> {
    let Op::BatchNorm { .. } = node.op else { return None };
    let mean = stored(graph, *node.inputs.get(node.inputs.len().checked_sub(2)?)?)?;
    Some(mean.name.strip_suffix(".running_mean")?.to_owned())
}

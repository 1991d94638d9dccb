//! Weights that a file does not store but computes: masked, scaled and standardised ones, weight norm, views of others.
//!
//! What the file alone decides is computed once, when the network is read, and is a weight like any other from then on: label
//! propagation, the filters' norms and the folding of batch norms need no case of their own. That has to come before pruning:
//! a norm over slices that are gone would be another one. Reports still name the file's own tensors, by
//! [`Computed::slices`]. A weight that depends on the network's input stays computed, which locks its layer.

mod evaluation;
mod name;
mod slices;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::{Computed, Graph, Node, NodeId, Op, ParameterId, ParameterKind, SourceSlices, ValueId};
use tch::{Kind, Tensor};

use crate::network::Network;
use crate::rewrite::{Rewrite, RewriteError};
use evaluation::Evaluation;

/// Operations between stored tensors and a weight; real ones take ten.
const MAX_NODES: usize = 256;

/// The network with every weight of a convolution or linear layer, and every bias of a convolution, stored that can be
/// computed from stored tensors. Tensors that nothing else reads are gone then.
///
/// # Errors
/// What libtorch says against an operation on stored tensors.
pub(crate) fn store_computed_weights(network: Network) -> Result<Network, RewriteError> {
    let constants = Constants::of(&network.graph);
    let layers = constants.layers();
    let mut evaluation = Evaluation::new(&network);
    let mut computed = BTreeMap::new();
    for wanted in constants.wanted(&layers) {
        let Some(part) = Part::of(&network.graph, &constants, wanted) else { continue };
        if let Some(weight) = evaluation.value(&part.nodes, wanted.value, &BTreeMap::new())?
            && weight.f_kind()? == Kind::Float
        {
            let from = part.sources(&network, &mut evaluation, &weight)?;
            computed.insert(wanted.value, (wanted, part, from, weight));
        }
    }
    let products = layers.keys().any(|id| matches!(network.graph.node(*id).op, Op::MatMul));
    if computed.is_empty() && !products {
        return Ok(network);
    }
    rewritten(&network, &layers, computed)
}

/// A convolution or linear layer with a weight that the file alone decides.
struct Layer {
    op: Op,
    inputs: Vec<ValueId>,
}

/// A value that is to be stored, and which input of its layer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    value: ValueId,
    input: usize,
}

/// Which values depend on stored tensors alone.
struct Constants<'a> {
    graph: &'a Graph,
    constant: Vec<bool>,
    consumers: Vec<Vec<NodeId>>,
}

impl<'a> Constants<'a> {
    fn of(graph: &'a Graph) -> Self {
        let mut constant: Vec<bool> = graph.value_ids().map(|value| graph.parameter_of(value).is_some()).collect();
        for node in &graph.nodes {
            let fixed =
                node.outputs.iter().all(|&o| graph.shape(o).iter().all(|d| matches!(d, eagleeye_graph::Dim::Fixed(_))));
            if fixed && node.inputs.iter().all(|input| constant[input.index()]) {
                node.outputs.iter().for_each(|output| constant[output.index()] = true);
            }
        }
        Self { graph, constant, consumers: graph.consumers() }
    }

    fn is_constant(&self, value: ValueId) -> bool {
        self.constant[value.index()]
    }

    /// Every layer with a constant weight. A product with a constant matrix is a linear layer too, as it is with a stored one.
    fn layers(&self) -> BTreeMap<NodeId, Layer> {
        let layers = self.graph.nodes_with_ids().filter_map(|(id, node)| {
            let &[x, weight, ..] = &node.inputs[..] else { return None };
            if self.is_constant(x) || !self.is_constant(weight) {
                return None;
            }
            let layer = match node.op {
                Op::Conv(_) | Op::Linear { .. } => Layer { op: node.op.clone(), inputs: node.inputs.clone() },
                Op::MatMul if self.graph.shape(weight).len() == 2 => self.linear(x, weight),
                _ => return None,
            };
            Some((id, layer))
        });
        layers.collect()
    }

    fn linear(&self, x: ValueId, matrix: ValueId) -> Layer {
        let producer = self.graph.producer(matrix).map(|id| self.graph.node(id));
        match producer {
            Some(Node { op: Op::Permute { order }, inputs, .. }) if *order == [1, 0] => {
                Layer { op: Op::Linear { transposed: false }, inputs: vec![x, inputs[0]] }
            }
            _ => Layer { op: Op::Linear { transposed: true }, inputs: vec![x, matrix] },
        }
    }

    /// Weights and biases of layers that are constant and not stored, each once. A linear layer's bias can stay computed:
    /// nothing is folded into it, and its labels pass.
    fn wanted(&self, layers: &BTreeMap<NodeId, Layer>) -> Vec<Wanted> {
        let mut seen = BTreeSet::new();
        let mut wanted = Vec::new();
        for layer in layers.values() {
            let inputs = layer.inputs.iter().copied().enumerate().skip(1);
            for (input, value) in inputs.filter(|(input, _)| *input == 1 || matches!(layer.op, Op::Conv(_))) {
                let computed = self.is_constant(value) && self.graph.parameter_of(value).is_none();
                if computed && seen.insert(value) {
                    wanted.push(Wanted { value, input });
                }
            }
        }
        wanted
    }
}

/// The part of the network that computes one weight.
struct Part<'a> {
    graph: &'a Graph,
    /// Of the weight that channels can be along: outputs and inputs of a layer.
    axes: usize,
    value: ValueId,
    nodes: Vec<&'a Node>,
    /// Values of the stored tensors that it reads.
    tensors: Vec<ValueId>,
    /// Those of which nothing else depends.
    own: BTreeSet<ValueId>,
}

impl<'a> Part<'a> {
    /// `None` where it is larger than [`MAX_NODES`].
    fn of(graph: &'a Graph, constants: &Constants, wanted: Wanted) -> Option<Self> {
        let mut open = vec![wanted.value];
        let (mut ids, mut tensors) = (BTreeSet::new(), BTreeSet::new());
        while let Some(value) = open.pop() {
            if ids.len() > MAX_NODES {
                return None;
            }
            match graph.producer(value) {
                Some(id) if ids.insert(id) => open.extend(&graph.node(id).inputs),
                Some(_) => {}
                None => {
                    tensors.insert(value);
                }
            }
        }
        let nodes = ids.iter().map(|&id| graph.node(id)).collect();
        let own = tensors.iter().copied().filter(|&tensor| {
            let mut open = vec![tensor];
            let mut seen = BTreeSet::new();
            while let Some(value) = open.pop() {
                if value == wanted.value || !seen.insert(value) {
                    continue;
                }
                if graph.outputs.contains(&value) {
                    return false;
                }
                for reader in &constants.consumers[value.index()] {
                    if !ids.contains(reader) {
                        return false;
                    }
                    open.extend(&graph.node(*reader).outputs);
                }
            }
            true
        });
        let own = own.collect();
        let axes = if wanted.input == 1 { 2 } else { 1 };
        Some(Self { graph, axes, value: wanted.value, nodes, tensors: tensors.into_iter().collect(), own })
    }

    /// What the weight comes from, and which slices of it stand for its own. What the operations promise is tried: a norm in a
    /// denominator is zero as well.
    fn sources(
        &self,
        network: &Network,
        evaluation: &mut Evaluation,
        weight: &Tensor,
    ) -> Result<Computed, RewriteError> {
        let named = |value: ValueId| self.graph.parameter_of(value).map(|id| (id, self.graph.parameter(id)));
        let stored = self.tensors.iter().filter_map(|&value| named(value));
        let stored = stored.filter(|(_, p)| p.kind != ParameterKind::Constant);
        let mut computed = Computed { from: stored.map(|(_, p)| p.name.clone()).collect(), slices: Vec::new() };
        for &tensor in &self.own {
            let Some((id, parameter)) = named(tensor) else { continue };
            if parameter.kind == ParameterKind::Constant {
                continue;
            }
            let axes = (0..self.axes.min(weight.dim()))
                .flat_map(|axis| (0..parameter.shape.len()).map(move |own| (axis, own)));
            for (axis, tensor_axis) in axes {
                if !evaluation.afford(self.nodes.len().saturating_mul(parameter.shape[tensor_axis])) {
                    continue;
                }
                let found = slices::standing_for(self.graph, &self.nodes, self.value, axis, tensor, tensor_axis);
                let Some(indices) = found else { continue };
                let every_other: Vec<usize> = (0..indices.len()).step_by(2).collect();
                let zeroed = every_other.iter().flat_map(|&i| &indices[i]).map(|&i| i as usize).collect::<Vec<_>>();
                let changed = filled(network.weight(id), tensor_axis, &zeroed)?;
                let changed = evaluation.value(&self.nodes, self.value, &BTreeMap::from([(tensor, changed)]))?;
                if let Some(changed) = changed
                    && changed.f_equal(&filled(weight, axis, &every_other)?)?
                {
                    let tensor = parameter.name.clone();
                    computed.slices.push(SourceSlices { axis, tensor, tensor_axis, indices });
                }
            }
        }
        Ok(computed)
    }
}

/// With zeros at these indices along an axis.
fn filled(tensor: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor, RewriteError> {
    let indices =
        Tensor::f_from_slice(&eagleeye_torchscript::tensors::signed(indices))?.f_to_device(tensor.device())?;
    let zero = Tensor::f_zeros([0i64; 0], (tensor.f_kind()?, tensor.device()))?;
    Ok(tensor.f_index_fill_int_tensor(axis as i64, &indices, &zero)?)
}

type Stored<'a> = BTreeMap<ValueId, (Wanted, Part<'a>, Computed, Tensor)>;

/// The network with these values stored, without what nothing reads any more.
fn rewritten(network: &Network, layers: &BTreeMap<NodeId, Layer>, computed: Stored) -> Result<Network, RewriteError> {
    let graph = &network.graph;
    let inputs_of = |id: NodeId, node: &Node| layers.get(&id).map_or_else(|| node.inputs.clone(), |l| l.inputs.clone());
    let mut read: BTreeSet<ValueId> = graph.outputs.iter().copied().collect();
    for (id, node) in graph.nodes_with_ids().collect::<Vec<_>>().into_iter().rev() {
        let needed = node.outputs.iter().any(|output| read.contains(output) && !computed.contains_key(output));
        if needed {
            read.extend(inputs_of(id, node));
        }
    }
    // Tensors that the file stores and does not use stay, as they do in every network.
    let parts = computed.values().flat_map(|(_, part, ..)| part.tensors.iter().copied());
    let used_up: BTreeSet<ParameterId> =
        parts.filter(|tensor| !read.contains(tensor)).filter_map(|tensor| graph.parameter_of(tensor)).collect();
    let gone = |id: ParameterId| used_up.contains(&id);
    let mut rewrite = Rewrite::new(network, |id| !gone(id))?;
    let mut names = name::Names::new(graph, gone);
    let mut copies = BTreeMap::new();
    for (value, (wanted, part, from, weight)) in computed {
        let tensors: Vec<ParameterId> = part.tensors.iter().filter_map(|&t| graph.parameter_of(t)).collect();
        let of_kind = |kind| tensors.iter().any(|&t| graph.parameter(t).kind == kind);
        let kinds = [ParameterKind::Parameter, ParameterKind::Buffer];
        let kind = kinds.into_iter().find(|&kind| of_kind(kind)).unwrap_or(ParameterKind::Constant);
        let name = names.of(&tensors, kind, wanted.input);
        let (id, copy) = rewrite.parameter(&name, weight, kind)?;
        rewrite.computed(id, from);
        rewrite.replace(value, copy);
        copies.insert(value, copy);
    }
    for (id, node) in graph.nodes_with_ids() {
        if !node.outputs.iter().any(|output| read.contains(output) && !copies.contains_key(output)) {
            continue;
        }
        match layers.get(&id) {
            Some(layer) => {
                let inputs = rewrite.copies(&layer.inputs, node)?;
                let output = rewrite.push(&node.name, layer.op.clone(), &inputs)?;
                rewrite.replace(node.outputs[0], output);
            }
            None => {
                rewrite.copy(node)?;
                // A part of a split can be stored while others are not.
                for output in &node.outputs {
                    if let Some(&copy) = copies.get(output) {
                        rewrite.replace(*output, copy);
                    }
                }
            }
        }
    }
    rewrite.finish()
}

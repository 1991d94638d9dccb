//! Which layers are fitted, and to what.

use std::collections::BTreeMap;

use eagleeye_graph::{Binary, Graph, Node, NodeId, Op, ParameterId, Source, ValueId};

use eagleeye_spec::report::BatchNormState;

use super::rows::Positions;
use crate::norms::{batch_norm_state, virtual_sites};
use crate::rewrite::parameter_uses;

/// A convolution or linear layer with a weight of its own.
#[derive(Debug)]
pub(super) struct Site {
    pub node: NodeId,
    pub weight: ParameterId,
    pub bias: Option<ParameterId>,
    /// The batch norm that alone reads the output.
    pub norm: Option<NodeId>,
    /// Where the output, or that of its batch norm, is added to a value that was computed before.
    pub sum: Option<Sum>,
    /// Where the output has its rows.
    pub positions: Positions,
    /// Numbers that one output is computed from, in the full network.
    pub unknowns: usize,
    /// Whether an exporter may have folded a batch norm into it, in whose place a search puts a virtual one.
    pub has_virtual_norm: bool,
}

/// An addition whose other operand is there when the layer is fitted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    pub add: NodeId,
    pub other: ValueId,
}

/// A layer that stays as it is, and why.
pub(super) type Left = (NodeId, &'static str);

/// The layers of a full network, in order of execution: those that are fitted, and those that are not.
pub(super) fn sites(graph: &Graph) -> (Vec<Site>, Vec<Left>) {
    let (uses, readers) = (parameter_uses(graph), Readers::new(graph));
    let folded = match batch_norm_state(graph) {
        BatchNormState::Folded => virtual_sites(graph),
        BatchNormState::Present | BatchNormState::Absent => BTreeMap::new(),
    };
    let (mut sites, mut left) = (Vec::new(), Vec::new());
    for (id, node) in graph.nodes_with_ids().filter(|(_, node)| matches!(node.op, Op::Conv(_) | Op::Linear { .. })) {
        match site(graph, &uses, &readers, id, node) {
            Ok(site) => sites.push(Site { has_virtual_norm: folded.contains_key(&id), ..site }),
            Err(reason) => left.push((id, reason)),
        }
    }
    (sites, left)
}

fn site(graph: &Graph, uses: &[usize], readers: &Readers, id: NodeId, node: &Node) -> Result<Site, &'static str> {
    let weight = graph.parameter_of(node.inputs[1]).ok_or("its weight is computed from the network's input")?;
    if uses[weight.index()] > 1 {
        return Err("its weight is read by several nodes");
    }
    if graph.parameter_of(node.inputs[0]).is_some() {
        return Err("its input does not depend on the images");
    }
    let bias = match node.inputs.get(2) {
        None => None,
        Some(&bias) => match graph.parameter_of(bias) {
            Some(bias) if uses[bias.index()] == 1 => Some(bias),
            _ => return Err("its bias is read by several nodes, or computed"),
        },
    };
    let positions = Positions::of(node, graph.shape(node.outputs[0]))
        .ok_or("its output does not depend on the batch, or along its channels")?;
    let norm = readers.only(node.outputs[0]);
    let norm = norm.filter(|&reader| is_norm_of(graph, uses, graph.node(reader), node.outputs[0]));
    let summed = norm.map_or(node.outputs[0], |norm| graph.node(norm).outputs[0]);
    Ok(Site {
        node: id,
        weight,
        bias,
        norm,
        sum: sum(graph, readers, id, summed),
        positions,
        unknowns: unknowns(node, &graph.parameter(weight).shape),
        has_virtual_norm: false,
    })
}

/// Numbers that one output of a layer is computed from, by the shape of its weight.
pub(super) fn unknowns(node: &Node, weight: &[usize]) -> usize {
    match &node.op {
        Op::Conv(conv) if conv.transposed.is_some() => weight[0] / conv.groups * weight[2..].iter().product::<usize>(),
        Op::Linear { transposed: true } => weight[0],
        _ => weight[1..].iter().product(),
    }
}

/// Groups of a convolution; 1 for a linear layer.
pub(super) fn groups_of(node: &Node) -> usize {
    match &node.op {
        Op::Conv(conv) => conv.groups,
        _ => 1,
    }
}

/// Whether a node is a batch norm of a value, with statistics of its own.
fn is_norm_of(graph: &Graph, uses: &[usize], node: &Node, value: ValueId) -> bool {
    let own = |input: &ValueId| graph.parameter_of(*input).is_some_and(|parameter| uses[parameter.index()] == 1);
    let statistics = node.inputs.len().saturating_sub(2);
    matches!(node.op, Op::BatchNorm { .. }) && node.inputs[0] == value && node.inputs[statistics..].iter().all(own)
}

/// The addition that alone reads a value, if its other operand has the same shape and is computed before `layer`.
fn sum(graph: &Graph, readers: &Readers, layer: NodeId, value: ValueId) -> Option<Sum> {
    let add = readers.only(value)?;
    let node = graph.node(add);
    let (Op::Binary(Binary::Add), &[a, b]) = (&node.op, &node.inputs[..]) else { return None };
    let other = if a == value { b } else { a };
    let is_there = match graph.value(other).source {
        Source::Input(_) => true,
        Source::Node(producer, _) => producer < layer,
        Source::Parameter(_) => false,
    };
    (is_there && other != value && graph.shape(other) == graph.shape(value)).then_some(Sum { add, other })
}

/// Who reads the values of a graph.
struct Readers {
    of: Vec<Vec<NodeId>>,
    outputs: Vec<ValueId>,
}

impl Readers {
    fn new(graph: &Graph) -> Self {
        Self { of: graph.consumers(), outputs: graph.outputs.clone() }
    }

    /// The node that alone reads a value.
    fn only(&self, value: ValueId) -> Option<NodeId> {
        match self.of[value.index()][..] {
            [reader] if !self.outputs.contains(&value) => Some(reader),
            _ => None,
        }
    }
}

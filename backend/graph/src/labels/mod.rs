//! Channel identities, found by running the graph once on labels instead of numbers.
//!
//! Every entry of every value carries a label, the channel that it belongs to. Convolutions and linears give out new labels,
//! pointwise operators make their operands' labels one, operators that move data move the labels. What is one label in the
//! end must be kept or removed together: no rule knows an architecture or a pair of operators.
//!
//! - [`tensor`]: label tensors, which take no room along axes where labels do not vary.
//! - [`movement`]: the operators that only move data.
//! - [`atoms`]: which labels are one, and which are locked.
//! - [`layers`], [`elementwise`], [`contraction`], [`expansion`]: what each other operator demands.
//! - [`boxes`]: values that would not stay rectangular.
//! - [`found`]: what the propagation gives back.

mod atoms;
mod boxes;
mod contraction;
mod elementwise;
mod expansion;
mod found;
mod layers;
pub(crate) mod movement;
pub(crate) mod tensor;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use atoms::{FIXED, WILD};
pub(crate) use found::{AxisLabels, Propagated, Unlabelled};
pub use found::{GroupError, Role};

use atoms::Atoms;
use movement::Fill;
use tensor::Labels;

use crate::ir::{Graph, Node, NodeId, ParameterId, Source, ValueId};
use crate::ops::{Op, PadMode};
use crate::shape;

/// Stored labels and channel identities together that one network may need. Real networks need far less than a million; this
/// is a bound for hostile files.
const MAX_LABELS: usize = 1 << 25;

/// Runs the graph on labels.
pub(crate) fn propagate(graph: &Graph) -> Result<Propagated, GroupError> {
    if let Some(empty) = graph.values.iter().find(|v| v.shape.iter().any(|d| d.sample() == 0)) {
        return Err(GroupError::Empty { value: empty.name.clone() });
    }
    let mut run = Propagation::new(graph);
    for node in &graph.nodes {
        run.node(node)?;
    }
    run.lock_outputs();
    run.lock_double_roles();
    run.make_boxes();
    Ok(run.finish())
}

struct Propagation<'g> {
    graph: &'g Graph,
    /// By value.
    consumers: Vec<Vec<NodeId>>,
    atoms: Atoms,
    values: Vec<Option<Arc<Labels>>>,
    /// Weights of convolutions and linears, whose axes have labels of their own.
    weights: BTreeMap<(ParameterId, usize), (Role, Vec<u32>)>,
    /// Values that hold one entry many times: see [`expansion`].
    copies: BTreeSet<ValueId>,
    unlabelled: Vec<Unlabelled>,
    stored: usize,
}

impl<'g> Propagation<'g> {
    fn new(graph: &'g Graph) -> Self {
        let mut values = vec![None; graph.values.len()];
        for &input in &graph.inputs {
            values[input.index()] = Some(Arc::new(Labels::uniform(shape::sample(graph.shape(input)), FIXED)));
        }
        Self {
            graph,
            consumers: graph.consumers(),
            atoms: Atoms::new(),
            values,
            weights: BTreeMap::new(),
            copies: BTreeSet::new(),
            unlabelled: Vec::new(),
            stored: 0,
        }
    }

    fn node(&mut self, node: &Node) -> Result<(), GroupError> {
        match &node.op {
            Op::Conv(conv) => self.convolution(conv, node),
            Op::Linear { transposed } => self.linear(*transposed, node),
            Op::BatchNorm { .. } | Op::PRelu => self.per_channel(node, self.channels_of(node)),
            Op::GroupNorm { groups, .. } => self.per_channel(node, *groups),
            Op::LayerNorm { axes, .. } => self.layer_norm(*axes, node),
            Op::Unary(_) => {
                let labels = self.movable(node, 0)?;
                self.pass_copies(node);
                self.set(node, labels)
            }
            Op::Binary(_) => {
                self.pass_copies(node);
                self.binary(node)
            }
            Op::Select => {
                self.pass_copies(node);
                self.select(node)
            }
            Op::MatMul => self.matmul(node),
            Op::Softmax { axis, .. } => self.softmax(*axis, node),
            Op::Pool(_) | Op::AdaptivePool { .. } | Op::Resize { .. } => self.spatial(node),
            Op::GridSample { .. } => self.grid_sample(node),
            Op::Reduce { axes, keep_dims, .. } => self.reduce(axes, *keep_dims, node),
            Op::Expand { .. } => self.expand(node),
            Op::Reshape { .. }
            | Op::Permute { .. }
            | Op::Cat { .. }
            | Op::Split { .. }
            | Op::Slice { .. }
            | Op::Gather { .. }
            | Op::Pad { .. }
            | Op::Roll { .. } => self.movement(node),
        }
    }

    fn movement(&mut self, node: &Node) -> Result<(), GroupError> {
        let inputs: Vec<Arc<Labels>> =
            (0..node.inputs.len()).map(|i| self.movable(node, i)).collect::<Result<_, _>>()?;
        if let Op::Pad { pads, mode: PadMode::Reflect | PadMode::Replicate } = &node.op
            && inputs[0].varying().iter().any(|&axis| pads[axis] != (0, 0))
        {
            self.lock_all(&inputs[0], &reason(node, "repeats channels at the edge"));
        }
        let inputs: Vec<&Labels> = inputs.iter().map(|l| &**l).collect();
        let axes = axes_of_channels(inputs[0]);
        let atoms = &mut self.atoms;
        let mut fill = Fill { axes, label: &mut |_| atoms.fresh(1)[0] };
        let moved = movement::moved(&node.op, &inputs, &mut fill).map_err(|e| misfit(node, e))?;
        for (&output, labels) in node.outputs.iter().zip(moved.into_iter().flatten()) {
            self.store(node, output, Arc::new(labels))?;
        }
        Ok(())
    }

    /// Labels of an input, each replaced by the representative of its class. A parameter that has none is fixed from here on.
    fn labels(&mut self, node: &Node, input: usize) -> Labels {
        let value = node.inputs[input];
        match &self.values[value.index()] {
            Some(labels) => labels.map(|l| self.atoms.find(l)),
            None => {
                let fixed = Labels::uniform(shape::sample(self.graph.shape(value)), FIXED);
                self.values[value.index()] = Some(Arc::new(fixed.clone()));
                fixed
            }
        }
    }

    /// Labels of an input as they are. A parameter that has none gets a label for each of its entries, since only what is
    /// done with the result tells which of its axes holds channels.
    fn movable(&mut self, node: &Node, input: usize) -> Result<Arc<Labels>, GroupError> {
        let value = node.inputs[input];
        if let Some(labels) = &self.values[value.index()] {
            return Ok(labels.clone());
        }
        let sizes = shape::sample(self.graph.shape(value));
        let count = sizes.iter().product::<usize>();
        self.count(node, 2 * count)?;
        let labels = Labels::dense(sizes, self.atoms.fresh(count)).map_err(|e| misfit(node, e))?;
        let labels = Arc::new(labels);
        self.values[value.index()] = Some(labels.clone());
        Ok(labels)
    }

    /// Sets the labels of a node's only output.
    fn set(&mut self, node: &Node, labels: Arc<Labels>) -> Result<(), GroupError> {
        self.store(node, node.outputs[0], labels)
    }

    fn store(&mut self, node: &Node, value: ValueId, labels: Arc<Labels>) -> Result<(), GroupError> {
        let shared = node
            .inputs
            .iter()
            .any(|i| self.values[i.index()].as_ref().is_some_and(|input| Arc::ptr_eq(input, &labels)));
        if !shared {
            self.count(node, labels.len())?;
        }
        debug_assert_eq!(labels.shape(), shape::sample(self.graph.shape(value)), "labels of `{}`", node.name);
        self.values[value.index()] = Some(labels);
        Ok(())
    }

    fn count(&mut self, node: &Node, labels: usize) -> Result<(), GroupError> {
        self.stored = self.stored.saturating_add(labels);
        if self.stored > MAX_LABELS {
            return Err(GroupError::TooLarge { node: node.name.clone() });
        }
        Ok(())
    }

    fn output_shape(&self, node: &Node) -> Vec<usize> {
        shape::sample(self.graph.shape(node.outputs[0]))
    }

    fn channels_of(&self, node: &Node) -> usize {
        self.graph.shape(node.inputs[0]).get(1).map_or(1, |d| d.sample())
    }

    /// Makes labels one along every axis that is not in `keep`, and returns the labels that are left.
    fn merge_onto(&mut self, labels: &Labels, keep: &[usize], why: &Arc<str>) -> Labels {
        let mut result = labels.clone();
        for axis in labels.varying().into_iter().filter(|axis| !keep.contains(axis)) {
            result = result.fold(axis, |a, b| self.atoms.join(a, b, why));
        }
        if labels.varying() == result.varying() { result } else { result.map(|l| self.atoms.find(l)) }
    }

    /// Makes the labels of two values of one shape one, entry by entry.
    fn unify(&mut self, node: &Node, a: &Labels, b: &Labels, why: &Arc<str>) -> Result<Labels, GroupError> {
        if a == b {
            return Ok(a.clone());
        }
        let joined = a.zip(b, |a, b| self.atoms.join(a, b, why)).map_err(|e| misfit(node, e))?;
        Ok(joined.map(|l| self.atoms.find(l)))
    }

    /// Gives a parameter (or, where it was computed, the value in its place) the labels of the channels that it belongs to.
    fn attach(&mut self, node: &Node, input: usize, labels: Labels) -> Result<(), GroupError> {
        let value = node.inputs[input];
        let labels = match self.values[value.index()].clone() {
            None => labels,
            Some(present) => {
                let why = reason(node, &format!("uses these channels together with {}", self.describe(value)));
                self.unify(node, &present, &labels, &why)?
            }
        };
        self.count(node, labels.len())?;
        self.values[value.index()] = Some(Arc::new(labels));
        Ok(())
    }

    /// Notes the labels along an axis of a weight. A weight that several nodes share makes their labels one.
    fn note(&mut self, node: &Node, weight: ParameterId, axis: usize, role: Role, labels: &[u32]) {
        match self.weights.get(&(weight, axis)) {
            None => {
                self.weights.insert((weight, axis), (role, labels.to_vec()));
            }
            Some((_, present)) => {
                let why = reason(node, "shares its weight with a layer whose channels are fixed");
                for (&a, &b) in present.iter().zip(labels) {
                    self.atoms.join(a, b, &why);
                }
            }
        }
    }

    /// The labels of what a weight produces along an axis: new ones, or those that a sharing node has given out.
    fn produce(&mut self, node: &Node, weight: ParameterId, axis: usize, count: usize) -> Result<Vec<u32>, GroupError> {
        if let Some((_, labels)) = self.weights.get(&(weight, axis)) {
            return Ok(labels.clone());
        }
        self.count(node, count)?;
        let labels = self.atoms.fresh(count);
        self.weights.insert((weight, axis), (Role::Produces, labels.clone()));
        Ok(labels)
    }

    fn lock_all(&mut self, labels: &Labels, why: &Arc<str>) {
        for label in labels.iter() {
            self.atoms.lock(label, why);
        }
    }

    /// Locks what a layer reads whose weight is no parameter, and notes the layer, which no parameter can stand for.
    fn give_up_layer(&mut self, node: &Node, axis: usize, what: &str) -> Result<(), GroupError> {
        let (x, weight) = (self.labels(node, 0), self.labels(node, 1));
        let channels = self.output_shape(node)[axis];
        self.unlabelled.push(Unlabelled { layer: node.name.clone(), channels, reason: reason(node, what) });
        self.give_up(node, &[&x, &weight], what)
    }

    /// Locks a node's input and leaves its output fixed: the way out where labels cannot say what the node does.
    fn give_up(&mut self, node: &Node, inputs: &[&Labels], what: &str) -> Result<(), GroupError> {
        let why = reason(node, what);
        for labels in inputs {
            self.lock_all(labels, &why);
        }
        self.set(node, Arc::new(Labels::uniform(self.output_shape(node), FIXED)))
    }

    fn lock_outputs(&mut self) {
        for &output in &self.graph.outputs {
            let why: Arc<str> = format!("reaches the network's output `{}`", self.graph.value(output).name).into();
            if let Some(labels) = self.values[output.index()].clone() {
                self.lock_all(&labels, &why);
            }
        }
    }

    /// A tensor that is a layer's weight and an operand elsewhere has two kinds of labels: neither may change.
    fn lock_double_roles(&mut self) {
        for index in 0..self.values.len() {
            let Source::Parameter(id) = self.graph.values[index].source else { continue };
            let Some(labels) = self.values[index].clone() else { continue };
            let axes: Vec<u32> =
                self.weights.range((id, 0)..=(id, usize::MAX)).flat_map(|(_, (_, labels))| labels.clone()).collect();
            if !axes.is_empty() {
                let name = &self.graph.parameter(id).name;
                let why = format!("`{name}` is used both as a weight and as an operand").into();
                self.lock_all(&labels, &why);
                axes.into_iter().for_each(|l| self.atoms.lock(l, &why));
            }
        }
    }

    /// A value in words, for reasons.
    fn describe(&self, value: ValueId) -> String {
        match self.graph.value(value).source {
            Source::Input(_) => format!("the network's input `{}`", self.graph.value(value).name),
            Source::Parameter(id) => format!("the parameter `{}`", self.graph.parameter(id).name),
            Source::Node(id, _) => format!("the output of `{}`", self.graph.node(id).name),
        }
    }

    fn finish(mut self) -> Propagated {
        let values: Vec<Option<Labels>> = std::mem::take(&mut self.values)
            .into_iter()
            .map(|labels| labels.map(|l| l.map(|label| self.atoms.find(label))))
            .collect();
        let axes = self.parameter_axes(&values);
        Propagated {
            values,
            axes,
            locked: self.atoms.locked(),
            normalised: self.atoms.normalised(),
            unlabelled: self.unlabelled,
        }
    }

    /// Every labelled axis of every parameter, in order of first use.
    fn parameter_axes(&mut self, values: &[Option<Labels>]) -> Vec<AxisLabels> {
        let mut found = Vec::new();
        for (&(parameter, axis), (role, labels)) in &self.weights {
            let labels = labels.iter().map(|&l| self.atoms.find(l)).collect();
            found.push(AxisLabels { parameter, axis, role: *role, labels });
        }
        for (value, labels) in self.graph.values.iter().zip(values) {
            let (Source::Parameter(parameter), Some(labels)) = (value.source, labels) else { continue };
            let axis = match labels.varying()[..] {
                [axis] => axis,
                [] if labels.shape().len() == 1 => 0,
                _ => continue,
            };
            found.push(AxisLabels { parameter, axis, role: Role::Follows, labels: labels.vector(axis) });
        }
        let mut first_use = vec![usize::MAX; self.graph.parameters.len()];
        let uses = self.graph.nodes.iter().flat_map(|n| &n.inputs).filter_map(|&i| self.graph.parameter_of(i));
        for (position, parameter) in uses.enumerate() {
            let first = &mut first_use[parameter.index()];
            *first = (*first).min(position);
        }
        found.sort_by_key(|a| (first_use[a.parameter.index()], a.axis));
        found
    }
}

/// The axes that hold channels: where labels vary, or axis 1 where a layer made a single channel.
fn axes_of_channels(labels: &Labels) -> Vec<usize> {
    let one_channel = labels.shape().get(1) == Some(&1) && labels.iter().all(|l| l != FIXED && l != WILD);
    match labels.varying() {
        varying if varying.is_empty() && one_channel => vec![1],
        varying => varying,
    }
}

/// `what` a node does that locks a channel, in words.
fn reason(node: &Node, what: &str) -> Arc<str> {
    format!("`{}` {what}", node.name).into()
}

fn misfit(node: &Node, source: ndarray::ShapeError) -> GroupError {
    GroupError::Labels { node: node.name.clone(), source }
}

//! The graph's interpreter: every operation on libtorch tensors, on whatever device the weights are.

mod blocked;
mod convolution;
mod elementwise;
mod layout;
mod norm;
pub(crate) mod operators;
mod pooling;

use eagleeye_graph::{Binary, Dim, Graph, Node, NodeId, Op, Source, ValueId};
use tch::{Kind, TchError, Tensor};

use crate::network::Network;
use eagleeye_torchscript::tensors::{reason, sizes};

pub use norm::BatchNormInputs;

/// Why a network cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExecError {
    #[error("the network takes {expected} inputs, but {found} were given")]
    InputCount { expected: usize, found: usize },
    #[error("input `{name}` has shape {found:?}, expected {expected}")]
    InputShape { name: String, expected: String, found: Vec<usize> },
    #[error("{operator} at `{node}`: {reason}")]
    Node { node: String, operator: &'static str, reason: String },
    #[error("libtorch: {0}")]
    Torch(String),
    #[error("cancelled")]
    Cancelled,
}

impl From<TchError> for ExecError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Looks into a forward pass. The default does nothing: plain inference with running statistics.
pub trait Hook {
    /// Asked before every node; `true` ends the pass with [`ExecError::Cancelled`].
    fn cancelled(&self) -> bool {
        false
    }

    /// Whether it looks at activations in other ways than [`Hook::batch_norm`], and needs them as plain tensors.
    fn sees_activations(&self) -> bool {
        true
    }

    /// Computes a node's only output in another way than the operator says.
    fn node(&mut self, _id: NodeId, _node: &Node, _inputs: &[&Tensor]) -> Result<Option<Tensor>, TchError> {
        Ok(None)
    }

    /// Computes a batch norm in another way than with its running statistics.
    fn batch_norm(&mut self, _batch_norm: &BatchNormInputs) -> Result<Option<Tensor>, TchError> {
        Ok(None)
    }

    /// Sees the output of a convolution before anything else does.
    fn convolution(&mut self, _node: NodeId, _output: &Tensor) -> Result<(), TchError> {
        Ok(())
    }
}

/// Plain inference.
pub struct Inference;

impl Hook for Inference {}

/// Runs a network on a batch for its first input and returns its first output.
///
/// `input` is `[N, ...]` on the device of the weights; it is converted to their element type. Errors name the node.
pub fn forward(network: &Network, input: &Tensor) -> Result<Tensor, ExecError> {
    let mut outputs = run(network, std::slice::from_ref(input), &mut Inference)?;
    Ok(outputs.swap_remove(0))
}

/// Runs a network on all of its inputs, under the eyes of a hook. Activations are freed after their last use.
pub fn run(network: &Network, inputs: &[Tensor], hook: &mut dyn Hook) -> Result<Vec<Tensor>, ExecError> {
    let _no_grad = tch::no_grad_guard();
    let is_blocked = !hook.sees_activations() && blocked::suits(network);
    pass_through(network, inputs, is_blocked, hook)
}

/// As [`run`]; gradients with respect to the weights that require them can be computed from the outputs.
pub(crate) fn run_with_gradients(
    network: &Network,
    inputs: &[Tensor],
    hook: &mut dyn Hook,
) -> Result<Vec<Tensor>, ExecError> {
    pass_through(network, inputs, false, hook)
}

fn pass_through(
    network: &Network,
    inputs: &[Tensor],
    is_blocked: bool,
    hook: &mut dyn Hook,
) -> Result<Vec<Tensor>, ExecError> {
    let mut pass = Pass::new(network, inputs, is_blocked)?;
    for (id, node) in network.graph.nodes_with_ids() {
        if hook.cancelled() {
            return Err(ExecError::Cancelled);
        }
        pass.step(id, node, hook).map_err(|error| ExecError::Node {
            node: node.name.clone(),
            operator: operator(&network.graph, node),
            reason: reason(&error),
        })?;
    }
    Ok(network.graph.outputs.iter().map(|&id| blocked::plain(pass.value(id))).collect::<Result<_, _>>()?)
}

fn operator(graph: &Graph, node: &Node) -> &'static str {
    node.op.name(node.inputs.first().map_or(0, |&x| graph.shape(x).len()))
}

/// One forward pass: the activations that are still needed.
struct Pass<'a> {
    network: &'a Network,
    batch: usize,
    values: Vec<Option<Tensor>>,
    /// Per value, how many nodes (and outputs) still need it.
    uses: Vec<usize>,
    undefined: Tensor,
    /// Activations are kept in oneDNN's layouts where they can be.
    is_blocked: bool,
}

impl<'a> Pass<'a> {
    fn new(network: &'a Network, inputs: &[Tensor], is_blocked: bool) -> Result<Self, ExecError> {
        let graph = &network.graph;
        if inputs.len() != graph.inputs.len() {
            return Err(ExecError::InputCount { expected: graph.inputs.len(), found: inputs.len() });
        }
        let batch = batch_size(graph, &inputs[0]);
        let kind = network.kind();
        let mut values: Vec<Option<Tensor>> = graph.values.iter().map(|_| None).collect();
        for (&id, input) in graph.inputs.iter().zip(inputs) {
            check_input(graph, id, batch, input)?;
            let is_number = matches!(input.f_kind()?, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16);
            values[id.index()] = Some(if is_number { input.f_to_kind(kind)? } else { input.shallow_clone() });
        }
        let mut uses = vec![0; values.len()];
        for id in graph.nodes.iter().flat_map(|n| &n.inputs).chain(&graph.outputs) {
            uses[id.index()] += 1;
        }
        Ok(Self { network, batch, values, uses, undefined: Tensor::new(), is_blocked })
    }

    /// The tensor of a value that was computed; the builder's order guarantees that it was.
    fn value(&self, id: ValueId) -> &Tensor {
        match self.network.graph.value(id).source {
            Source::Parameter(p) => &self.network.weights[p.index()],
            Source::Input(_) | Source::Node(..) => self.values[id.index()].as_ref().unwrap_or(&self.undefined),
        }
    }

    fn step(&mut self, id: NodeId, node: &Node, hook: &mut dyn Hook) -> Result<(), TchError> {
        let outputs = match self.own_input(node) {
            Some(tensor) => vec![elementwise::relu_in_place(tensor)?],
            None => {
                let laid_out = if self.is_blocked { Some(self.laid_out(node)?) } else { None };
                let inputs: Vec<&Tensor> = match &laid_out {
                    Some(inputs) => inputs.iter().collect(),
                    None => self.inputs(node),
                };
                match hook.node(id, node, &inputs)? {
                    Some(output) => vec![output],
                    None => self.compute(node, &inputs, hook)?,
                }
            }
        };
        if matches!(node.op, Op::Conv(_)) {
            hook.convolution(id, &outputs[0])?;
        }
        for input in &node.inputs {
            self.uses[input.index()] -= 1;
            if self.uses[input.index()] == 0 {
                self.values[input.index()] = None;
            }
        }
        for (output, tensor) in node.outputs.iter().zip(outputs) {
            if self.uses[output.index()] > 0 {
                self.values[output.index()] = Some(tensor);
            }
        }
        Ok(())
    }

    fn inputs(&self, node: &Node) -> Vec<&Tensor> {
        node.inputs.iter().map(|&id| self.value(id)).collect()
    }

    /// What a node is given, in the layout that it can work on.
    fn laid_out(&self, node: &Node) -> Result<Vec<Tensor>, TchError> {
        let inputs = self.inputs(node);
        match (blocked::suits_node(node, &inputs), &inputs[..]) {
            (true, [x, others @ ..]) => {
                let others = others.iter().map(|other| Ok(other.shallow_clone()));
                std::iter::once(blocked::blocked(x)).chain(others).collect()
            }
            _ => inputs.into_iter().map(blocked::plain).collect(),
        }
    }

    fn compute(&self, node: &Node, inputs: &[&Tensor], hook: &mut dyn Hook) -> Result<Vec<Tensor>, TchError> {
        if let Op::BatchNorm { epsilon } = node.op {
            let parameters: Vec<_> = node.inputs.iter().map(|&i| self.network.graph.parameter_of(i)).collect();
            let batch_norm = BatchNormInputs::new(inputs, &parameters, epsilon);
            let replaced = hook.batch_norm(&batch_norm)?;
            return Ok(vec![replaced.map_or_else(|| batch_norm.inference(), Ok)?]);
        }
        match &node.op {
            Op::Conv(conv) if inputs[0].is_mkldnn() => {
                Ok(vec![blocked::convolution(conv, inputs[0], inputs[1], inputs.get(2).copied())?])
            }
            op => operators::compute(op, inputs, self.batch),
        }
    }

    /// Takes the input of a ReLU out of the pass where nothing else can see it, so that it may be overwritten. Gradients of these
    /// operations need what went into them, and not what came out.
    fn own_input(&mut self, node: &Node) -> Option<Tensor> {
        let &[x] = &node.inputs[..] else { return None };
        let graph = &self.network.graph;
        let made = graph.producer(x).map(|p| &graph.node(p).op);
        // These make a new tensor; others may answer with a view of their input.
        let fresh = matches!(made, Some(Op::Conv(_) | Op::BatchNorm { .. } | Op::Binary(Binary::Add | Binary::Sub)));
        let relu = matches!(node.op, Op::Unary(eagleeye_graph::Unary::Relu));
        let alone = relu && fresh && self.uses[x.index()] == 1;
        if alone { self.values[x.index()].take() } else { None }
    }
}

fn batch_size(graph: &Graph, input: &Tensor) -> usize {
    let batch_axis = graph.shape(graph.inputs[0]).iter().zip(sizes(input));
    let mut sizes = batch_axis.filter_map(|(dim, size)| match dim {
        Dim::Batch(each) => Some(size / (*each).max(1)),
        Dim::Fixed(_) => None,
    });
    sizes.next().unwrap_or(1)
}

fn check_input(graph: &Graph, id: ValueId, batch: usize, input: &Tensor) -> Result<(), ExecError> {
    let value = graph.value(id);
    let expected: Vec<usize> = value.shape.iter().map(|d| d.at(batch)).collect();
    let found = sizes(input);
    if found == expected && batch > 0 {
        return Ok(());
    }
    let text: Vec<String> = value.shape.iter().map(describe).collect();
    Err(ExecError::InputShape { name: value.name.clone(), expected: format!("[{}]", text.join(", ")), found })
}

fn describe(dim: &Dim) -> String {
    match dim {
        Dim::Fixed(size) => size.to_string(),
        Dim::Batch(1) => "N".to_owned(),
        Dim::Batch(each) => format!("{each}N"),
    }
}

#[cfg(test)]
mod tests;

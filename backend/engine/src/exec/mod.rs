//! The graph's interpreter: every operation on libtorch tensors, on whatever device the weights are.

mod compiled;
mod convolution;
mod elementwise;
mod layout;
mod norm;
pub(crate) mod operators;
mod passes;
mod pooling;

use eagleeye_graph::{Binary, Dim, Graph, Node, NodeId, Op, ParameterId, Source, Unary, ValueId};
use eagleeye_torchscript::Addend;
use tch::{Kind, TchError, Tensor};

use crate::network::Network;
use eagleeye_torchscript::tensors::{reason, sizes};

pub use compiled::Compiled;
use compiled::{Chain, Head, Plan, Step};
pub use norm::BatchNormInputs;
use norm::InOne;
use passes::agreed;
pub use passes::{Passes, has_bfloat16};

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
    #[error(
        "adapting batch norms to {asked} images at a time takes more memory than the device has, and {}; the statistics depend on how \
         many images a batch has, so `batch_size` must be set to what fits",
        .fits.map_or("not even one fits".to_owned(), |fits| format!("{fits} fit"))
    )]
    BatchTooLarge { asked: usize, fits: Option<usize> },
    #[error("cancelled")]
    Cancelled,
}

impl ExecError {
    /// Whether the device, or the machine, had no memory left.
    pub fn is_out_of_memory(&self) -> bool {
        // libtorch's words, of its allocators for CUDA and for the processor.
        let says_so = |text: &str| text.contains("out of memory") || text.contains("can't allocate memory");
        match self {
            Self::Node { reason, .. } => says_so(reason),
            Self::Torch(reason) => says_so(reason),
            _ => false,
        }
    }
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
    pass_through(network, inputs, None, hook)
}

/// As [`run`]; gradients with respect to the weights that require them can be computed from the outputs.
pub(crate) fn run_with_gradients(
    network: &Network,
    inputs: &[Tensor],
    hook: &mut dyn Hook,
) -> Result<Vec<Tensor>, ExecError> {
    pass_through(network, inputs, None, hook)
}

fn pass_through(
    network: &Network,
    inputs: &[Tensor],
    plan: Option<&Plan>,
    hook: &mut dyn Hook,
) -> Result<Vec<Tensor>, ExecError> {
    let mut pass = Pass::new(network, inputs)?;
    for (id, node) in network.graph.nodes_with_ids() {
        if hook.cancelled() {
            return Err(ExecError::Cancelled);
        }
        let step = plan.map_or(&Step::Alone, |plan| plan.step(id));
        pass.step((id, node), step, hook).map_err(|error| ExecError::Node {
            node: node.name.clone(),
            operator: operator(&network.graph, node),
            reason: reason(&error),
        })?;
    }
    Ok(network.graph.outputs.iter().map(|&id| pass.value(id).shallow_clone()).collect())
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
    /// Per value, whether some node may answer with a view of it.
    is_viewed: Vec<bool>,
    undefined: Tensor,
    /// Whether there are weights of several element types.
    is_mixed: bool,
}

impl<'a> Pass<'a> {
    fn new(network: &'a Network, inputs: &[Tensor]) -> Result<Self, ExecError> {
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
        let mut is_viewed = vec![false; values.len()];
        for node in graph.nodes.iter().filter(|node| !makes_a_tensor(&node.op)) {
            node.inputs.iter().for_each(|id| is_viewed[id.index()] = true);
        }
        let is_mixed = network.weights.iter().any(|weight| weight.kind() == Kind::BFloat16);
        Ok(Self { network, batch, values, uses, is_viewed, undefined: Tensor::new(), is_mixed })
    }

    /// The tensor of a value that was computed; the builder's order guarantees that it was.
    fn value(&self, id: ValueId) -> &Tensor {
        match self.network.graph.value(id).source {
            Source::Parameter(p) => &self.network.weights[p.index()],
            Source::Input(_) | Source::Node(..) => self.values[id.index()].as_ref().unwrap_or(&self.undefined),
        }
    }

    fn step(&mut self, (id, node): (NodeId, &Node), step: &Step, hook: &mut dyn Hook) -> Result<(), TchError> {
        match step {
            Step::Alone => {
                let outputs = self.alone(id, node, hook)?;
                self.release(node);
                self.keep(node, outputs);
            }
            Step::Later => (),
            Step::Last(chain) => {
                let output = self.together(chain, hook)?;
                for &one in &chain.nodes {
                    self.release(self.network.graph.node(one));
                }
                self.keep(node, vec![output]);
            }
        }
        Ok(())
    }

    fn alone(&mut self, id: NodeId, node: &Node, hook: &mut dyn Hook) -> Result<Vec<Tensor>, TchError> {
        if let Some(tensor) = self.own_input(node) {
            return Ok(vec![elementwise::relu_in_place(tensor)?]);
        }
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|&id| self.value(id)).collect();
        let outputs = match hook.node(id, node, &inputs)? {
            Some(output) => vec![output],
            None => self.compute(node, &inputs, hook)?,
        };
        if matches!(node.op, Op::Conv(_)) {
            hook.convolution(id, &outputs[0])?;
        }
        Ok(outputs)
    }

    /// Nodes that are one operation.
    fn together(&self, chain: &Chain, hook: &mut dyn Hook) -> Result<Tensor, TchError> {
        let graph = &self.network.graph;
        let first = graph.node(chain.nodes[0]);
        match (&chain.head, &first.op) {
            (Head::BatchNorm { relu }, Op::BatchNorm { epsilon }) => {
                let inputs: Vec<&Tensor> = first.inputs.iter().map(|&id| self.value(id)).collect();
                let norm = BatchNormInputs::new(&inputs, &self.parameters(first), *epsilon);
                let addend = chain.addend.map(|id| self.value(id));
                let following = InOne { addend, relu: *relu, overwrites: self.is_own(first.inputs[0]) };
                self.normalised(&norm.in_one(following), hook)
            }
            (Head::Convolution { layer, weight, bias }, _) => {
                let kind = self.value(first.inputs[1]).kind();
                let added = chain.addend.map(|id| self.value(id).f_to_kind(kind)).transpose()?;
                let overwrites = chain.addend.is_some_and(|id| self.is_own(id));
                let addend = added.as_ref().map(|tensor| Addend { tensor, overwrites });
                layer.forward(&self.value(first.inputs[0]).f_to_kind(kind)?, weight, bias.as_ref(), addend)
            }
            (Head::BatchNorm { .. }, _) => Err(TchError::Shape("no batch norm at a batch norm's place".to_owned())),
        }
    }

    /// Frees what nobody needs after a node.
    fn release(&mut self, node: &Node) {
        for input in &node.inputs {
            self.uses[input.index()] -= 1;
            if self.uses[input.index()] == 0 {
                self.values[input.index()] = None;
            }
        }
    }

    /// Keeps a node's outputs, as far as they are needed.
    fn keep(&mut self, node: &Node, outputs: Vec<Tensor>) {
        for (output, tensor) in node.outputs.iter().zip(outputs) {
            if self.uses[output.index()] > 0 {
                self.values[output.index()] = Some(tensor);
            }
        }
    }

    fn parameters(&self, node: &Node) -> Vec<Option<ParameterId>> {
        node.inputs.iter().map(|&i| self.network.graph.parameter_of(i)).collect()
    }

    fn normalised(&self, norm: &BatchNormInputs, hook: &mut dyn Hook) -> Result<Tensor, TchError> {
        hook.batch_norm(norm)?.map_or_else(|| norm.inference(), Ok)
    }

    fn compute(&self, node: &Node, inputs: &[&Tensor], hook: &mut dyn Hook) -> Result<Vec<Tensor>, TchError> {
        if let Op::BatchNorm { epsilon } = node.op {
            let norm = BatchNormInputs::new(inputs, &self.parameters(node), epsilon);
            return Ok(vec![self.normalised(&norm, hook)?]);
        }
        if !self.is_mixed {
            return operators::compute(&node.op, inputs, self.batch);
        }
        let agreed = agreed(&node.op, inputs)?;
        operators::compute(&node.op, &agreed.iter().collect::<Vec<_>>(), self.batch)
    }

    /// Takes the input of a ReLU out of the pass where nothing else can see it, so that it may be overwritten. Gradients of these
    /// operations need what went into them, and not what came out.
    fn own_input(&mut self, node: &Node) -> Option<Tensor> {
        let &[x] = &node.inputs[..] else { return None };
        let is_relu = matches!(node.op, Op::Unary(Unary::Relu));
        if is_relu && self.is_own(x) { self.values[x.index()].take() } else { None }
    }

    /// Whether one reader alone still needs a value, and no other value has its memory.
    fn is_own(&self, x: ValueId) -> bool {
        let graph = &self.network.graph;
        let made = graph.producer(x).map(|p| &graph.node(p).op);
        // What these have made may be overwritten in a pass with gradients, too.
        let is_fresh = matches!(made, Some(Op::Conv(_) | Op::BatchNorm { .. } | Op::Binary(Binary::Add | Binary::Sub)));
        is_fresh && !self.is_viewed[x.index()] && self.uses[x.index()] == 1
    }
}

/// Whether an operation's output is a tensor of its own for certain; others may answer with a view of an input.
fn makes_a_tensor(op: &Op) -> bool {
    matches!(
        op,
        Op::Conv(_) | Op::BatchNorm { .. } | Op::Binary(_) | Op::Unary(Unary::Relu) | Op::Linear { .. } | Op::MatMul
    )
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

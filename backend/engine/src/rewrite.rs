//! Makes a changed copy of a network, node by node. Every shape is inferred again on the way.

use std::collections::HashSet;

use eagleeye_graph::{BuildError, Computed, Graph, GraphBuilder, Node, Op, ParameterId, ParameterKind, ValueId};
use tch::{TchError, Tensor};

use crate::network::Network;
use eagleeye_torchscript::tensors::{element, reason, sizes};

/// Why a changed network does not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RewriteError {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("node `{0}` reads a value before it is computed")]
    Order(String),
    #[error("tensor `{name}` has element type {kind}, which networks cannot store")]
    Element { name: String, kind: String },
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<TchError> for RewriteError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// The copy under construction.
pub(crate) struct Rewrite<'a> {
    network: &'a Network,
    builder: GraphBuilder,
    weights: Vec<Tensor>,
    /// The copy of each of the original's values.
    values: Vec<Option<ValueId>>,
}

impl<'a> Rewrite<'a> {
    /// Starts with the inputs and those parameters that `keep` names, with the weights as they are.
    pub fn new(network: &'a Network, keep: impl Fn(ParameterId) -> bool) -> Result<Self, RewriteError> {
        let graph = &network.graph;
        let mut rewrite = Self {
            network,
            builder: GraphBuilder::new(graph.name.clone()),
            weights: Vec::new(),
            values: vec![None; graph.values.len()],
        };
        for &id in &graph.inputs {
            let value = graph.value(id);
            rewrite.values[id.index()] = Some(rewrite.builder.input(&value.name, value.shape.clone())?);
        }
        let mut copies = vec![None; graph.parameters.len()];
        for (index, parameter) in graph.parameters.iter().enumerate() {
            let id = ParameterId(index as u32);
            if keep(id) {
                let weight = network.weight(id).shallow_clone();
                let (copy, value) = rewrite.parameter(&parameter.name, weight, parameter.kind)?;
                for alias in &parameter.aliases {
                    rewrite.builder.alias(copy, alias)?;
                }
                if let Some(from) = &parameter.computed {
                    rewrite.computed(copy, from.clone());
                }
                copies[index] = Some(value);
            }
        }
        for (index, _) in graph.values.iter().enumerate() {
            if let Some(p) = graph.parameter_of(ValueId(index as u32)) {
                rewrite.values[index] = copies[p.index()];
            }
        }
        Ok(rewrite)
    }

    /// The copy of a value of the original, or `None` before its node was copied.
    pub fn value(&self, original: ValueId) -> Option<ValueId> {
        self.values[original.index()]
    }

    /// Lets everything that reads `original` read `copy`.
    pub fn replace(&mut self, original: ValueId, copy: ValueId) {
        self.values[original.index()] = Some(copy);
    }

    /// Adds a stored tensor that the original does not have.
    pub fn parameter(
        &mut self,
        name: &str,
        weight: Tensor,
        kind: ParameterKind,
    ) -> Result<(ParameterId, ValueId), RewriteError> {
        let found = weight.f_kind()?;
        let element = element(found)
            .ok_or_else(|| RewriteError::Element { name: name.to_owned(), kind: format!("{found:?}") })?;
        let added = self.builder.parameter(name, &sizes(&weight), element, kind)?;
        self.weights.push(weight);
        Ok(added)
    }

    /// Gives a copied parameter another tensor of the same shape.
    pub fn set_weight(&mut self, id: ParameterId, weight: Tensor) {
        self.weights[id.index()] = weight;
    }

    /// Copies a node as it is.
    pub fn copy(&mut self, node: &Node) -> Result<(), RewriteError> {
        let inputs = self.inputs(node)?;
        let outputs = self.builder.node(&node.name, node.op.clone(), &inputs)?;
        for (&original, copy) in node.outputs.iter().zip(outputs) {
            self.replace(original, copy);
        }
        Ok(())
    }

    /// The copies of a node's inputs.
    pub fn inputs(&self, node: &Node) -> Result<Vec<ValueId>, RewriteError> {
        self.copies(&node.inputs, node)
    }

    /// The copies of values that a node is to read.
    pub fn copies(&self, values: &[ValueId], node: &Node) -> Result<Vec<ValueId>, RewriteError> {
        let copies = values.iter().map(|&i| self.value(i));
        copies.collect::<Option<_>>().ok_or_else(|| RewriteError::Order(node.name.clone()))
    }

    /// Says what an added parameter was computed from.
    pub fn computed(&mut self, id: ParameterId, from: Computed) {
        self.builder.computed(id, from);
    }

    /// Adds a node with one output that the original does not have.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> Result<ValueId, RewriteError> {
        Ok(self.builder.push(name, op, inputs)?)
    }

    pub fn finish(self) -> Result<Network, RewriteError> {
        let graph = &self.network.graph;
        let outputs: Option<Vec<ValueId>> = graph.outputs.iter().map(|&o| self.value(o)).collect();
        let outputs = outputs.ok_or_else(|| RewriteError::Order("the network's output".to_owned()))?;
        let mut copy = self.builder.finish(&outputs)?;
        name_outputs(&mut copy, graph);
        Ok(self.network.with(copy, self.weights))
    }
}

/// Gives the outputs of a copy the names that they had, unless another value has them.
fn name_outputs(copy: &mut Graph, original: &Graph) {
    let mut taken: HashSet<String> = copy.values.iter().map(|value| value.name.clone()).collect();
    for (output, &of) in copy.outputs.clone().into_iter().zip(&original.outputs) {
        let name = &original.value(of).name;
        if copy.producer(output).is_some() && taken.insert(name.clone()) {
            copy.values[output.index()].name.clone_from(name);
        }
    }
}

/// How often each parameter is read.
pub(crate) fn parameter_uses(graph: &Graph) -> Vec<usize> {
    let mut uses = vec![0; graph.parameters.len()];
    for input in graph.nodes.iter().flat_map(|n| &n.inputs).chain(&graph.outputs) {
        if let Some(p) = graph.parameter_of(*input) {
            uses[p.index()] += 1;
        }
    }
    uses
}

/// A name like `wanted` that no parameter of the graph has.
pub(crate) fn free_name(graph: &Graph, wanted: &str) -> String {
    let taken = |name: &str| graph.parameters.iter().any(|p| p.name == name || p.aliases.iter().any(|a| a == name));
    let mut name = wanted.to_owned();
    while taken(&name) {
        name.push('_');
    }
    name
}

//! The one graph that both file formats are read into and every export is written from.
//!
//! A [`Graph`] is a list of nodes in execution order over values; a value is an input, a parameter or a node's output.
//! It is built once by [`crate::GraphBuilder`], which infers every shape on the way, and is not changed afterwards:
//! pruning makes a new graph ([`mod@crate::plan`]).

use serde::{Deserialize, Serialize};

use crate::ops::Op;
use crate::shape::{Dim, Shape};
use crate::tensor::ElementType;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

id! {
    /// Position of a value in [`Graph::values`].
    ValueId
}
id! {
    /// Position of a node in [`Graph::nodes`].
    NodeId
}
id! {
    /// Position of a parameter in [`Graph::parameters`].
    ParameterId
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// The `n`-th input of the network.
    Input(usize),
    Parameter(ParameterId),
    /// The `n`-th output of a node.
    Node(NodeId, usize),
}

/// An input, a parameter or an activation, with its shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Value {
    /// Unique within the graph; the ONNX tensor name or the TorchScript debug name where there was one.
    pub name: String,
    pub shape: Shape,
    pub source: Source,
}

/// What a parameter is in the module that was uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// Learned: weights, biases, a batch norm's gamma and beta.
    Parameter,
    /// Stored but not learned: running statistics, `num_batches_tracked`, relative position indices.
    Buffer,
    /// A tensor written into the code of the model; it has no name in the uploaded file's state.
    Constant,
}

/// A named tensor of the network. Its bytes live beside the graph, at the same index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Key of the TorchScript `state_dict`, or name of the ONNX initializer.
    pub name: String,
    /// Further names of the same tensor (tied weights).
    pub aliases: Vec<String>,
    pub shape: Vec<usize>,
    pub element: ElementType,
    pub kind: ParameterKind,
    /// What it was computed from, where the file has no such tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computed: Option<Computed>,
}

/// Where a weight comes from that the file does not store: `weight * gain`, a standardised weight, weight norm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// Names of the stored tensors, in the order in which the file has them.
    pub from: Vec<String>,
    pub slices: Vec<SourceSlices>,
}

/// Slices of a stored tensor that stand for slices of the weight that is computed from it: setting one to zero makes that
/// slice of the weight zero, and changes nothing else of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceSlices {
    /// Axis of the computed weight.
    pub axis: usize,
    /// Name of the stored tensor, and its axis.
    pub tensor: String,
    pub tensor_axis: usize,
    /// For each index along `axis`: its indices along `tensor_axis`, ascending.
    pub indices: Vec<Vec<u32>>,
}

/// One operation. `inputs` follow the order that [`Op`]'s documentation gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Unique, for messages: `layer1.0.conv1` where the importer knows the module, else the format's own node name.
    pub name: String,
    pub op: Op,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
}

/// A network without its weights. Built by [`crate::GraphBuilder`]; see there for what always holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    pub name: String,
    pub inputs: Vec<ValueId>,
    pub outputs: Vec<ValueId>,
    pub nodes: Vec<Node>,
    pub values: Vec<Value>,
    pub parameters: Vec<Parameter>,
}

impl Graph {
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    pub fn parameter(&self, id: ParameterId) -> &Parameter {
        &self.parameters[id.index()]
    }

    /// Shape of a value with a symbolic batch.
    pub fn shape(&self, id: ValueId) -> &Shape {
        &self.value(id).shape
    }

    /// The parameter behind a value, or `None` for an activation.
    pub fn parameter_of(&self, id: ValueId) -> Option<ParameterId> {
        match self.value(id).source {
            Source::Parameter(p) => Some(p),
            Source::Input(_) | Source::Node(..) => None,
        }
    }

    /// The node that makes a value, or `None` for inputs and parameters.
    pub fn producer(&self, id: ValueId) -> Option<NodeId> {
        match self.value(id).source {
            Source::Node(node, _) => Some(node),
            Source::Input(_) | Source::Parameter(_) => None,
        }
    }

    /// Nodes with their ids, in execution order.
    pub fn nodes_with_ids(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(i, n)| (NodeId(i as u32), n))
    }

    /// The ids of all values.
    pub fn value_ids(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..self.values.len()).map(|index| ValueId(index as u32))
    }

    /// Every value's consumers, in execution order, indexed by value.
    pub fn consumers(&self) -> Vec<Vec<NodeId>> {
        let mut consumers = vec![Vec::new(); self.values.len()];
        for (id, node) in self.nodes_with_ids() {
            for input in &node.inputs {
                consumers[input.index()].push(id);
            }
        }
        consumers
    }

    /// The shape of the first input for a batch of `n`.
    pub fn input_shape(&self, n: usize) -> Vec<usize> {
        self.shape(self.inputs[0]).iter().map(|d| d.at(n)).collect()
    }

    /// Number of classes: the last axis of the first output, where it has one that does not depend on the batch.
    pub fn classes(&self) -> Option<usize> {
        match self.shape(*self.outputs.first()?).last()? {
            Dim::Fixed(n) => Some(*n),
            Dim::Batch(_) => None,
        }
    }

    /// How often each operator occurs, by the names that `docs/operators.md` lists.
    pub fn operators(&self) -> std::collections::BTreeMap<&'static str, usize> {
        let mut counts = std::collections::BTreeMap::new();
        for node in &self.nodes {
            let rank = self.shape(node.inputs[0]).len();
            *counts.entry(node.op.name(rank)).or_insert(0) += 1;
        }
        counts
    }

    /// Number of elements in learned parameters, aliases counted once.
    pub fn parameter_count(&self) -> u64 {
        let learned = self.parameters.iter().filter(|p| p.kind == ParameterKind::Parameter);
        learned.map(|p| p.shape.iter().map(|&d| d as u64).product::<u64>()).sum()
    }
}

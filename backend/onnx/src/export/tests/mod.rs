//! What the written files contain. That runtimes compute the same with them is tested where a runtime is at hand.

mod file;
mod nodes;
mod pooling;
mod precision;
mod refusals;
mod round_trip;

use std::collections::{BTreeMap, HashSet};

use eagleeye_graph::{Dim, ElementType, Graph, GraphBuilder, Op, ParameterKind, TensorData, ValueId};
use prost::Message;

use super::{ExportError, write};
use crate::proto::{AttributeProto, GraphProto, ModelProto, NodeProto};

/// A network under construction, with weights that count up.
struct Net {
    builder: GraphBuilder,
    weights: Vec<TensorData>,
}

impl Net {
    fn new() -> Self {
        Self { builder: GraphBuilder::new("test"), weights: Vec::new() }
    }

    /// An input with the batch as its first axis.
    fn input(&mut self, name: &str, sizes: &[usize]) -> ValueId {
        self.builder.input(name, batched(sizes)).unwrap()
    }

    fn parameter(&mut self, name: &str, sizes: &[usize]) -> ValueId {
        let values: Vec<f32> = (0..sizes.iter().product::<usize>()).map(|i| i as f32).collect();
        self.weights.push(TensorData::from_f32(sizes.to_vec(), &values));
        self.builder.parameter(name, sizes, ElementType::F32, ParameterKind::Parameter).unwrap().1
    }

    fn indices(&mut self, name: &str, values: &[i64]) -> ValueId {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.weights.push(TensorData { element: ElementType::I64, shape: vec![values.len()], bytes });
        self.builder.parameter(name, &[values.len()], ElementType::I64, ParameterKind::Buffer).unwrap().1
    }

    fn push(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> ValueId {
        self.builder.push(name, op, inputs).unwrap()
    }

    fn finish(self, outputs: &[ValueId]) -> (Graph, Vec<TensorData>) {
        (self.builder.finish(outputs).unwrap(), self.weights)
    }

    fn write(self, outputs: &[ValueId]) -> Result<ModelProto, ExportError> {
        let (graph, weights) = self.finish(outputs);
        let bytes = write(&graph, &weights, &BTreeMap::new())?;
        let model = ModelProto::decode(&bytes[..]).unwrap();
        assert_well_formed(model.graph.as_ref().unwrap());
        Ok(model)
    }

    /// The graph of the written file.
    fn written(self, outputs: &[ValueId]) -> GraphProto {
        self.write(outputs).unwrap().graph.unwrap()
    }
}

fn batched(sizes: &[usize]) -> Vec<Dim> {
    std::iter::once(Dim::Batch(1)).chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect()
}

/// The graph of a network that is one operation on one input.
fn single(sizes: &[usize], op: Op) -> GraphProto {
    let mut net = Net::new();
    let x = net.input("x", sizes);
    let outputs = net.builder.node("op", op, &[x]).unwrap();
    net.written(&outputs)
}

/// Every tensor is made once and before it is read, node names are unique, and the outputs exist.
fn assert_well_formed(graph: &GraphProto) {
    let mut made: HashSet<&str> = graph.input.iter().map(|i| i.name()).collect();
    for initializer in &graph.initializer {
        assert!(made.insert(initializer.name()), "{} is stored twice", initializer.name());
    }
    let mut nodes = HashSet::new();
    for node in &graph.node {
        assert!(nodes.insert(node.name()), "{} occurs twice", node.name());
        for input in node.input.iter().filter(|i| !i.is_empty()) {
            assert!(made.contains(input.as_str()), "{} reads {input} before it is made", node.name());
        }
        for output in &node.output {
            assert!(!output.is_empty() && made.insert(output), "{output} is made twice");
        }
    }
    let made_by_nodes: HashSet<&str> = graph.node.iter().flat_map(|n| &n.output).map(String::as_str).collect();
    let outputs: HashSet<&str> = graph.output.iter().map(|o| o.name()).collect();
    assert_eq!(outputs.len(), graph.output.len());
    assert!(outputs.is_subset(&made_by_nodes), "{outputs:?}");
}

/// Operators in order, without constants.
fn operators(graph: &GraphProto) -> Vec<&str> {
    graph.node.iter().map(|n| n.op_type()).filter(|&o| o != "Constant").collect()
}

fn node<'a>(graph: &'a GraphProto, operator: &str) -> &'a NodeProto {
    graph.node.iter().find(|n| n.op_type() == operator).unwrap()
}

fn attribute<'a>(node: &'a NodeProto, name: &str) -> &'a AttributeProto {
    node.attribute.iter().find(|a| a.name() == name).unwrap()
}

/// The values of an `int64` constant that a node reads.
fn int64s(graph: &GraphProto, node: &NodeProto, input: usize) -> Vec<i64> {
    let made = graph.node.iter().find(|n| n.output.contains(&node.input[input])).unwrap();
    let bytes = attribute(made, "value").t.as_ref().unwrap().raw_data();
    bytes.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect()
}

/// The values of an `f32` constant that a node reads.
fn floats(graph: &GraphProto, node: &NodeProto, input: usize) -> Vec<f32> {
    let made = graph.node.iter().find(|n| n.output.contains(&node.input[input])).unwrap();
    let bytes = attribute(made, "value").t.as_ref().unwrap().raw_data();
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

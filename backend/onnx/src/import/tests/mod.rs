//! Small files made here, and the graphs that they become.

mod attributes;
mod batch;
mod control;
mod folding;
mod forms;
mod fusion;
mod hostile;
mod inputs;
mod kinds;
mod names;

use std::path::PathBuf;

use eagleeye_graph::{Graph, Op, Shape, TensorData, shape};
use prost::Message;

use super::file::{self, Model};
use super::{Imported, import};
use crate::error::OnnxError;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::Dimension;
use crate::proto::tensor_shape_proto::dimension::Value as Size;
use crate::proto::type_proto::{Tensor as TensorType, Value as Type};
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto,
    TensorShapeProto, TypeProto, ValueInfoProto,
};

/// A file under construction. The input is `x`, the output is that of the last node.
#[derive(Clone)]
struct Net {
    model: ModelProto,
    graph: GraphProto,
}

impl Net {
    /// A network with an input of a symbolic batch: `sizes` are those behind it.
    fn new(sizes: &[i64]) -> Self {
        let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
        let model = ModelProto { opset_import: vec![opset], ..ModelProto::default() };
        Self { model, graph: GraphProto { name: Some("test".into()), ..GraphProto::default() } }.input("x", None, sizes)
    }

    /// A further input, or the first one anew.
    fn input(mut self, name: &str, batch: Option<i64>, sizes: &[i64]) -> Self {
        self.graph.input.retain(|i| i.name() != name);
        self.graph.input.push(info(name, batch, sizes));
        self
    }

    fn opset(mut self, version: i64) -> Self {
        self.model.opset_import[0].version = Some(version);
        self
    }

    /// An initializer whose entries count up from 1.
    fn weight(self, name: &str, dims: &[i64]) -> Self {
        let count = dims.iter().product::<i64>();
        let entries: Vec<f32> = (1..=count).map(|i| i as f32).collect();
        self.floats(name, dims, &entries)
    }

    fn floats(mut self, name: &str, dims: &[i64], entries: &[f32]) -> Self {
        self.graph.initializer.push(floats(name, dims, entries));
        self
    }

    fn ints(mut self, name: &str, entries: &[i64]) -> Self {
        self.graph.initializer.push(ints(name, &[entries.len() as i64], entries));
        self
    }

    /// A single whole number without axes.
    fn int(mut self, name: &str, entry: i64) -> Self {
        self.graph.initializer.push(ints(name, &[], &[entry]));
        self
    }

    /// A node with one output, called as the node.
    fn node(self, name: &str, operator: &str, inputs: &[&str]) -> Self {
        self.node_with(name, operator, inputs, &[])
    }

    fn node_with(mut self, name: &str, operator: &str, inputs: &[&str], attributes: &[AttributeProto]) -> Self {
        self.graph.node.push(node(name, operator, inputs, &[name], attributes));
        self
    }

    fn push(mut self, node: NodeProto) -> Self {
        self.graph.node.push(node);
        self
    }

    fn function(mut self, function: FunctionProto) -> Self {
        self.model.functions.push(function);
        self
    }

    /// Names the outputs; otherwise the last node's first output is the only one.
    fn outputs(mut self, names: &[&str]) -> Self {
        self.graph.output = names.iter().map(|name| info(name, None, &[])).collect();
        self
    }

    fn bytes(self) -> Vec<u8> {
        let Self { mut model, mut graph } = self;
        if graph.output.is_empty() {
            let last = graph.node.last().map(|n| n.output[0].clone()).unwrap_or_default();
            graph.output.push(info(&last, None, &[]));
        }
        model.graph = Some(graph);
        model.encode_to_vec()
    }

    fn decoded(self) -> Model {
        file::decode(self.bytes().into(), PathBuf::new()).unwrap()
    }

    fn read(self) -> Result<Imported, OnnxError> {
        import(&self.decoded(), None)
    }

    fn graph(self) -> Graph {
        self.read().unwrap().graph
    }

    fn error(self) -> String {
        self.read().unwrap_err().to_string()
    }
}

fn info(name: &str, batch: Option<i64>, sizes: &[i64]) -> ValueInfoProto {
    let fixed = |size: &i64| Dimension { value: Some(Size::DimValue(*size)), ..Dimension::default() };
    let first = match batch {
        Some(batch) => fixed(&batch),
        None => Dimension { value: Some(Size::DimParam("batch".into())), ..Dimension::default() },
    };
    let dim = [first].into_iter().chain(sizes.iter().map(fixed)).collect();
    let tensor = TensorType { elem_type: Some(DataType::Float.into()), shape: Some(TensorShapeProto { dim }) };
    let kind = TypeProto { value: Some(Type::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(kind), ..ValueInfoProto::default() }
}

fn floats(name: &str, dims: &[i64], entries: &[f32]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Float.into()),
        float_data: entries.to_vec(),
        ..TensorProto::default()
    }
}

fn ints(name: &str, dims: &[i64], entries: &[i64]) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: dims.to_vec(),
        data_type: Some(DataType::Int64.into()),
        int64_data: entries.to_vec(),
        ..TensorProto::default()
    }
}

fn node(name: &str, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[AttributeProto]) -> NodeProto {
    NodeProto {
        name: Some(name.into()),
        op_type: Some(operator.into()),
        input: inputs.iter().map(|&i| i.into()).collect(),
        output: outputs.iter().map(|&o| o.into()).collect(),
        attribute: attributes.to_vec(),
        ..NodeProto::default()
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind.into()), ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::Int) }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::Float) }
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.as_bytes().to_vec().into()), ..attribute(name, AttributeType::String) }
}

fn list(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::Ints) }
}

fn tensor(name: &str, value: TensorProto) -> AttributeProto {
    AttributeProto { t: Some(value), ..attribute(name, AttributeType::Tensor) }
}

/// The operations of a graph, in order.
fn ops(graph: &Graph) -> Vec<Op> {
    graph.nodes.iter().map(|n| n.op.clone()).collect()
}

/// The operation of a graph that has one.
fn only(graph: &Graph) -> Op {
    assert_eq!(graph.nodes.len(), 1, "{:?}", graph.nodes);
    graph.nodes[0].op.clone()
}

/// Names of the inputs of the last node.
fn last_inputs(graph: &Graph) -> Vec<&str> {
    graph.nodes.last().unwrap().inputs.iter().map(|&i| graph.value(i).name.as_str()).collect()
}

/// Shape of the first output.
fn out(graph: &Graph) -> Shape {
    graph.shape(graph.outputs[0]).clone()
}

/// The sizes of the first output for a batch of 3.
fn sizes(graph: &Graph) -> Vec<usize> {
    out(graph).iter().map(|d| d.at(3)).collect()
}

/// The entries of a parameter, by name.
fn entries<'a>(imported: &'a Imported, name: &str) -> &'a TensorData {
    let index = imported.graph.parameters.iter().position(|p| p.name == name);
    &imported.weights[index.unwrap_or_else(|| panic!("no parameter `{name}`"))]
}

/// The shape with a batch of one image for each image.
fn batched(sizes: &[usize]) -> Shape {
    [eagleeye_graph::Dim::Batch(1)].into_iter().chain(shape::fixed(sizes)).collect()
}

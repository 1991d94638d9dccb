//! The file around the nodes: header, names, initializers, inputs and outputs.

use std::collections::BTreeMap;

use eagleeye_graph::{Binary, Dim, GraphBuilder, Op, Source, Unary};
use prost::Message;

use super::{Net, batched, node, operators};
use crate::export::write;
use crate::proto::tensor_proto::DataType;
use crate::proto::tensor_shape_proto::dimension::Value as Size;
use crate::proto::type_proto::Value as Kind;
use crate::proto::{GraphProto, ModelProto, ValueInfoProto};

const RELU: Op = Op::Unary(Unary::Relu);

fn names(infos: &[ValueInfoProto]) -> Vec<&str> {
    infos.iter().map(|i| i.name()).collect()
}

/// Sizes as text, symbolic ones by their name.
fn sizes(info: &ValueInfoProto) -> Vec<String> {
    let Some(Kind::TensorType(tensor)) = &info.r#type.as_ref().unwrap().value else { panic!("no tensor") };
    assert_eq!(tensor.elem_type(), DataType::Float as i32);
    let dims = &tensor.shape.as_ref().unwrap().dim;
    let text = dims.iter().map(|d| match d.value.as_ref().unwrap() {
        Size::DimValue(size) => size.to_string(),
        Size::DimParam(name) => name.clone(),
    });
    text.collect()
}

fn initializers(graph: &GraphProto) -> Vec<(&str, Vec<i64>, i32)> {
    graph.initializer.iter().map(|t| (t.name(), t.dims.clone(), t.data_type())).collect()
}

#[test]
fn the_header_names_format_opset_and_producer_and_carries_the_metadata() {
    let mut net = Net::new();
    let x = net.input("x", &[3]);
    let y = net.push("y", RELU, &[x]);
    let (graph, weights) = net.finish(&[y]);
    let metadata = BTreeMap::from([("seed", "7"), ("macs", "0.5")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let bytes = write(&graph, &weights, &metadata).unwrap();
    let model = ModelProto::decode(&bytes[..]).unwrap();
    assert_eq!((model.ir_version(), model.producer_name(), model.doc_string()), (8, "eagleeye", ""));
    assert_eq!(model.opset_import.iter().map(|o| (o.domain(), o.version())).collect::<Vec<_>>(), [("", 17)]);
    let written: Vec<_> = model.metadata_props.iter().map(|p| (p.key(), p.value())).collect();
    assert_eq!(written, [("macs", "0.5"), ("seed", "7")]);
    assert_eq!(model.graph.unwrap().name(), "test");
    assert_eq!(write(&graph, &weights, &metadata).unwrap(), bytes);
}

#[test]
fn a_network_without_a_name_gets_one() {
    let mut builder = GraphBuilder::new("");
    let x = builder.input("x", batched(&[3])).unwrap();
    let y = builder.push("y", RELU, &[x]).unwrap();
    let bytes = write(&builder.finish(&[y]).unwrap(), &[], &BTreeMap::new()).unwrap();
    assert_eq!(ModelProto::decode(&bytes[..]).unwrap().graph.unwrap().name(), "network");
}

#[test]
fn the_batch_is_symbolic_in_inputs_and_outputs() {
    let mut net = Net::new();
    let x = net.input("image", &[3, 8, 8]);
    let windows = [Dim::Batch(4), Dim::Fixed(3), Dim::Fixed(16)];
    let y = net.push("windows", Op::Reshape { shape: windows.to_vec() }, &[x]);
    let graph = net.written(&[y]);
    assert_eq!((names(&graph.input), names(&graph.output)), (vec!["image"], vec!["windows"]));
    assert_eq!(sizes(&graph.input[0]), ["batch", "3", "8", "8"]);
    assert_eq!(sizes(&graph.output[0]), ["4*batch", "3", "16"]);
}

#[test]
fn a_tied_tensor_is_stored_once_and_what_no_node_reads_is_left_out() {
    let mut net = Net::new();
    let x = net.input("x", &[4]);
    let weight = net.parameter("encoder.weight", &[4, 4]);
    net.parameter("bn.num_batches_tracked", &[]);
    let Source::Parameter(id) = net.builder.source(weight) else { panic!("no parameter") };
    net.builder.alias(id, "decoder.weight").unwrap();
    let x = net.push("encoder", Op::Linear { transposed: false }, &[x, weight]);
    let x = net.push("decoder", Op::Linear { transposed: true }, &[x, weight]);
    let graph = net.written(&[x]);
    assert_eq!(initializers(&graph), [("encoder.weight", vec![4, 4], DataType::Float as i32)]);
    assert_eq!(graph.initializer[0].raw_data()[4..8], 1f32.to_le_bytes());
}

#[test]
fn an_integer_tensor_keeps_its_type_and_is_converted_once_where_it_is_read() {
    let mut net = Net::new();
    let x = net.input("x", &[3]);
    let index = net.indices("position", &[1, -2, 3]);
    let y = net.push("mul", Op::Binary(Binary::Mul), &[x, index]);
    let y = net.push("add", Op::Binary(Binary::Add), &[y, index]);
    let graph = net.written(&[y]);
    assert_eq!(initializers(&graph), [("position", vec![3], DataType::Int64 as i32)]);
    assert_eq!(operators(&graph), ["Cast", "Mul", "Add"]);
    let cast = &node(&graph, "Cast").output[0];
    assert_eq!((&node(&graph, "Mul").input[1], &node(&graph, "Add").input[1]), (cast, cast));
}

#[test]
fn parameters_keep_their_names_where_an_activation_has_the_same() {
    let mut net = Net::new();
    let x = net.input("x", &[4]);
    let y = net.push("fc", RELU, &[x]);
    let y = net.push("y", RELU, &[y]);
    let weight = net.parameter("fc", &[2, 4]);
    let y = net.push("fc", Op::Linear { transposed: false }, &[y, weight]);
    let graph = net.written(&[y]);
    assert_eq!(graph.initializer[0].name(), "fc");
    assert_eq!(node(&graph, "Gemm").input[1], "fc");
    assert_eq!(node(&graph, "Relu").output[0], "fc_1");
}

#[test]
fn every_output_is_a_tensor_of_its_own_made_by_a_node() {
    let mut net = Net::new();
    let x = net.input("x", &[4]);
    let prior = net.parameter("prior", &[4]);
    let y = net.push("y", RELU, &[x]);
    let graph = net.written(&[y, x, y, prior]);
    assert_eq!(operators(&graph), ["Relu", "Identity", "Identity", "Identity"]);
    assert_eq!(names(&graph.output), ["y", "x_1", "y_1", "prior_1"]);
    assert_eq!((names(&graph.input), graph.initializer[0].name()), (vec!["x"], "prior"));
    assert_eq!(sizes(&graph.output[3]), ["4"]);
}

//! The messages of the file around the nodes: initializers, inputs, outputs, metadata.

use std::collections::BTreeMap;

use bytes::Bytes;
use eagleeye_graph::{Dim, ElementType, Graph, TensorData};
use prost::Message;

use super::element::data_type;
use super::error::ExportError;
use super::names::Names;
use super::opset::Opset;
use super::writer::{Call, Lowered, Tensor};
use crate::proto::tensor_shape_proto::Dimension;
use crate::proto::tensor_shape_proto::dimension::Value as Size;
use crate::proto::type_proto::{Tensor as TensorType, Value as Kind};
use crate::proto::{
    GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto,
};

const PRODUCER: &str = "eagleeye";
/// Name of the graph where the network has none; ONNX demands one.
const NETWORK: &str = "network";
const BATCH: &str = "batch";
/// protobuf's limit for one message.
const LIMIT: usize = i32::MAX as usize;

/// Refuses weights that are not those of the graph.
pub(super) fn check_weights(graph: &Graph, weights: &[TensorData]) -> Result<(), ExportError> {
    if weights.len() != graph.parameters.len() {
        return Err(ExportError::WeightCount { expected: graph.parameters.len(), found: weights.len() });
    }
    for (parameter, tensor) in graph.parameters.iter().zip(weights) {
        let name = || parameter.name.clone();
        if tensor.shape != parameter.shape {
            let (expected, found) = (parameter.shape.clone(), tensor.shape.clone());
            return Err(ExportError::WeightShape { name: name(), expected, found });
        }
        let expected = tensor.shape.iter().product::<usize>() * tensor.element.size();
        if tensor.bytes.len() != expected {
            return Err(ExportError::WeightBytes { name: name(), expected, found: tensor.bytes.len() });
        }
    }
    Ok(())
}

/// The bytes of the file.
pub(super) fn encode(
    opset: Opset,
    network: &Lowered,
    weights: &[TensorData],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, ExportError> {
    let model = ModelProto {
        ir_version: Some(opset.ir_version()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(opset.version().into()) }],
        producer_name: Some(PRODUCER.to_owned()),
        producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        graph: Some(graph_message(network, weights)),
        metadata_props: metadata
            .iter()
            .map(|(key, value)| StringStringEntryProto { key: Some(key.clone()), value: Some(value.clone()) })
            .collect(),
        ..ModelProto::default()
    };
    let bytes = model.encoded_len();
    if bytes > LIMIT {
        return Err(ExportError::TooLarge { bytes, limit: LIMIT });
    }
    Ok(model.encode_to_vec())
}

fn graph_message(network: &Lowered, weights: &[TensorData]) -> GraphProto {
    let graph = network.graph;
    let names = names(network);
    let info = |ids: &[eagleeye_graph::ValueId], tensors: &[Tensor], elements: &[ElementType]| {
        let all = ids.iter().zip(tensors).zip(elements);
        all.map(|((&id, tensor), &element)| value_info(&names[tensor.index()], element, graph.shape(id))).collect()
    };
    GraphProto {
        name: Some(if graph.name.is_empty() { NETWORK.to_owned() } else { graph.name.clone() }),
        node: network.calls.iter().map(|call| node(call, &names)).collect(),
        initializer: network
            .parameters
            .iter()
            .map(|&(id, tensor)| initializer(&names[tensor.index()], &weights[id.index()]))
            .collect(),
        input: info(&graph.inputs, &network.inputs, &network.input_elements),
        output: info(&graph.outputs, &network.outputs, &network.output_elements),
        ..GraphProto::default()
    }
}

/// A name for every tensor. Parameters keep theirs before all others, then inputs and outputs.
fn names(network: &Lowered) -> Vec<String> {
    let mut unique = Names::default();
    let mut names = vec![String::new(); network.wanted_names.len()];
    let parameters = network.parameters.iter().map(|&(_, tensor)| tensor);
    let first = parameters.chain(network.inputs.iter().copied()).chain(network.outputs.iter().copied());
    let others = network.calls.iter().flat_map(|call| call.outputs.iter().copied());
    for tensor in first.chain(others) {
        let name = &mut names[tensor.index()];
        if name.is_empty() {
            *name = unique.unique(&network.wanted_names[tensor.index()]);
        }
    }
    names
}

/// A node; its first output's name is unique and serves as its own.
fn node(call: &Call, names: &[String]) -> NodeProto {
    let named = |tensors: &[Tensor]| -> Vec<String> { tensors.iter().map(|t| names[t.index()].clone()).collect() };
    let output = named(&call.outputs);
    NodeProto {
        name: output.first().cloned(),
        op_type: Some(call.operator.to_owned()),
        input: named(&call.inputs),
        output,
        attribute: call.attributes.clone(),
        ..NodeProto::default()
    }
}

fn initializer(name: &str, data: &TensorData) -> TensorProto {
    TensorProto {
        name: Some(name.to_owned()),
        dims: data.shape.iter().map(|&d| d as i64).collect(),
        data_type: Some(data_type(data.element) as i32),
        raw_data: Some(Bytes::copy_from_slice(&data.bytes)),
        ..TensorProto::default()
    }
}

fn value_info(name: &str, element: ElementType, shape: &[Dim]) -> ValueInfoProto {
    let sizes = shape.iter().map(|dim| match dim {
        Dim::Fixed(size) => Size::DimValue(*size as i64),
        Dim::Batch(1) => Size::DimParam(BATCH.to_owned()),
        Dim::Batch(each) => Size::DimParam(format!("{each}*{BATCH}")),
    });
    let dim = sizes.map(|size| Dimension { value: Some(size), ..Dimension::default() }).collect();
    let tensor = TensorType { elem_type: Some(data_type(element) as i32), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.to_owned()),
        r#type: Some(TypeProto { value: Some(Kind::TensorType(tensor)), ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}

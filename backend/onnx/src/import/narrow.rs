//! Other tensors in the places of a file's initializers.

use std::collections::{BTreeMap, HashMap};

use eagleeye_graph::TensorData;
use eagleeye_graph::reading::Narrowed;

use super::file::Model;
use crate::error::OnnxError;
use crate::export::element::data_type;
use crate::proto::attribute_proto::AttributeType;
use crate::proto::{AttributeProto, NodeProto, TensorProto};

/// Nodes whose second input is the weight, with the attribute that says its groups.
const GROUPED: [(&str, &str); 3] =
    [("Conv", "group"), ("ConvTranspose", "group"), ("GroupNormalization", "num_groups")];

/// Replaces the initializers that are named, and the groups of the nodes that read them.
///
/// # Errors
/// [`OnnxError::NoInitializer`] for a tensor that the file does not have as an initializer of this name.
pub(super) fn narrow(model: &mut Model, narrowed: Narrowed) -> Result<(), OnnxError> {
    let mut places: HashMap<String, usize> =
        model.graph.initializer.iter().enumerate().map(|(index, t)| (t.name().to_owned(), index)).collect();
    // A state_dict's counters of batches are in no ONNX file.
    for (name, data) in narrowed.tensors.into_iter().filter(|(_, data)| data.element.is_float()) {
        let place = places.remove(&name).ok_or_else(|| OnnxError::NoInitializer(name.clone()))?;
        model.graph.initializer[place] = stored(name, data);
    }
    for node in &mut model.graph.node {
        regroup(node, &narrowed.groups);
    }
    Ok(())
}

fn stored(name: String, data: TensorData) -> TensorProto {
    TensorProto {
        name: Some(name),
        dims: data.shape.iter().map(|&size| size as i64).collect(),
        data_type: Some(data_type(data.element) as i32),
        raw_data: Some(data.bytes.into()),
        ..TensorProto::default()
    }
}

fn regroup(node: &mut NodeProto, groups: &BTreeMap<String, usize>) {
    let attribute = GROUPED.iter().find(|(operator, _)| *operator == node.op_type()).map(|(_, attribute)| *attribute);
    let count = node.input.get(1).and_then(|weight| groups.get(weight));
    let (Some(attribute), Some(&count)) = (attribute, count) else { return };
    node.attribute.retain(|own| own.name() != attribute);
    node.attribute.push(AttributeProto {
        name: Some(attribute.to_owned()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(count as i64),
        ..AttributeProto::default()
    });
}

//! Readable, unique names of groups.

use std::collections::BTreeMap;

use super::Group;
use crate::ir::{Graph, ParameterId};

/// The layer that a weight belongs to: `layer1.0.conv1` of `layer1.0.conv1.weight`. Where the file renamed its tensors (ONNX
/// exporters do when they fold batch norms) or gave them none (frozen TorchScript), the node that reads it.
pub(super) fn of_parameter(graph: &Graph, id: ParameterId) -> String {
    let name = &graph.parameter(id).name;
    if let Some(layer) = name.strip_suffix(".weight") {
        return layer.to_owned();
    }
    if name.contains('.') && !name.contains("::") && !name.starts_with("CONSTANTS.") {
        return name.clone();
    }
    let reader = graph.nodes.iter().find(|n| n.inputs.iter().any(|&i| graph.parameter_of(i) == Some(id)));
    reader.map_or_else(|| name.clone(), |node| node.name.clone())
}

/// Numbers the second and further groups of one name.
pub(super) fn unique(mut groups: Vec<Group>) -> Vec<Group> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for group in &mut groups {
        let count = seen.entry(group.name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            group.name = format!("{} ({count})", group.name);
        }
    }
    groups
}

//! What each operation of a network is called, costs by itself, and gives.

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, Node, NodeId, ParameterKind, ValueId, macs_by_node};

/// What an operation costs by itself.
pub(crate) struct OwnCost {
    pub macs: u64,
    /// Learned ones that no node before it has.
    pub parameters: u64,
    /// Whether it reads any parameter.
    pub is_layer: bool,
}

/// By node.
pub(crate) fn own_costs(graph: &Graph) -> Vec<OwnCost> {
    let macs: BTreeMap<NodeId, u64> = macs_by_node(graph).into_iter().collect();
    let mut counted = vec![false; graph.parameters.len()];
    let nodes = graph.nodes_with_ids();
    let costs = nodes.map(|(id, node)| {
        let read: Vec<_> = node.inputs.iter().filter_map(|&input| graph.parameter_of(input)).collect();
        let learned = read.iter().filter(|p| graph.parameter(**p).kind == ParameterKind::Parameter);
        let mut parameters = 0;
        for p in learned {
            if !std::mem::replace(&mut counted[p.index()], true) {
                parameters += graph.parameter(*p).shape.iter().map(|&size| size as u64).product::<u64>();
            }
        }
        OwnCost { macs: macs.get(&id).copied().unwrap_or(0), parameters, is_layer: !read.is_empty() }
    });
    costs.collect()
}

/// The name of a node's operation.
pub(crate) fn operator(graph: &Graph, node: &Node) -> String {
    node.op.name(node.inputs.first().map_or(0, |&input| graph.shape(input).len())).to_owned()
}

/// The shape of a value for a batch of one.
pub(crate) fn sizes(graph: &Graph, id: ValueId) -> Vec<u64> {
    eagleeye_graph::shape::sample(graph.shape(id)).into_iter().map(|size| size as u64).collect()
}

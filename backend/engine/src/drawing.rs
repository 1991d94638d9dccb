//! A network as it is drawn: its operations, what flows between them, and the channel groups of what flows.

use std::collections::BTreeSet;

use eagleeye_graph::{ChannelGroups, Graph, Group, Node, Role, Source, ValueId};
use eagleeye_spec::report::{GraphNode, NetworkGraph};

use crate::own_cost::{OwnCost, operator, sizes};

/// The network's operations in order of execution.
pub(crate) fn drawn(graph: &Graph, groups: &ChannelGroups, costs: &[OwnCost]) -> NetworkGraph {
    let taken: BTreeSet<&str> = graph.nodes.iter().map(|node| &node.name[..]).collect();
    let input_name = |id: ValueId| {
        let name = &graph.value(id).name;
        if taken.contains(&name[..]) { format!("{name} (input)") } else { name.clone() }
    };
    let source = |&value: &ValueId| match graph.value(value).source {
        Source::Input(_) => Some(input_name(value)),
        Source::Node(id, _) => Some(graph.node(id).name.clone()),
        Source::Parameter(_) => None,
    };
    let inputs = graph.inputs.iter().map(|&value| GraphNode {
        name: input_name(value),
        operator: "input".to_owned(),
        inputs: Vec::new(),
        shape: sizes(graph, value),
        groups: Vec::new(),
        macs: 0,
        parameters: 0,
    });
    let operations = graph.nodes.iter().zip(costs).map(|(node, cost)| {
        let mut seen = BTreeSet::new();
        let sources = node.inputs.iter().filter_map(source).filter(|name| seen.insert(name.clone()));
        GraphNode {
            name: node.name.clone(),
            operator: operator(graph, node),
            inputs: sources.collect(),
            shape: sizes(graph, node.outputs[0]),
            groups: groups_of(graph, groups, node),
            macs: cost.macs,
            parameters: cost.parameters,
        }
    });
    NetworkGraph { nodes: inputs.chain(operations).collect() }
}

/// The groups of a node's output: those that its channels can be told of, else that which its weight makes.
fn groups_of(graph: &Graph, groups: &ChannelGroups, node: &Node) -> Vec<String> {
    let mut found: Vec<usize> = Vec::new();
    if let Some(channels) = groups.channels_of(node.outputs[0]) {
        for (group, _) in channels.places.into_iter().flatten() {
            if !found.contains(&group) {
                found.push(group);
            }
        }
    }
    if found.is_empty() {
        let read: Vec<_> = node.inputs.iter().filter_map(|&input| graph.parameter_of(input)).collect();
        let makes = |group: &Group| {
            group.members.iter().any(|member| member.role == Role::Produces && read.contains(&member.parameter))
        };
        found.extend(groups.groups.iter().position(makes));
    }
    found.into_iter().map(|group| groups.groups[group].name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::Space;

    use super::*;
    use crate::inspect::inspect;
    use crate::load::Loaded;
    use crate::testing::classifier;

    #[test]
    fn a_network_is_drawn_whole_and_each_node_after_those_that_it_reads() {
        let loaded = Loaded { network: classifier(1, true), guessed_shape: false };
        let found = inspect(&loaded, &Space::default()).unwrap();
        let nodes = found.graph.unwrap().nodes;
        assert_eq!((nodes[0].operator.as_str(), nodes[0].inputs.len()), ("input", 0));
        assert_eq!(nodes.len(), 1 + loaded.network.graph.nodes.len());
        for (place, node) in nodes.iter().enumerate() {
            assert!(place == 0 || !node.inputs.is_empty(), "{node:?}");
            let before: Vec<&str> = nodes[..place].iter().map(|node| &node.name[..]).collect();
            assert!(node.inputs.iter().all(|input| before.contains(&&input[..])), "{node:?}");
        }
        assert_eq!(nodes.iter().map(|node| node.macs).sum::<u64>(), found.report.figures.macs);
        assert_eq!(nodes.iter().map(|node| node.parameters).sum::<u64>(), found.report.figures.parameters);

        // Every group is where a layer makes its channels, and goes on through what keeps them apart.
        let drawn: BTreeSet<&String> = nodes.iter().flat_map(|node| &node.groups).collect();
        let groups = &found.report.details.groups;
        assert_eq!(drawn, groups.iter().map(|group| &group.name).collect());
        let norms = nodes.iter().filter(|node| node.operator == "batch_norm");
        for norm in norms {
            let read = nodes.iter().find(|node| node.name == norm.inputs[0]).unwrap();
            assert_eq!(read.groups, norm.groups);
        }
    }
}

//! Means over channels that can be removed, as sums divided by the number of all channels.
//!
//! A removed channel is a channel of zeros, and zeros count in a mean. Where the mean is an activation like any other (an
//! attention map over positions), the pruned network must go on dividing by as many channels as there were. Where it
//! normalises the channels (they are centred by it, or divided), it is a mean over those that are there.

use std::collections::BTreeMap;

use eagleeye_graph::{Binary, ChannelGroups, Graph, Node, NodeId, Op, Reduction, Unary, ValueId, channel_groups};

use crate::network::Network;
use crate::rewrite::{Rewrite, RewriteError};

/// The network with every such mean as a sum and a factor.
pub(crate) fn means_as_sums(network: Network) -> Result<Network, RewriteError> {
    let graph = &network.graph;
    if !graph.nodes.iter().any(|node| mean_over(node).is_some()) {
        return Ok(network);
    }
    // Networks that cannot be labelled are refused where the groups are asked for.
    let Ok(groups) = channel_groups(graph) else { return Ok(network) };
    let means = means_over_channels(graph, &groups);
    if means.is_empty() {
        return Ok(network);
    }
    let mut rewrite = Rewrite::new(&network, |_| true)?;
    for (id, node) in graph.nodes_with_ids() {
        match means.get(&id) {
            Some((sum, factor)) => {
                let inputs = rewrite.inputs(node)?;
                let sum = rewrite.push(&node.name, sum.clone(), &inputs)?;
                let mean = rewrite.push(&node.name, Op::Unary(Unary::MulScalar(*factor)), &[sum])?;
                rewrite.replace(node.outputs[0], mean);
            }
            None => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

fn mean_over(node: &Node) -> Option<&[usize]> {
    match &node.op {
        Op::Reduce { kind: Reduction::Mean, axes, .. } => Some(axes),
        _ => None,
    }
}

/// The means over an axis of channels of which some can be removed: the sum instead, and its factor.
fn means_over_channels(graph: &Graph, groups: &ChannelGroups) -> BTreeMap<NodeId, (Op, f64)> {
    let consumers = graph.consumers();
    let first_units: Vec<Vec<usize>> =
        groups.groups.iter().map(|g| if g.prunable { vec![0] } else { (0..g.size).collect() }).collect();
    let means = graph.nodes_with_ids().filter_map(|(id, node)| {
        let axes = mean_over(node)?;
        let (axis, _) = groups.kept_channels(node.inputs[0], &first_units)?;
        if !axes.contains(&axis) || normalises(graph, &consumers, node.outputs[0]) {
            return None;
        }
        let Op::Reduce { axes, keep_dims, .. } = &node.op else { return None };
        let sizes = axes.iter().map(|&axis| graph.shape(node.inputs[0])[axis].sample());
        let factor = 1.0 / sizes.product::<usize>() as f64;
        Some((id, (Op::Reduce { kind: Reduction::Sum, axes: axes.clone(), keep_dims: *keep_dims }, factor)))
    });
    means.collect()
}

/// Whether something is centred or divided by a value, or by a function of it alone.
fn normalises(graph: &Graph, consumers: &[Vec<NodeId>], value: ValueId) -> bool {
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        for node in consumers[value.index()].iter().map(|&id| graph.node(id)) {
            match node.op {
                Op::Unary(Unary::Reciprocal | Unary::Log) | Op::Binary(Binary::Sub | Binary::Div | Binary::Pow) => {
                    return true;
                }
                Op::Unary(Unary::PowScalar(exponent)) if exponent < 0.0 => return true,
                Op::Unary(_) | Op::Expand { .. } | Op::Reshape { .. } | Op::Permute { .. } => {
                    open.extend(&node.outputs)
                }
                _ => {}
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::Space;

    use super::*;
    use crate::exec::forward;
    use crate::prune::prune_to;
    use crate::testing::{Layers, difference, images};
    use crate::verify::zero_oracle;

    /// A convolution, what `with` makes of its channels and their mean, and a classifier.
    fn network(with: impl Fn(&mut Layers, ValueId, ValueId) -> ValueId) -> Network {
        let mut net = Layers::new(9);
        let x = net.image(3, 6);
        let x = net.conv(x, 8, 3, 1, 1, true);
        let x = net.relu(x);
        let mean = net.push("mean", Op::Reduce { kind: Reduction::Mean, axes: vec![1], keep_dims: true }, &[x]);
        let x = with(&mut net, x, mean);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 4);
        net.finish(y)
    }

    #[test]
    fn an_attention_map_of_a_mean_counts_removed_channels_as_zeros() {
        let network = network(|net, x, mean| {
            let map = net.push("map", Op::Unary(Unary::Sigmoid), &[mean]);
            net.push("gated", Op::Binary(Binary::Mul), &[x, map])
        });
        let x = images(1, &[2, 3, 6, 6]);
        let wanted = forward(&network, &x).unwrap();
        let network = means_as_sums(network).unwrap();
        assert!(difference(&forward(&network, &x).unwrap(), &wanted) < 1e-5);
        let space = Space { round_to: Some(1), min_keep_ratio: 0.1 };
        let pruned = prune_to(&network, 0.5, 7, 0, &space).unwrap();
        assert!(pruned.report.groups.iter().all(|group| group.normalised_by.is_none()));
        assert!(zero_oracle(&network, &pruned).unwrap() < 1e-5);
    }

    #[test]
    fn a_mean_that_normalises_its_channels_is_over_those_that_are_there() {
        let network = network(|net, x, mean| net.push("centred", Op::Binary(Binary::Sub), &[x, mean]));
        let network = means_as_sums(network).unwrap();
        assert!(network.graph.nodes.iter().any(|node| mean_over(node) == Some(&[1])));
        let groups = channel_groups(&network.graph).unwrap();
        assert!(groups.prunable().any(|group| group.normalised_by.is_some()));
    }
}

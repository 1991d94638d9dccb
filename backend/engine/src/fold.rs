//! Folds batch norms into the convolutions before them: the same function with fewer passes over the activations.

use std::collections::BTreeMap;

use eagleeye_graph::{Conv, Graph, Node, NodeId, Op, ParameterId, ParameterKind, Source};
use tch::{TchError, Tensor};

use crate::network::Network;
use crate::rewrite::{Rewrite, RewriteError, free_name, parameter_uses};

/// Folds every batch norm that stands alone behind a convolution whose weight nothing else reads.
///
/// The result computes the same in inference, up to rounding. For scoring: the parameters of the folded batch norms stay,
/// unread.
pub fn fold(network: &Network) -> Result<Network, RewriteError> {
    fold_from(network, 0, |_| true)
}

/// Folds only batch norms whose statistics are stored at or behind the parameter `first`, and forgets the parameters from
/// there on: the way back from [`crate::virtual_bn`].
pub fn fold_added(network: &Network, first: usize) -> Result<Network, RewriteError> {
    fold_from(network, first, |id| id.index() < first)
}

fn fold_from(network: &Network, first: usize, keep: impl Fn(ParameterId) -> bool) -> Result<Network, RewriteError> {
    let graph = &network.graph;
    let behind = batch_norms_behind_convolutions(graph);
    let uses = parameter_uses(graph);
    let foldable = |conv: &Node, batch_norm: NodeId| {
        let norm = graph.node(batch_norm);
        let stored = norm.inputs[1..].iter().all(|&i| graph.parameter_of(i).is_some());
        let added = norm.inputs[1..].iter().filter_map(|&i| graph.parameter_of(i)).all(|p| p.index() >= first);
        let own = graph.parameter_of(conv.inputs[1]).is_some_and(|w| uses[w.index()] == 1);
        let bias = conv.inputs.get(2).is_none_or(|&b| graph.parameter_of(b).is_some());
        stored && added && own && bias
    };
    let mut rewrite = Rewrite::new(network, keep)?;
    let mut folded = vec![false; graph.nodes.len()];
    for (id, node) in graph.nodes_with_ids() {
        match (&node.op, behind.get(&id)) {
            _ if folded[id.index()] => {}
            (Op::Conv(conv), Some(&batch_norm)) if foldable(node, batch_norm) => {
                folded[batch_norm.index()] = true;
                fold_one(&mut rewrite, network, &uses, conv, node, graph.node(batch_norm))?;
            }
            _ => rewrite.copy(node)?,
        }
    }
    rewrite.finish()
}

/// The batch norm behind each convolution, where it is the only reader of the convolution's output.
pub(crate) fn batch_norms_behind_convolutions(graph: &Graph) -> BTreeMap<NodeId, NodeId> {
    let consumers = graph.consumers();
    let alone = |node: &Node| match &consumers[node.outputs[0].index()][..] {
        &[reader] if !graph.outputs.contains(&node.outputs[0]) => Some(reader),
        _ => None,
    };
    let convolutions = graph.nodes_with_ids().filter(|(_, n)| matches!(n.op, Op::Conv(_)));
    convolutions
        .filter_map(|(id, node)| alone(node).map(|reader| (id, reader)))
        .filter(|&(id, reader)| {
            let norm = graph.node(reader);
            matches!(norm.op, Op::BatchNorm { .. }) && graph.value(norm.inputs[0]).source == Source::Node(id, 0)
        })
        .collect()
}

/// `gamma * (W x + b - mean) / deviation + beta` as a convolution: its weight scaled per output channel, its bias moved.
fn fold_one(
    rewrite: &mut Rewrite<'_>,
    network: &Network,
    uses: &[usize],
    conv: &Conv,
    node: &Node,
    norm: &Node,
) -> Result<(), RewriteError> {
    let graph = &network.graph;
    let Op::BatchNorm { epsilon } = norm.op else { return Err(RewriteError::Order(norm.name.clone())) };
    let tensor = |input: usize, of: &Node| graph.parameter_of(of.inputs[input]).map(|p| network.weight(p));
    let order = || RewriteError::Order(norm.name.clone());
    let count = norm.inputs.len();
    let (mean, variance) = (tensor(count - 2, norm).ok_or_else(order)?, tensor(count - 1, norm).ok_or_else(order)?);
    let mut scale = variance.f_add_scalar(epsilon)?.f_rsqrt()?;
    if count == 5 {
        scale = scale.f_mul(tensor(1, norm).ok_or_else(order)?)?;
    }
    let bias_parameter = node.inputs.get(2).and_then(|&b| graph.parameter_of(b));
    let bias = match bias_parameter {
        Some(p) => network.weight(p).f_sub(mean)?,
        None => mean.f_neg()?,
    };
    let mut bias = bias.f_mul(&scale)?;
    if count == 5 {
        bias = bias.f_add(tensor(2, norm).ok_or_else(order)?)?;
    }
    let weight_parameter = graph.parameter_of(node.inputs[1]).ok_or_else(order)?;
    let weight = scale_outputs(conv, network.weight(weight_parameter), &scale)?;
    let inputs = rewrite.inputs(node)?;
    rewrite.set_weight(weight_parameter, weight);
    let bias_value = match bias_parameter {
        Some(p) if uses[p.index()] == 1 => {
            rewrite.set_weight(p, bias);
            inputs[2]
        }
        _ => {
            let weight_name = &graph.parameter(weight_parameter).name;
            let stem = weight_name.strip_suffix(".weight").unwrap_or(weight_name);
            let name = free_name(graph, &format!("{stem}.bias"));
            rewrite.parameter(&name, bias, ParameterKind::Parameter)?.1
        }
    };
    let output = rewrite.push(&node.name, node.op.clone(), &[inputs[0], inputs[1], bias_value])?;
    rewrite.replace(norm.outputs[0], output);
    Ok(())
}

/// A convolution's weight, each output channel multiplied by its number.
fn scale_outputs(conv: &Conv, weight: &Tensor, scale: &Tensor) -> Result<Tensor, TchError> {
    let sizes = weight.size();
    let kernel = vec![1i64; sizes.len() - 2];
    if conv.transposed.is_none() {
        let shape: Vec<i64> = [&[sizes[0], 1][..], &kernel].concat();
        return weight.f_mul(&scale.f_reshape(shape)?);
    }
    // `[in, out / groups, kernel...]`: the inputs of one group are neighbours and make that group's outputs.
    let groups = conv.groups as i64;
    let split: Vec<i64> = [&[groups, sizes[0] / groups, sizes[1]][..], &sizes[2..]].concat();
    let shape: Vec<i64> = [&[groups, 1, sizes[1]][..], &kernel].concat();
    weight.f_reshape(split)?.f_mul(&scale.f_reshape(shape)?)?.f_reshape(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::forward;
    use crate::testing::{Layers, classifier, difference, images};

    #[test]
    fn a_folded_network_computes_the_same_without_batch_norms() {
        let network = classifier(1, true);
        let folded = fold(&network).unwrap();
        assert_eq!((network.batch_norms(), folded.batch_norms()), (5, 0));
        let x = images(2, &[3, 1, 12, 12]);
        assert!(difference(&forward(&folded, &x).unwrap(), &forward(&network, &x).unwrap()) < 1e-5);
    }

    #[test]
    fn a_bias_and_grouped_transposed_convolutions_fold_too() {
        for groups in [1, 2] {
            let mut net = Layers::new(3);
            let x = net.image(4, 6);
            let sizes = [4, 6 / groups, 2, 2];
            let weight = net.parameter("up.weight", &sizes, (-0.5, 0.5), ParameterKind::Parameter);
            let bias = net.parameter("up.bias", &[6], (-0.5, 0.5), ParameterKind::Parameter);
            let conv = Conv {
                stride: vec![2; 2],
                padding: vec![(0, 0); 2],
                dilation: vec![1; 2],
                groups,
                transposed: Some(vec![0; 2]),
            };
            let y = net.push("up", Op::Conv(conv), &[x, weight, bias]);
            let y = net.batch_norm(y);
            let network = net.finish(y);
            let folded = fold(&network).unwrap();
            assert_eq!(folded.batch_norms(), 0);
            let x = images(4, &[2, 4, 6, 6]);
            assert!(difference(&forward(&folded, &x).unwrap(), &forward(&network, &x).unwrap()) < 1e-5);
        }
    }

    #[test]
    fn a_batch_norm_stays_where_the_convolution_is_read_twice() {
        let mut net = Layers::new(5);
        let x = net.image(3, 6);
        let convolved = net.conv(x, 4, 3, 1, 1, false);
        let normed = net.batch_norm(convolved);
        let y = net.add(convolved, normed);
        let network = net.finish(y);
        assert_eq!(fold(&network).unwrap().batch_norms(), 1);
    }

    #[test]
    fn a_weight_that_two_convolutions_share_is_not_scaled() {
        let mut net = Layers::new(6);
        let x = net.image(4, 6);
        let first = net.conv(x, 4, 3, 1, 1, false);
        let weight = net.builder.parameter_value(ParameterId(0));
        let normed = net.batch_norm(first);
        let conv =
            Conv { stride: vec![1; 2], padding: vec![(1, 1); 2], dilation: vec![1; 2], groups: 1, transposed: None };
        let y = net.push("again", Op::Conv(conv), &[normed, weight]);
        let network = net.finish(y);
        let folded = fold(&network).unwrap();
        assert_eq!(folded.batch_norms(), 1);
        let x = images(7, &[2, 4, 6, 6]);
        assert!(difference(&forward(&folded, &x).unwrap(), &forward(&network, &x).unwrap()) < 1e-6);
    }
}

//! The zero oracle: a pruned network must answer like the full network whose removed channels are zero.
//!
//! The removed slices of all parameters (but for [divisors](crate::divisors)) are set to zero, so that the removed channels
//! carry zeros wherever they go. That is the same as having no such channels, but for operators that normalise over channels:
//! layer norm, group norm, a mean over channels. These are given the channels that stay and nothing else, and write zeros in the
//! places of the others.

use std::collections::BTreeMap;

use eagleeye_graph::{ChannelGroups, Node, NodeId, Op, ParameterId, Reduction, channel_groups};
use tch::{Device, Kind, TchError, Tensor};

use crate::divisors::divisors;
use crate::exec::{Hook, operators, run};
use crate::network::Network;
use crate::prune::{PruneError, Pruned, select};
use eagleeye_torchscript::tensors::signed;

const IMAGES: usize = 3;
const SEED: i64 = 0;

/// Largest difference between the answers of the pruned network and of the full one with the removed channels at zero,
/// relative to the largest number of the latter, on random images.
pub fn zero_oracle(network: &Network, pruned: &Pruned) -> Result<f64, PruneError> {
    let groups = channel_groups(&network.graph)?;
    let zeroed = zeroed(network, &groups, &pruned.kept_units)?;
    tch::manual_seed(SEED);
    let shapes = network.graph.inputs.iter().map(|&input| {
        let sizes = network.graph.shape(input).iter().map(|d| d.at(IMAGES)).collect::<Vec<_>>();
        Tensor::f_randn(signed(&sizes), (Kind::Float, Device::Cpu))?.f_to_device(network.device())
    });
    let inputs = shapes.collect::<Result<Vec<Tensor>, TchError>>()?;
    let mut present =
        PresentChannels { network: &zeroed, removing: removing_norms(network, &groups, &pruned.kept_units) };
    let failed = |error: crate::exec::ExecError| PruneError::Torch(error.to_string());
    let expected = run(&zeroed, &inputs, &mut present).map_err(failed)?;
    let found = run(&pruned.network, &inputs, &mut crate::exec::Inference).map_err(failed)?;
    if expected.len() != found.len() {
        return Ok(f64::INFINITY);
    }
    let differences = expected.iter().zip(&found).map(|(expected, found)| difference(found, expected));
    Ok(differences.collect::<Result<Vec<_>, _>>()?.into_iter().fold(0.0, f64::max))
}

/// The largest difference, relative to the largest number of `expected`. Nothing equals not-a-number, and nothing a tensor of
/// another shape.
pub(crate) fn difference(found: &Tensor, expected: &Tensor) -> Result<f64, TchError> {
    if found.size() != expected.size() {
        return Ok(f64::INFINITY);
    }
    let scale = expected.f_abs()?.f_max()?.f_double_value(&[])?.max(1e-12);
    let relative = expected.f_sub(found)?.f_abs()?.f_max()?.f_double_value(&[])? / scale;
    Ok(if relative.is_nan() { f64::INFINITY } else { relative })
}

/// The full network with every removed slice at zero.
fn zeroed(network: &Network, groups: &ChannelGroups, kept_units: &[Vec<usize>]) -> Result<Network, TchError> {
    let mut removed: BTreeMap<(ParameterId, usize), Vec<i64>> = BTreeMap::new();
    for (group, kept) in groups.groups.iter().zip(kept_units) {
        for member in &group.members {
            let indices = member.removed(kept).into_iter().map(i64::from);
            removed.entry((member.parameter, member.axis)).or_default().extend(indices);
        }
    }
    let (mut zeroed, divisors) = (network.shallow_clone(), divisors(&network.graph));
    for ((parameter, axis), indices) in removed.into_iter().filter(|((parameter, _), _)| !divisors.contains(parameter))
    {
        let indices = Tensor::f_from_slice(&indices)?.f_to_device(network.device())?;
        let weight = &mut zeroed.weights[parameter.index()];
        *weight = weight.f_index_fill(axis as i64, &indices, 0.0)?;
    }
    Ok(zeroed)
}

/// Nodes that normalise over an axis that loses channels: that axis of their input, and the positions that stay.
fn removing_norms(
    network: &Network,
    groups: &ChannelGroups,
    kept_units: &[Vec<usize>],
) -> BTreeMap<NodeId, (usize, Vec<usize>)> {
    let nodes = network.graph.nodes_with_ids();
    let removing = nodes.filter_map(|(id, node)| {
        let (axis, kept) = groups.kept_channels(node.inputs[0], kept_units)?;
        let rank = network.graph.shape(node.inputs[0]).len();
        let over_channels = match &node.op {
            Op::LayerNorm { axes, .. } => axis + axes >= rank,
            Op::GroupNorm { .. } => axis == 1,
            Op::Reduce { kind, axes, .. } => *kind != Reduction::Sum && axes.contains(&axis),
            _ => false,
        };
        over_channels.then_some((id, (axis, kept)))
    });
    removing.collect()
}

struct PresentChannels<'a> {
    network: &'a Network,
    removing: BTreeMap<NodeId, (usize, Vec<usize>)>,
}

impl Hook for PresentChannels<'_> {
    fn node(&mut self, id: NodeId, node: &Node, inputs: &[&Tensor]) -> Result<Option<Tensor>, TchError> {
        let Some((axis, kept)) = self.removing.get(&id) else { return Ok(None) };
        let rank = inputs[0].dim();
        let mut present = vec![select(inputs[0], *axis, kept)?];
        for parameter in &inputs[1..] {
            // Parameters are aligned at the last axis (layer norm) or have the channel axis alone (group norm).
            let own = if parameter.dim() == 1 { 0 } else { *axis + parameter.dim() - rank };
            present.push(select(parameter, own, kept)?);
        }
        let present: Vec<&Tensor> = present.iter().collect();
        let full = inputs[0].size()[*axis] as usize;
        let batch = inputs[0].size().first().map_or(1, |&n| n as usize);
        let computed = operators::compute(&pruned_op(&node.op, full, kept.len()), &present, batch)?;
        let Some(computed) = computed.into_iter().next() else { return Ok(None) };
        if matches!(node.op, Op::Reduce { .. }) {
            return Ok(Some(computed));
        }
        let indices = Tensor::f_from_slice(&signed(kept))?.f_to_device(self.network.device())?;
        inputs[0].f_zeros_like()?.f_index_copy(*axis as i64, &indices, &computed).map(Some)
    }
}

/// Instance norm has a group for each channel that is there; groups of several channels stay as many, and lose equally.
fn pruned_op(op: &Op, full: usize, kept: usize) -> Op {
    match op {
        Op::GroupNorm { groups, epsilon } if *groups == full => Op::GroupNorm { groups: kept, epsilon: *epsilon },
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{Binary, ParameterKind, Unary};
    use eagleeye_spec::Space;

    use super::*;
    use crate::exec::forward;
    use crate::prune::prune_to;
    use crate::testing::{Layers, classifier, difference, images};

    #[test]
    fn pruning_equals_the_full_network_with_the_removed_channels_at_zero() {
        for batch_norms in [true, false] {
            let network = classifier(2, batch_norms);
            let pruned = prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap();
            assert!(zero_oracle(&network, &pruned).unwrap() < 1e-5);
            let x = images(3, &[3, 1, 12, 12]);
            let moved = difference(&forward(&pruned.network, &x).unwrap(), &forward(&network, &x).unwrap());
            assert!(moved > 1e-3, "nothing was removed");
        }
    }

    #[test]
    fn a_parameter_that_channels_are_divided_by_loses_slices_and_is_not_zeroed() {
        let mut net = Layers::new(9);
        let x = net.image(1, 12);
        let x = net.conv(x, 8, 3, 1, 1, false);
        let periods = net.parameter("periods", &[8, 1, 1], (1.0, 2.0), ParameterKind::Buffer);
        let inverse = net.push("inverse", Op::Unary(Unary::Reciprocal), &[periods]);
        let x = net.push("div", Op::Binary(Binary::Div), &[x, periods]);
        let x = net.push("mul", Op::Binary(Binary::Mul), &[x, inverse]);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let pruned = prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap();
        let members = &pruned.report.groups[0].members;
        assert!(members.iter().any(|m| m.parameter == "periods" && !m.removed.is_empty()));
        assert_eq!(pruned.report.divisors, std::collections::BTreeSet::from(["periods".to_owned()]));
        assert!(zero_oracle(&network, &pruned).unwrap() < 1e-5);
    }

    #[test]
    fn a_wrong_cut_shows() {
        let network = classifier(3, true);
        let mut pruned = prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap();
        pruned.network.weights[0] = &pruned.network.weights[0] * 2.0;
        assert!(zero_oracle(&network, &pruned).unwrap() > 1e-4);
    }

    #[test]
    fn an_answer_that_is_no_number_is_wrong() {
        let network = classifier(3, true);
        let mut pruned = prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap();
        pruned.network.weights[0] = &pruned.network.weights[0] * f64::NAN;
        assert_eq!(zero_oracle(&network, &pruned).unwrap(), f64::INFINITY);
        let spoiled =
            network.with(network.graph.clone(), network.weights.iter().map(|weight| weight * f64::NAN).collect());
        assert_eq!(zero_oracle(&spoiled, &pruned).unwrap(), f64::INFINITY, "not even where both answers are none");
    }

    #[test]
    fn a_tensor_of_another_shape_is_a_difference() {
        let ones = |sizes: &[i64]| Tensor::ones(sizes, (Kind::Float, Device::Cpu));
        assert_eq!(super::difference(&ones(&[2, 3]), &ones(&[1, 3])).unwrap(), f64::INFINITY);
        assert_eq!(super::difference(&ones(&[2, 3]), &ones(&[2, 3])).unwrap(), 0.0);
    }

    /// A network whose channels are normalised together by group norms (`groups` of 8 channels) and a layer norm.
    fn normalised(groups: usize) -> Network {
        let mut net = Layers::new(5);
        let x = net.image(1, 12);
        let mut x = net.conv(x, 8, 3, 1, 1, true);
        for part in ["first", "second"] {
            let weight = net.parameter(&format!("{part}.weight"), &[8], (0.5, 1.5), ParameterKind::Parameter);
            let bias = net.parameter(&format!("{part}.bias"), &[8], (-0.5, 0.5), ParameterKind::Parameter);
            x = net.push("norm", Op::GroupNorm { groups, epsilon: 1e-5 }, &[x, weight, bias]);
            x = net.relu(x);
            x = net.conv(x, 8, 3, 1, 1, true);
        }
        let x = net.global_mean(x, false);
        let weight = net.parameter("last.weight", &[8], (0.5, 1.5), ParameterKind::Parameter);
        let bias = net.parameter("last.bias", &[8], (-0.5, 0.5), ParameterKind::Parameter);
        let x = net.push("norm", Op::LayerNorm { axes: 1, epsilon: 1e-5 }, &[x, weight, bias]);
        let y = net.linear(x, 5);
        net.finish(y)
    }

    #[test]
    fn channels_that_are_normalised_together_are_compared_without_the_removed_ones() {
        for groups in [1, 2, 8] {
            let network = normalised(groups);
            let pruned = prune_to(&network, 0.5, 7, 0, &Space::default()).unwrap();
            assert!(pruned.report.groups.iter().any(|g| g.normalised_by.is_some() && g.kept < g.size));
            let difference = zero_oracle(&network, &pruned).unwrap();
            assert!(difference < 1e-5, "{groups} groups: {difference}");
        }
    }
}

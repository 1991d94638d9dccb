//! Batch-norm scales: Network Slimming (Liu et al., ICCV 2017).

use std::collections::BTreeSet;

use eagleeye_graph::{Graph, Group, Op, ParameterId};
use eagleeye_torchscript::tensors::values;

use super::error::ImportanceError;
use super::magnitude::l1_of;
use super::subject::{LayerScores, Subject, sum_along, unit_sums};

/// For each batch norm on a group's channels, the absolute scale of each unit; L1 for groups without one.
pub(super) fn scales(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    let scales = scale_parameters(&subject.network.graph);
    subject.groups.groups.iter().map(|group| of_group(subject, group, &scales)).collect()
}

fn of_group(subject: &Subject, group: &Group, scales: &BTreeSet<ParameterId>) -> Result<LayerScores, ImportanceError> {
    let mut layers = Vec::new();
    for member in group.members.iter().filter(|member| scales.contains(&member.parameter)) {
        let magnitudes = subject.network.weight(member.parameter).f_detach()?.f_abs()?;
        layers.push(unit_sums(member, &values(&sum_along(&magnitudes, member.axis)?)?));
    }
    if layers.is_empty() { Ok(l1_of(subject, group)?) } else { Ok(layers) }
}

/// Gamma of every batch norm that has one.
fn scale_parameters(graph: &Graph) -> BTreeSet<ParameterId> {
    let with_scale = graph.nodes.iter().filter(|n| matches!(n.op, Op::BatchNorm { .. }) && n.inputs.len() == 5);
    with_scale.filter_map(|node| graph.parameter_of(node.inputs[1])).collect()
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{Op, channel_groups};
    use eagleeye_spec::{Aggregate, Criterion, Importance};
    use tch::Tensor;

    use crate::importance::{ImportanceData, importance};
    use crate::network::Network;
    use crate::testing::{Layers, classifier};

    fn judge(network: &Network, criterion: Criterion, aggregate: Aggregate) -> Vec<Vec<f64>> {
        let groups = channel_groups(&network.graph).unwrap();
        let how = Importance { criterion, aggregate };
        importance(network, &groups, how, &ImportanceData::without_images(0)).unwrap()
    }

    /// The absolute values of a parameter.
    fn magnitudes(network: &Network, name: &str) -> Vec<f64> {
        let position = network.graph.parameters.iter().position(|p| p.name == name).unwrap();
        Vec::try_from(network.weights[position].abs().to_kind(tch::Kind::Double)).unwrap()
    }

    #[test]
    fn the_scales_of_all_batch_norms_on_the_channels_count() {
        let mut network = classifier(2, true);
        let first = network.graph.parameters.iter().position(|p| p.name == "bn2.weight").unwrap();
        network.weights[first] = Tensor::from_slice(&[1.0f32, -2.0, 3.0, -4.0, 5.0, 0.0, 7.0, 8.0]);
        let depthwise = magnitudes(&network, "bn5.weight");
        let summed: Vec<f64> = magnitudes(&network, "bn2.weight").iter().zip(&depthwise).map(|(a, b)| a + b).collect();
        assert_eq!(judge(&network, Criterion::BnScale, Aggregate::Sum)[0], summed);
        let leading = judge(&network, Criterion::BnScale, Aggregate::Leading);
        assert_eq!(leading[0], [1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 7.0, 8.0]);
    }

    #[test]
    fn a_group_without_a_batch_norm_is_judged_by_l1() {
        let mut net = Layers::new(3);
        let x = net.image(1, 8);
        let x = net.conv(x, 6, 3, 1, 1, false);
        let x = net.batch_norm(x);
        let x = net.relu(x);
        let x = net.conv(x, 8, 3, 1, 1, true);
        let x = net.push("gelu", Op::Unary(eagleeye_graph::Unary::Gelu { tanh: false }), &[x]);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let (scale, l1) =
            (judge(&network, Criterion::BnScale, Aggregate::Sum), judge(&network, Criterion::L1, Aggregate::Sum));
        assert_eq!(scale[0], magnitudes(&network, "bn2.weight"));
        assert_ne!(scale[0], l1[0]);
        assert_eq!(scale[1..], l1[1..]);
    }
}

//! Second moments of activations: how much of a signal the next layers get through a channel.

use std::collections::{BTreeMap, BTreeSet};

use eagleeye_graph::{ChannelGroups, Channels, Graph, Group, Node, NodeId, Op, ParameterId, Role};
use eagleeye_spec::Criterion;
use eagleeye_torchscript::tensors::values;
use tch::{TchError, Tensor};

use super::error::ImportanceError;
use super::magnitude::l1_of;
use super::subject::{LayerScores, Subject, finite, sum_along};
use crate::batches::batches;
use crate::exec::{self, Hook};

/// For each convolution or linear layer that reads a group's channels, the mean over images and positions of their squares, as
/// the layer reads them; L1 for groups that none reads.
pub(super) fn second_moments(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    let images = subject.images(Criterion::Activation)?;
    let mut moments = Moments { readers: readers(subject), cancelled: subject.data.cancelled };
    for range in batches(images.count(), subject.data.batch_size) {
        exec::run(subject.network, &[images.batch(range)?], &mut moments)?;
    }
    let groups = subject.groups.groups.iter().enumerate();
    groups.map(|(number, group)| of_group(subject, number, group, &moments)).collect()
}

fn of_group(
    subject: &Subject,
    number: usize,
    group: &Group,
    moments: &Moments,
) -> Result<LayerScores, ImportanceError> {
    let mut layers = Vec::new();
    for reader in moments.readers.values().filter(|reader| reader.groups.contains(&number)) {
        layers.push(reader.of_group(number, group.size)?);
    }
    if layers.is_empty() { Ok(l1_of(subject, group)?) } else { finite(Criterion::Activation, group, layers) }
}

/// A layer that reads channels of prunable groups.
struct Reader {
    /// Of the layer's input.
    channels: Channels,
    /// The groups whose channels it reads with a weight of its own.
    groups: BTreeSet<usize>,
    /// For each position, the sum of the squares of all its entries so far.
    squares: Option<Tensor>,
    /// How many entries a position has had.
    entries: usize,
}

/// The convolutions and linear layers whose weights have an input axis in a group, in order of execution.
fn readers(subject: &Subject) -> BTreeMap<NodeId, Reader> {
    let Subject { network, groups, .. } = subject;
    let consuming = consuming(groups);
    let nodes = network.graph.nodes_with_ids();
    nodes.filter_map(|(id, node)| Some((id, reader(&network.graph, node, groups, &consuming)?))).collect()
}

fn reader(
    graph: &Graph,
    node: &Node,
    groups: &ChannelGroups,
    consuming: &BTreeMap<ParameterId, BTreeSet<usize>>,
) -> Option<Reader> {
    if !matches!(node.op, Op::Conv(_) | Op::Linear { .. }) {
        return None;
    }
    let groups_of_weight = consuming.get(&graph.parameter_of(node.inputs[1])?)?;
    let channels = groups.channels_of(node.inputs[0])?;
    let present: BTreeSet<usize> = channels.places.iter().flatten().map(|&(group, _)| group).collect();
    let groups = present.intersection(groups_of_weight).copied().collect();
    Some(Reader { channels, groups, squares: None, entries: 0 })
}

/// The groups along the input axis of each weight.
fn consuming(groups: &ChannelGroups) -> BTreeMap<ParameterId, BTreeSet<usize>> {
    let mut consuming: BTreeMap<ParameterId, BTreeSet<usize>> = BTreeMap::new();
    for (number, group) in groups.groups.iter().enumerate() {
        for member in group.members.iter().filter(|member| member.role == Role::Consumes) {
            consuming.entry(member.parameter).or_default().insert(number);
        }
    }
    consuming
}

impl Reader {
    fn add(&mut self, input: &Tensor) -> Result<(), TchError> {
        let squares = sum_along(&input.f_square()?, self.channels.axis)?;
        self.entries += input.numel() / self.channels.places.len().max(1);
        self.squares = Some(match &self.squares {
            None => squares,
            Some(before) => before.f_add(&squares)?,
        });
        Ok(())
    }

    /// The second moment of each unit of a group: the sum of those of its channels.
    fn of_group(&self, group: usize, size: usize) -> Result<Vec<f64>, TchError> {
        let squares = self.squares.as_ref().map(values).transpose()?.unwrap_or_default();
        let mut moments = vec![0.0; size];
        for (square, place) in squares.iter().zip(&self.channels.places) {
            match *place {
                Some((of, unit)) if of == group => moments[unit] += square / self.entries as f64,
                _ => {}
            }
        }
        Ok(moments)
    }
}

struct Moments<'a> {
    readers: BTreeMap<NodeId, Reader>,
    cancelled: &'a dyn Fn() -> bool,
}

impl Hook for Moments<'_> {
    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }

    fn node(&mut self, id: NodeId, _: &Node, inputs: &[&Tensor]) -> Result<Option<Tensor>, TchError> {
        if let Some(reader) = self.readers.get_mut(&id) {
            reader.add(inputs[0])?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::{Dim, channel_groups};
    use eagleeye_spec::{Aggregate, Importance};
    use tch::Kind;

    use super::*;
    use crate::importance::{ImportanceData, importance};
    use crate::network::Network;
    use crate::testing::{Layers, images};

    fn judge(network: &Network, images: &Tensor, aggregate: Aggregate) -> Vec<Vec<f64>> {
        let groups = channel_groups(&network.graph).unwrap();
        let data = ImportanceData { images: Some(images), labels: None, batch_size: 8, seed: 0, cancelled: &|| false };
        importance(network, &groups, Importance { criterion: Criterion::Activation, aggregate }, &data).unwrap()
    }

    fn weight<'a>(network: &'a Network, name: &str) -> &'a Tensor {
        let position = network.graph.parameters.iter().position(|p| p.name == name).unwrap();
        &network.weights[position]
    }

    fn convolved(network: &Network, name: &str, x: &Tensor) -> Tensor {
        let named = |part: &str| weight(network, &format!("{name}.{part}"));
        x.conv2d(named("weight"), Some(named("bias")), [1i64, 1], [1i64, 1], [1i64, 1], 1)
    }

    fn close(found: &[f64], expected: &Tensor) {
        let expected = Vec::<f64>::try_from(expected.to_kind(Kind::Double)).unwrap();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
        }
    }

    #[test]
    fn activations_are_squared_as_each_layer_reads_them() {
        let mut net = Layers::new(2);
        let x = net.image(1, 8);
        let made = net.conv(x, 6, 3, 1, 1, true);
        let relu = net.relu(made);
        let (left, right) = (net.conv(relu, 4, 3, 1, 1, true), net.conv(made, 4, 3, 1, 1, true));
        let sum = net.add(left, right);
        let x = net.global_mean(sum, false);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let images = images(3, &[20, 1, 8, 8]);
        let made = convolved(&network, "conv1", &images);
        let moments = |x: &Tensor| x.square().mean_dim(&[0i64, 2, 3][..], false, Kind::Double);
        let (behind_relu, plain) = (moments(&made.relu()), moments(&made));
        close(&judge(&network, &images, Aggregate::Leading)[0], &behind_relu);
        close(&judge(&network, &images, Aggregate::Sum)[0], &(behind_relu + plain));
        let sum = convolved(&network, "conv3", &made.relu()) + convolved(&network, "conv4", &made);
        let mean = sum.mean_dim(&[2i64, 3][..], false, Kind::Float);
        close(&judge(&network, &images, Aggregate::Sum)[1], &mean.square().mean_dim(0i64, false, Kind::Double));
    }

    #[test]
    fn a_channel_that_a_linear_layer_reads_at_many_positions_is_their_sum() {
        let mut net = Layers::new(4);
        let x = net.image(1, 4);
        let x = net.conv(x, 6, 3, 1, 1, true);
        let x = net.push("flatten", Op::Reshape { shape: vec![Dim::Batch(1), Dim::Fixed(6 * 16)] }, &[x]);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let images = images(5, &[12, 1, 4, 4]);
        let squares = convolved(&network, "conv1", &images).square().mean_dim(0i64, false, Kind::Double);
        close(
            &judge(&network, &images, Aggregate::Sum)[0],
            &squares.sum_dim_intlist(&[1i64, 2][..], false, Kind::Double),
        );
    }
}

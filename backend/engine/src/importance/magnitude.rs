//! Norms of filters: L1, the paper's criterion, and L2.

use eagleeye_graph::{Group, Member};
use eagleeye_torchscript::tensors::values;
use tch::{Kind, TchError, Tensor};

use super::error::ImportanceError;
use super::subject::{LayerScores, Subject, sum_along, unit_sums};

pub(super) fn l1(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    subject.groups.groups.iter().map(|group| Ok(l1_of(subject, group)?)).collect()
}

pub(super) fn l2(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    subject.groups.groups.iter().map(|group| Ok(norms(subject, group, square_root_of_squares)?)).collect()
}

/// The L1 norms of one group.
pub(super) fn l1_of(subject: &Subject, group: &Group) -> Result<LayerScores, TchError> {
    norms(subject, group, sum_of_magnitudes)
}

fn norms(
    subject: &Subject,
    group: &Group,
    of_slices: fn(&Tensor, usize) -> Result<Vec<f64>, TchError>,
) -> Result<LayerScores, TchError> {
    let layer = |member: &Member| -> Result<Vec<f64>, TchError> {
        let weight = subject.network.weight(member.parameter).f_detach()?;
        Ok(unit_sums(member, &of_slices(&weight, member.axis)?))
    };
    subject.judged(group).map(layer).collect()
}

/// L1 norm of every slice along an axis.
fn sum_of_magnitudes(weight: &Tensor, axis: usize) -> Result<Vec<f64>, TchError> {
    values(&sum_along(&weight.f_abs()?, axis)?)
}

/// L2 norm of every slice along an axis.
fn square_root_of_squares(weight: &Tensor, axis: usize) -> Result<Vec<f64>, TchError> {
    values(&sum_along(&weight.f_to_kind(Kind::Double)?.f_square()?, axis)?.f_sqrt()?)
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::channel_groups;
    use eagleeye_spec::{Aggregate, Criterion, Importance};
    use tch::Kind;

    use crate::importance::{ImportanceData, importance};
    use crate::network::Network;
    use crate::testing::{Layers, classifier};

    fn norms(network: &Network, criterion: Criterion) -> Vec<Vec<f64>> {
        let groups = channel_groups(&network.graph).unwrap();
        let how = Importance { criterion, aggregate: Aggregate::Sum };
        importance(network, &groups, how, &ImportanceData::without_images(0)).unwrap()
    }

    fn weight<'a>(network: &'a Network, name: &str) -> &'a tch::Tensor {
        let position = network.graph.parameters.iter().position(|p| p.name == name).unwrap();
        &network.weights[position]
    }

    #[test]
    fn l1_is_the_sum_of_absolute_weights_of_one_filter() {
        let network = classifier(1, true);
        let filter = weight(&network, "conv1.weight").get(3).abs().sum(Kind::Double).double_value(&[]);
        let found = norms(&network, Criterion::L1)[0][3];
        assert!((found - filter).abs() < 1e-6, "{found} {filter}");
    }

    #[test]
    fn the_layers_of_a_residual_are_added_in_order() {
        let mut net = Layers::new(7);
        let x = net.image(1, 8);
        let x = net.conv(x, 8, 3, 1, 1, false);
        let y = net.conv(x, 6, 3, 1, 1, false);
        let y = net.conv(y, 8, 3, 1, 1, false);
        let x = net.add(x, y);
        let x = net.batch_norm(x);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let of_layer = |name| weight(&network, name).abs().sum_dim_intlist(&[1i64, 2, 3][..], false, Kind::Double);
        let (stem, outer) = (of_layer("conv1.weight"), of_layer("conv3.weight"));
        assert_eq!(norms(&network, Criterion::L1)[0], Vec::<f64>::try_from(stem + outer).unwrap(), "to the last digit");
    }

    #[test]
    fn l2_is_the_length_of_one_filter() {
        let network = classifier(1, true);
        let filter = Vec::<f64>::try_from(weight(&network, "conv1.weight").get(3).to_kind(Kind::Double).flatten(0, -1));
        let length = filter.unwrap().iter().map(|w| w * w).sum::<f64>().sqrt();
        let found = norms(&network, Criterion::L2)[0][3];
        assert!((found - length).abs() < 1e-12, "{found} {length}");
    }

    #[test]
    fn behind_folded_batch_norms_a_norm_is_over_the_weights_that_read_the_channel() {
        let network = classifier(6, false);
        let groups = channel_groups(&network.graph).unwrap();
        let reader = network.graph.parameters.iter().position(|p| p.name == "fc12.weight").unwrap();
        let group = groups.groups.iter().position(|g| g.members.iter().any(|m| m.parameter.index() == reader)).unwrap();
        let column = network.weights[reader].select(1, 3).to_kind(Kind::Double);
        let expected = [column.abs().sum(Kind::Double), column.square().sum(Kind::Double).sqrt()];
        for (criterion, expected) in [Criterion::L1, Criterion::L2].into_iter().zip(expected) {
            let (found, expected) = (norms(&network, criterion)[group][3], expected.double_value(&[]));
            assert!((found - expected).abs() < 1e-6, "{}: {found} {expected}", criterion.name());
        }
    }
}

//! Distances between filters: FPGM, filter pruning via geometric median (He et al., CVPR 2019).

use eagleeye_graph::{Group, Member};
use eagleeye_torchscript::tensors::values;
use tch::{Kind, TchError, Tensor};

use super::error::ImportanceError;
use super::subject::{LayerScores, Subject};

/// Columns of the filters that are held in `f64` at a time.
const COLUMNS: i64 = 4096;

/// For each unit, the sum of its Euclidean distances to all units of the group in the same layer. A unit of several channels is
/// one vector of all their weights.
pub(super) fn distances(subject: &Subject) -> Result<Vec<LayerScores>, ImportanceError> {
    subject.groups.groups.iter().map(|group| of_group(subject, group)).collect()
}

fn of_group(subject: &Subject, group: &Group) -> Result<LayerScores, ImportanceError> {
    let layer = |member: &Member| Ok(sums_of_distances(&vectors(subject.network.weight(member.parameter), member)?)?);
    subject.judged(group).map(layer).collect()
}

/// Each unit's weights as a row.
fn vectors(weight: &Tensor, member: &Member) -> Result<Tensor, TchError> {
    let indices: Vec<i64> = member.units.iter().flatten().map(|&index| i64::from(index)).collect();
    let indices = Tensor::f_from_slice(&indices)?.f_to_device(weight.device())?;
    let slices = weight.f_detach()?.f_movedim_int(member.axis as i64, 0)?.f_index_select(0, &indices)?;
    slices.f_reshape([member.units.len() as i64, -1])
}

/// For each row, the sum of its distances to all rows, from the rows' products with each other: `|a - b|^2 = aa + bb - 2ab`.
fn sums_of_distances(rows: &Tensor) -> Result<Vec<f64>, TchError> {
    let &[count, length] = &rows.size()[..] else { return Ok(Vec::new()) };
    let mut products = Tensor::f_zeros([count, count], (Kind::Double, rows.device()))?;
    for start in (0..length).step_by(COLUMNS as usize) {
        let columns = rows.f_narrow(1, start, COLUMNS.min(length - start))?.f_to_kind(Kind::Double)?;
        products = products.f_add(&columns.f_matmul(&columns.f_transpose(0, 1)?)?)?;
    }
    let squares = products.f_diagonal(0, 0, 1)?;
    let sums = squares.f_unsqueeze(0)?.f_add(&squares.f_unsqueeze(1)?)?;
    let distances = sums.f_sub(&products.f_mul_scalar(2.0)?)?.f_clamp_min(0.0)?.f_sqrt()?;
    values(&distances.f_sum_dim_intlist(1i64, false, Kind::Double)?)
}

#[cfg(test)]
mod tests {
    use eagleeye_graph::channel_groups;
    use eagleeye_spec::{Aggregate, Criterion, Importance};
    use tch::Tensor;

    use super::*;
    use crate::importance::{ImportanceData, importance};
    use crate::testing::{Layers, images};

    #[test]
    fn a_filter_between_the_others_is_the_least_important() {
        let mut net = Layers::new(1);
        let x = net.image(2, 8);
        let x = net.conv(x, 3, 1, 1, 1, false);
        let x = net.batch_norm(x);
        let x = net.relu(x);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        let mut network = net.finish(y);
        // Points of the plane: 3 and 5 from the first, 4 between the others.
        network.weights[0] = Tensor::from_slice(&[0.0f32, 0.0, 3.0, 0.0, 3.0, 4.0]).reshape([3, 2, 1, 1]);
        let groups = channel_groups(&network.graph).unwrap();
        let how = Importance { criterion: Criterion::Fpgm, aggregate: Aggregate::Sum };
        let found = importance(&network, &groups, how, &ImportanceData::without_images(0)).unwrap();
        for (found, expected) in found[0].iter().zip([3.0 + 5.0, 3.0 + 4.0, 5.0 + 4.0]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn long_rows_are_taken_in_parts() {
        let rows = images(2, &[6, 2 * COLUMNS as usize + 77]);
        let differences = rows.unsqueeze(0).to_kind(Kind::Double) - rows.unsqueeze(1);
        let expected = differences.square().sum_dim_intlist(2i64, false, Kind::Double).sqrt();
        let expected = Vec::<f64>::try_from(expected.sum_dim_intlist(1i64, false, Kind::Double)).unwrap();
        for (found, expected) in sums_of_distances(&rows).unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6 * expected, "{found} {expected}");
        }
    }
}

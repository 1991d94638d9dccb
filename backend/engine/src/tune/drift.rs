//! How filters and layers change while a network is trained.

use eagleeye_graph::{Op, ParameterId};
use eagleeye_spec::{DriftKind, Histogram, LayerDrift};
use eagleeye_torchscript::tensors::values;
use tch::{Kind, TchError};

use crate::network::Network;

/// Intervals of the histogram of filter norms.
const INTERVALS: usize = 32;

/// How many filters of all convolutions have which L1 norm: between 0 and the largest, in equal intervals.
pub fn filter_norms(network: &Network) -> Result<Histogram, TchError> {
    let mut norms = Vec::new();
    for node in &network.graph.nodes {
        let Op::Conv(conv) = &node.op else { continue };
        let Some(id) = network.graph.parameter_of(node.inputs[1]) else { continue };
        let weight = network.weight(id).f_detach()?;
        // Filters of a transposed convolution lie along the second axis.
        let weight = if conv.transposed.is_some() { weight.f_transpose(0, 1)? } else { weight };
        norms.extend(values(&weight.f_flatten(1, -1)?.f_abs()?.f_sum_dim_intlist(1i64, false, Kind::Double)?)?);
    }
    Ok(histogram(&norms))
}

fn histogram(values: &[f64]) -> Histogram {
    let high = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    let mut counts = vec![0; INTERVALS];
    for value in values.iter().filter(|value| value.is_finite()) {
        let place = if high > 0.0 { (value / high * INTERVALS as f64) as usize } else { 0 };
        counts[place.min(INTERVALS - 1)] += 1;
    }
    Histogram { low: 0.0, high, counts }
}

/// How far the weights of layers and the statistics of batch norms have moved from where they began: the norm of the difference
/// by the norm at the beginning, which counts as 1 where it is 0.
pub(super) fn drift(begin: &Network, now: &Network) -> Result<Vec<LayerDrift>, TchError> {
    let mut moved = Vec::new();
    for (id, kind) in watched(now) {
        let (before, after) = (begin.weight(id).f_detach()?, now.weight(id).f_detach()?);
        let length = before.f_norm()?.f_double_value(&[])?;
        let difference = after.f_sub(&before)?.f_norm()?.f_double_value(&[])?;
        let relative = difference / if length > 0.0 { length } else { 1.0 };
        moved.push(LayerDrift { tensor: now.graph.parameter(id).name.clone(), kind, relative });
    }
    Ok(moved)
}

/// Weights of convolutions and linear layers, and running statistics, in the order of the graph.
fn watched(network: &Network) -> Vec<(ParameterId, DriftKind)> {
    let mut found: Vec<(ParameterId, DriftKind)> = Vec::new();
    for node in &network.graph.nodes {
        let count = node.inputs.len();
        let inputs = match node.op {
            Op::Conv(_) | Op::Linear { .. } => vec![(1, DriftKind::Weight)],
            Op::BatchNorm { .. } => vec![(count - 2, DriftKind::Mean), (count - 1, DriftKind::Variance)],
            _ => continue,
        };
        for (input, kind) in inputs {
            if let Some(id) = network.graph.parameter_of(node.inputs[input])
                && found.iter().all(|&(known, _)| known != id)
            {
                found.push((id, kind));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::exec::forward;
    use crate::testing::{Layers, classifier, images};

    fn fastest(mut work: impl FnMut()) -> Duration {
        let once = |_| {
            let begun = Instant::now();
            work();
            begun.elapsed()
        };
        (0..5).map(once).min().unwrap()
    }

    /// An epoch has hundreds of batches, each with a pass back as well.
    #[test]
    fn what_is_recorded_of_an_epoch_takes_less_time_than_one_batch_forward() {
        let mut net = Layers::new(1);
        let mut x = net.image(3, 16);
        for out in [32, 64, 128, 256, 256] {
            x = net.conv(x, out, 3, 1, 1, false);
            x = net.batch_norm(x);
            x = net.relu(x);
        }
        let x = net.global_mean(x, false);
        let y = net.linear(x, 5);
        let network = net.finish(y);
        let batch = images(1, &[128, 3, 16, 16]);
        let recorded = fastest(|| {
            filter_norms(&network).unwrap();
            drift(&network, &network).unwrap();
        });
        let computed = fastest(|| drop(forward(&network, &batch).unwrap()));
        assert!(recorded < computed, "{recorded:?} of {computed:?}");
    }

    #[test]
    fn every_filter_is_counted_once() {
        let network = classifier(1, true);
        let found = filter_norms(&network).unwrap();
        assert_eq!(found.counts.iter().sum::<u64>(), 8 + 8 + 12 + 12 + 16);
        let largest =
            network.weights.iter().filter(|weight| weight.dim() == 4).map(|weight| {
                weight.abs().sum_dim_intlist(&[1i64, 2, 3][..], false, Kind::Double).max().double_value(&[])
            });
        assert!((found.high - largest.fold(0.0, f64::max)).abs() < 1e-6);
        assert!(*found.counts.last().unwrap() >= 1, "the largest is in the last interval");
    }

    #[test]
    fn values_fall_into_equal_intervals() {
        let found = histogram(&[0.0, 0.99, 1.0, 31.9, 32.0, f64::NAN]);
        assert_eq!((found.high, found.counts[0], found.counts[1], found.counts[31]), (32.0, 2, 1, 2));
        assert_eq!(histogram(&[0.0, 0.0]).counts[0], 2);
    }

    #[test]
    fn a_layer_that_doubled_has_moved_by_its_own_length() {
        let network = classifier(2, true);
        let mut moved = network.shallow_clone();
        let index = network.graph.parameters.iter().position(|p| p.name == "conv1.weight").unwrap();
        moved.weights[index] = &network.weights[index] * 2.0;
        let found = drift(&network, &moved).unwrap();
        assert_eq!(found.len(), 5 + 5 * 2 + 1);
        for layer in found {
            let expected = if layer.tensor == "conv1.weight" { 1.0 } else { 0.0 };
            assert!((layer.relative - expected).abs() < 1e-6, "{layer:?}");
        }
    }
}

//! How the values of a network's tensors are spread.

use std::collections::BTreeSet;

use eagleeye_spec::Histogram;
use eagleeye_spec::report::{NetworkTensors, TensorSummary};
use eagleeye_torchscript::tensors::values;
use tch::{TchError, Tensor};

use crate::network::Network;

/// Intervals of a histogram.
const INTERVALS: usize = 32;
/// Values that are looked at together, so that a tensor of gigabytes needs no second one.
const AT_ONCE: i64 = 1 << 20;

/// Every stored tensor that an operation reads, in the order in which they are read.
pub(crate) fn summaries(network: &Network) -> Result<NetworkTensors, TchError> {
    let graph = &network.graph;
    let mut seen = BTreeSet::new();
    let mut tensors = Vec::new();
    for node in &graph.nodes {
        for id in node.inputs.iter().filter_map(|&input| graph.parameter_of(input)) {
            if seen.insert(id) {
                tensors.push(summary(&graph.parameter(id).name, &node.name, network.weight(id))?);
            }
        }
    }
    Ok(NetworkTensors { tensors })
}

fn summary(name: &str, layer: &str, tensor: &Tensor) -> Result<TensorSummary, TchError> {
    let flat = tensor.f_detach()?.f_reshape([-1])?;
    let mut range = Range::default();
    for_each_part(&flat, |values| values.iter().for_each(|&value| range.add(value)))?;
    let (mean, mut squares) = (range.sum / range.count.max(1) as f64, 0.0);
    let mut histogram = Histogram { low: range.low, high: range.high, counts: vec![0; INTERVALS] };
    for_each_part(&flat, |values| {
        for &value in values.iter().filter(|value| value.is_finite()) {
            squares += (value - mean) * (value - mean);
            histogram.counts[place(value, &range)] += 1;
        }
    })?;
    Ok(TensorSummary {
        name: name.to_owned(),
        layer: layer.to_owned(),
        shape: tensor.size().into_iter().map(|size| size as u64).collect(),
        not_finite: range.not_finite,
        zeros: range.zeros,
        mean,
        deviation: (squares / range.count.max(1) as f64).sqrt(),
        histogram,
    })
}

fn for_each_part(flat: &Tensor, mut look: impl FnMut(&[f64])) -> Result<(), TchError> {
    let length = flat.size()[0];
    for start in (0..length).step_by(AT_ONCE as usize) {
        look(&values(&flat.f_narrow(0, start, AT_ONCE.min(length - start))?)?);
    }
    Ok(())
}

/// Between which bounds values lie. Both are 0 where there are none.
#[derive(Debug, Default)]
struct Range {
    count: u64,
    not_finite: u64,
    zeros: u64,
    low: f64,
    high: f64,
    sum: f64,
}

impl Range {
    fn add(&mut self, value: f64) {
        if !value.is_finite() {
            self.not_finite += 1;
            return;
        }
        let is_first = self.count == 0;
        self.count += 1;
        self.sum += value;
        self.zeros += u64::from(value == 0.0);
        self.low = if is_first { value } else { self.low.min(value) };
        self.high = if is_first { value } else { self.high.max(value) };
    }
}

/// The interval of a value. Where all are alike there is one.
fn place(value: f64, &Range { low, high, .. }: &Range) -> usize {
    let share = (value - low) / (high - low);
    // Not a number where all are alike, which is 0 as a place.
    ((share * INTERVALS as f64) as usize).min(INTERVALS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::classifier;

    #[test]
    fn each_tensor_is_summed_up_once_with_the_layer_that_reads_it() {
        let network = classifier(1, true);
        let found = summaries(&network).unwrap().tensors;
        assert_eq!(found.len(), network.graph.parameters.len());
        for tensor in &found {
            let values: u64 = tensor.shape.iter().product();
            assert_eq!(tensor.histogram.counts.iter().sum::<u64>() + tensor.not_finite, values, "{}", tensor.name);
            assert!((tensor.histogram.low..=tensor.histogram.high).contains(&tensor.mean), "{}", tensor.name);
            assert!(network.graph.nodes.iter().any(|node| node.name == tensor.layer), "{}", tensor.name);
        }
    }

    #[test]
    fn values_that_are_no_numbers_are_counted_and_left_out() {
        let values = [-1.0, 0.0, 0.0, 3.0, f32::NAN, f32::INFINITY];
        let found = summary("w", "layer", &Tensor::from_slice(&values).reshape([2, 3])).unwrap();
        assert_eq!((&found.shape[..], found.not_finite, found.zeros), (&[2, 3][..], 2, 2));
        assert_eq!((found.mean, found.deviation), (0.5, 2.25f64.sqrt()));
        let Histogram { low, high, counts } = &found.histogram;
        assert_eq!((*low, *high, counts[0], counts[8], counts[31]), (-1.0, 3.0, 1, 2, 1));
    }

    #[test]
    fn values_that_are_all_alike_lie_in_one_interval() {
        let found = summary("w", "layer", &Tensor::from_slice(&[2.5f32; 7])).unwrap();
        assert_eq!((found.mean, found.deviation, found.histogram.counts[0]), (2.5, 0.0, 7));
        let none = summary("w", "layer", &Tensor::from_slice::<f32>(&[])).unwrap();
        assert_eq!((none.mean, none.histogram.counts.iter().sum::<u64>()), (0.0, 0));
    }
}

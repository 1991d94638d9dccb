//! Adaptive batch normalisation (EagleEye, section 3.3): the weights stay frozen, and forward passes over calibration
//! images recompute the statistics of every batch norm, which still describe the unpruned network.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use eagleeye_graph::ParameterId;
use eagleeye_spec::{Adaptation, AdaptationMode};
use tch::{TchError, Tensor};

use crate::batches::batches;
use crate::exec::{BatchNormInputs, Compiled, ExecError, Hook, Passes};
use crate::network::Network;
use crate::parts::that_fits;
use crate::pictures::Batches;

/// A network whose batch norms have the statistics of `calibration`, `[n, C, H, W]` on the network's device.
///
/// Each batch is normalised by its own statistics on the way, as in PyTorch's training mode; dropout is not part of a
/// graph. Weights are shared with `network`, statistics are new. A batch that the device has no memory for ends it with
/// [`ExecError::BatchTooLarge`], since statistics depend on the batches.
///
/// Cumulative statistics are the mean over all batches of the batch's mean and unbiased variance, as PyTorch with
/// `momentum=None`. Those of an exponential average begin with the network's own, as in the paper's published code; the
/// calibration set is begun again when it ends, and gone through once where no number of batches is given.
pub fn adapt(
    network: &Network,
    calibration: &dyn Batches,
    passes: impl Into<Passes>,
    adaptation: Adaptation,
    cancelled: &dyn Fn() -> bool,
) -> Result<Network, ExecError> {
    let passes = passes.into();
    let mut adapted = network.shallow_clone();
    if network.batch_norms() == 0 {
        return Ok(adapted);
    }
    let mut statistics = Statistics { adaptation, running: BTreeMap::new(), cancelled };
    let images = calibration.count();
    let set = batches(images, passes.batch_size);
    let asked = adaptation.batches.map(|batches| batches as usize);
    let count = match adaptation.mode {
        AdaptationMode::Cumulative => asked.map_or(set.len(), |batches| batches.min(set.len())),
        AdaptationMode::Momentum => asked.unwrap_or(images.div_ceil(passes.batch_size.max(1))),
    };
    let compiled = Compiled::new(network, passes)?;
    for range in set.iter().cycle().take(count) {
        if let Err(error) = compiled.run(&[calibration.batch(range.clone())?], &mut statistics) {
            return Err(if error.is_out_of_memory() {
                too_large(&compiled, calibration, range, cancelled)
            } else {
                error
            });
        }
    }
    for running in statistics.running.into_values() {
        adapted.weights[running.mean_id.index()] = running.mean;
        adapted.weights[running.variance_id.index()] = running.variance;
    }
    Ok(adapted)
}

/// What is said of a batch that the device has no memory for.
fn too_large(
    compiled: &Compiled,
    calibration: &dyn Batches,
    batch: &Range<usize>,
    cancelled: &dyn Fn() -> bool,
) -> ExecError {
    let fits = that_fits(batch, |part| {
        let mut forgotten = Statistics { adaptation: Adaptation::default(), running: BTreeMap::new(), cancelled };
        compiled.run(&[calibration.batch(part)?], &mut forgotten).map(drop)
    });
    if cancelled() { ExecError::Cancelled } else { ExecError::BatchTooLarge { asked: batch.len(), fits } }
}

/// Statistics under construction, by the stored tensor of the mean.
struct Statistics<'a> {
    adaptation: Adaptation,
    running: BTreeMap<ParameterId, Running>,
    cancelled: &'a dyn Fn() -> bool,
}

struct Running {
    mean_id: ParameterId,
    variance_id: ParameterId,
    mean: Tensor,
    variance: Tensor,
    batches: usize,
}

impl Hook for Statistics<'_> {
    fn sees_activations(&self) -> bool {
        false
    }

    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }

    fn batch_norm(&mut self, norm: &BatchNormInputs) -> Result<Option<Tensor>, TchError> {
        let Some((mean_id, variance_id)) = norm.statistics else { return Ok(None) };
        let running = match self.running.entry(mean_id) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(Running {
                mean_id,
                variance_id,
                mean: norm.mean.f_detach_copy()?,
                variance: norm.variance.f_detach_copy()?,
                batches: 0,
            }),
        };
        running.batches += 1;
        let momentum = match self.adaptation.mode {
            AdaptationMode::Cumulative => 1.0 / running.batches as f64,
            AdaptationMode::Momentum => self.adaptation.weight(),
        };
        norm.training(&running.mean, &running.variance, momentum).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::forward;
    use crate::testing::{classifier, difference, images};

    fn never() -> bool {
        false
    }

    fn weight<'a>(network: &'a Network, name: &str) -> &'a Tensor {
        let index = network.graph.parameters.iter().position(|p| p.name == name).unwrap();
        &network.weights[index]
    }

    #[test]
    fn cumulative_statistics_are_the_mean_over_all_batches() {
        let network = classifier(1, true);
        let calibration = images(2, &[24, 1, 12, 12]);
        let adapted = adapt(&network, &calibration, 8, Adaptation::default(), &never).unwrap();
        let convolved =
            calibration.conv2d(weight(&network, "conv1.weight"), None::<Tensor>, [1i64, 1], [1i64, 1], [1i64, 1], 1);
        let batches = convolved.split(8, 0);
        let mut mean = Tensor::zeros([8], (tch::Kind::Float, tch::Device::Cpu));
        let mut variance = mean.zeros_like();
        for batch in &batches {
            let (v, m) = batch.var_mean_dim(&[0i64, 2, 3][..], true, false);
            mean += m / 3.0;
            variance += v / 3.0;
        }
        assert!(difference(weight(&adapted, "bn2.running_mean"), &mean) < 1e-5);
        assert!(difference(weight(&adapted, "bn2.running_var"), &variance) < 1e-5);
    }

    #[test]
    fn adapting_again_on_the_same_images_changes_nothing() {
        let network = classifier(3, true);
        let calibration = images(4, &[30, 1, 12, 12]);
        let once = adapt(&network, &calibration, 10, Adaptation::default(), &never).unwrap();
        let twice = adapt(&once, &calibration, 10, Adaptation::default(), &never).unwrap();
        assert_eq!(forward(&once, &calibration).unwrap(), forward(&twice, &calibration).unwrap());
    }

    #[test]
    fn the_weights_and_the_statistics_of_the_original_stay() {
        let network = classifier(5, true);
        let before: Vec<Tensor> = network.weights.iter().map(Tensor::copy).collect();
        let adapted = adapt(&network, &images(6, &[8, 1, 12, 12]), 4, Adaptation::paper(), &never).unwrap();
        assert_eq!(network.weights, before);
        for (parameter, (old, new)) in network.graph.parameters.iter().zip(before.iter().zip(&adapted.weights)) {
            assert_eq!(parameter.name.contains("running"), old != new, "{}", parameter.name);
        }
    }

    #[test]
    fn momentum_follows_pytorch_from_the_old_statistics_on() {
        let network = classifier(7, true);
        let calibration = images(8, &[8, 1, 12, 12]);
        let adaptation = Adaptation::momentum(0.1, 3);
        let adapted = adapt(&network, &calibration, 8, adaptation, &never).unwrap();
        let convolved =
            calibration.conv2d(weight(&network, "conv1.weight"), None::<Tensor>, [1i64, 1], [1i64, 1], [1i64, 1], 1);
        let mean = convolved.mean_dim(&[0i64, 2, 3][..], false, None::<tch::Kind>);
        let kept = 0.9f64.powi(3);
        let expected = weight(&network, "bn2.running_mean") * kept + mean * (1.0 - kept);
        assert!(difference(weight(&adapted, "bn2.running_mean"), &expected) < 1e-5);
    }

    #[test]
    fn momentum_without_a_number_of_batches_goes_through_the_images_once() {
        let (network, calibration) = (classifier(11, true), images(12, &[25, 1, 12, 12]));
        let given = adapt(&network, &calibration, 10, Adaptation::momentum(0.1, 3), &never).unwrap();
        let once = Adaptation { mode: AdaptationMode::Momentum, ..Adaptation::default() };
        let once = adapt(&network, &calibration, 10, once, &never).unwrap();
        assert_eq!(once.weights, given.weights);
    }

    #[test]
    fn cancelling_stops_in_the_middle() {
        let calls = std::cell::Cell::new(0);
        let cancelled = || {
            calls.set(calls.get() + 1);
            calls.get() > 20
        };
        let result = adapt(&classifier(9, true), &images(10, &[64, 1, 12, 12]), 4, Adaptation::default(), &cancelled);
        assert_eq!(result.unwrap_err(), ExecError::Cancelled);
        assert_eq!(calls.get(), 21);
    }
}

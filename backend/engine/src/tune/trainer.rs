//! One step after the other: a batch forward in training mode, its loss backward, and the weights along the gradients.

use std::ops::Range;

use eagleeye_spec::TuneOptions;
use eagleeye_torchscript::{GpuGradients, MixedPrecision};
use tch::{Device, Kind, TchError, Tensor};

use super::augment::{batch, blended, labels};
use super::error::TuneError;
use super::loss::{Loss, Targets};
use super::optimizer::Steps;
use super::order::Order;
use super::parameters::Parameters;
use crate::batches::batches;
use crate::exec::{self, BatchNormInputs, Hook};
use crate::images::Part;
use crate::network::Network;

/// Weight of the newest batch in running statistics, as PyTorch's default.
const STATISTICS_MOMENTUM: f64 = 0.1;

/// What a step changes, and what it needs.
pub(super) struct Trainer<'a> {
    pub parameters: Parameters,
    pub steps: Steps,
    /// The moving average of the trained tensors.
    pub average: Option<Tensor>,
    /// Of the epoch so far, on the device and in `f64`: losses of the batches, batches, images that were classified correctly,
    /// and images.
    pub sums: Tensor,
    images: &'a Part,
    /// The full network, to learn from.
    teacher: Option<&'a Network>,
    loss: Loss,
    decay: f64,
    micro_batch: Option<usize>,
    mixed_precision: bool,
    /// How gradients are computed there.
    _on_gpu: Option<GpuGradients>,
}

impl<'a> Trainer<'a> {
    pub fn new(
        network: &Network,
        teacher: Option<&'a Network>,
        images: &'a Part,
        options: &TuneOptions,
    ) -> Result<Self, TuneError> {
        let parameters = Parameters::new(network)?;
        let device = network.device();
        let on_gpu = matches!(device, Device::Cuda(_)).then(GpuGradients::begin).transpose();
        Ok(Self {
            steps: Steps::new(options, &parameters)?,
            average: options.average.map(|_| parameters.trained.values.f_detach_copy()).transpose()?,
            sums: Tensor::f_zeros([4], (Kind::Double, device))?,
            parameters,
            images,
            teacher,
            loss: Loss::new(options),
            decay: options.average.unwrap_or_default(),
            micro_batch: options.micro_batch.map(|images| images as usize),
            mixed_precision: options.mixed_precision && matches!(device, Device::Cuda(_)),
            _on_gpu: on_gpu.map_err(TuneError::Torch)?,
        })
    }

    pub fn is_labelled(&self) -> bool {
        self.images.labels.is_some()
    }

    /// Step `number`, from 1, on the images of `range` of an epoch's order.
    pub fn step(
        &mut self,
        order: &Order,
        range: Range<usize>,
        share: Option<f64>,
        rate: f64,
        number: u64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<(), TuneError> {
        let size = range.len();
        for (pass, part) in batches(size, self.micro_batch.unwrap_or(size)).into_iter().enumerate() {
            let weight = part.len() as f64 / size as f64;
            let part = range.start + part.start..range.start + part.end;
            let loss = self.loss(order, part, share, weight, cancelled)?;
            self.parameters.take_gradients(&loss, pass == 0)?;
        }
        self.steps.step(&mut self.parameters, rate, number)?;
        if let Some(average) = &mut self.average {
            // Young averages forget faster, so that they do not remember the weights before the first step.
            let decay = self.decay.min(number as f64 / (number as f64 + 9.0));
            _ = average.f_lerp_(&self.parameters.trained.values, 1.0 - decay)?;
        }
        Ok(())
    }

    /// The loss of a part of a batch, times the part's weight.
    fn loss(
        &mut self,
        order: &Order,
        part: Range<usize>,
        share: Option<f64>,
        weight: f64,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Tensor, TuneError> {
        let count = part.len() as f64;
        let labels = self.images.labels.as_ref().map(|all| labels(all, order, part.clone())).transpose()?;
        let plain = batch(&self.images.images, order, part)?;
        let x = share.map_or(Ok(plain.shallow_clone()), |share| blended(&plain, share))?;
        let mixed = self.mixed_precision.then(MixedPrecision::begin).transpose().map_err(TuneError::Torch)?;
        let logits =
            exec::run_with_gradients(&self.parameters.network, &[x.shallow_clone()], &mut Training(cancelled))?;
        let run = |teacher: &Network| exec::run(teacher, &[x.shallow_clone()], &mut Cancel(cancelled));
        let teacher = self.teacher.map(run).transpose()?;
        drop(mixed);
        let rows = |mut outputs: Vec<Tensor>| outputs.swap_remove(0).f_flatten(1, -1);
        let (logits, teacher) = (rows(logits)?, teacher.map(rows).transpose()?);
        let targets = Targets { labels: labels.as_ref(), teacher: teacher.as_ref(), share };
        let loss = self.loss.of(&logits, &targets)?;
        self.count(&loss, &logits, labels.as_ref(), count, weight)?;
        Ok(loss.f_mul_scalar(weight)?)
    }

    fn count(
        &mut self,
        loss: &Tensor,
        logits: &Tensor,
        labels: Option<&Tensor>,
        count: f64,
        weight: f64,
    ) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        let part = |value: f64| Tensor::f_from_slice(&[value])?.f_to_device(loss.device());
        let hits = match labels {
            Some(labels) => logits.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Double)?.f_view([1i64])?,
            None => part(0.0)?,
        };
        let loss = loss.f_detach()?.f_to_kind(Kind::Double)?.f_mul_scalar(weight)?.f_view([1i64])?;
        _ = self.sums.f_add_(&Tensor::f_cat(&[loss, part(weight)?, hits, part(count)?], 0)?)?;
        Ok(())
    }
}

/// Training mode: batch norms use their batch's statistics and note them in the running ones.
pub(super) struct Training<'a>(pub &'a dyn Fn() -> bool);

impl Hook for Training<'_> {
    fn cancelled(&self) -> bool {
        (self.0)()
    }

    fn batch_norm(&mut self, norm: &BatchNormInputs) -> Result<Option<Tensor>, TchError> {
        if norm.statistics.is_none() {
            return Ok(None);
        }
        norm.training(norm.mean, norm.variance, STATISTICS_MOMENTUM).map(Some)
    }
}

struct Cancel<'a>(&'a dyn Fn() -> bool);

impl Hook for Cancel<'_> {
    fn cancelled(&self) -> bool {
        (self.0)()
    }
}

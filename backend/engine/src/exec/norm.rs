//! Normalisation layers.

use eagleeye_graph::ParameterId;
use eagleeye_torchscript::AdaptingNorm;
use tch::{TchError, Tensor};

use super::elementwise::relu_in_place;

/// Momentum of the update of running statistics, unused in inference.
const NO_MOMENTUM: f64 = 0.0;

/// What a batch norm computes with.
pub struct BatchNormInputs<'a> {
    /// `[N, C, ...]`
    pub x: &'a Tensor,
    /// Gamma and beta, `[C]` each.
    pub affine: Option<(&'a Tensor, &'a Tensor)>,
    pub mean: &'a Tensor,
    pub variance: &'a Tensor,
    /// The stored tensors of running mean and variance, where they are stored.
    pub statistics: Option<(ParameterId, ParameterId)>,
    pub epsilon: f64,
    /// The pass keeps nothing, so that one loop may compute it and what follows.
    in_one: Option<InOne<'a>>,
}

/// How a batch norm and what follows it are one loop.
#[derive(Clone, Copy)]
pub(super) struct InOne<'a> {
    /// Added to the output.
    pub addend: Option<&'a Tensor>,
    /// A ReLU follows.
    pub relu: bool,
    /// The result may take the place of `x`.
    pub overwrites: bool,
}

impl<'a> BatchNormInputs<'a> {
    /// From the inputs in the order that [`eagleeye_graph::Op::BatchNorm`] gives, and the parameters behind them.
    pub(super) fn new(inputs: &[&'a Tensor], parameters: &[Option<ParameterId>], epsilon: f64) -> Self {
        let count = inputs.len();
        let affine = (count == 5).then(|| (inputs[1], inputs[2]));
        let stored = |index: usize| parameters.get(index).copied().flatten();
        let statistics = stored(count - 2).zip(stored(count - 1));
        Self {
            x: inputs[0],
            affine,
            mean: inputs[count - 2],
            variance: inputs[count - 1],
            statistics,
            epsilon,
            in_one: None,
        }
    }

    /// Computed in one loop with what follows.
    pub(super) fn in_one(self, following: InOne<'a>) -> Self {
        Self { in_one: Some(following), ..self }
    }

    /// With the running statistics.
    pub(super) fn inference(&self) -> Result<Tensor, TchError> {
        let mut y = self.normalise(self.mean, self.variance, None)?;
        let Some(InOne { addend, relu, .. }) = self.in_one else { return Ok(y) };
        if let Some(addend) = addend {
            y = y.f_add_(addend)?;
        }
        if relu { relu_in_place(y) } else { Ok(y) }
    }

    /// With the batch's own mean and biased variance, as PyTorch's training mode. `mean` and `variance` are updated in
    /// place: `running = (1 - momentum) * running + momentum * batch`, the batch's variance unbiased.
    pub fn training(&self, mean: &Tensor, variance: &Tensor, momentum: f64) -> Result<Tensor, TchError> {
        let Some(InOne { addend, relu, overwrites }) = self.in_one else {
            return self.normalise(mean, variance, Some(momentum));
        };
        let (affine, epsilon) = (self.affine, self.epsilon);
        let (running_mean, running_variance) = (mean, variance);
        AdaptingNorm { affine, running_mean, running_variance, momentum, epsilon, addend, relu, overwrites }
            .forward(self.x)
    }

    fn normalise(&self, mean: &Tensor, variance: &Tensor, training: Option<f64>) -> Result<Tensor, TchError> {
        let (weight, bias) = self.affine.unzip();
        let momentum = training.unwrap_or(NO_MOMENTUM);
        let (mean, variance) = (Some(mean), Some(variance));
        self.x.f_batch_norm(weight, bias, mean, variance, training.is_some(), momentum, self.epsilon, true)
    }
}

pub(super) fn layer_norm(axes: usize, epsilon: f64, inputs: &[&Tensor]) -> Result<Tensor, TchError> {
    let sizes = inputs[0].size();
    let normalised = &sizes[sizes.len().saturating_sub(axes)..];
    inputs[0].f_layer_norm(normalised, inputs.get(1).copied(), inputs.get(2).copied(), epsilon, true)
}

pub(super) fn group_norm(groups: usize, epsilon: f64, inputs: &[&Tensor]) -> Result<Tensor, TchError> {
    inputs[0].f_group_norm(groups as i64, inputs.get(1).copied(), inputs.get(2).copied(), epsilon, true)
}

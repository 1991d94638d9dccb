//! Normalisation layers.

use eagleeye_graph::ParameterId;
use tch::{TchError, Tensor};

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
}

impl<'a> BatchNormInputs<'a> {
    /// From the inputs in the order that [`eagleeye_graph::Op::BatchNorm`] gives, and the parameters behind them.
    pub(super) fn new(inputs: &[&'a Tensor], parameters: &[Option<ParameterId>], epsilon: f64) -> Self {
        let count = inputs.len();
        let affine = (count == 5).then(|| (inputs[1], inputs[2]));
        let stored = |index: usize| parameters.get(index).copied().flatten();
        let statistics = stored(count - 2).zip(stored(count - 1));
        Self { x: inputs[0], affine, mean: inputs[count - 2], variance: inputs[count - 1], statistics, epsilon }
    }

    /// With the running statistics.
    pub(super) fn inference(&self) -> Result<Tensor, TchError> {
        self.normalise(self.mean, self.variance, None)
    }

    /// With the batch's own mean and biased variance, as PyTorch's training mode. `mean` and `variance` are updated in
    /// place: `running = (1 - momentum) * running + momentum * batch`, the batch's variance unbiased.
    pub fn training(&self, mean: &Tensor, variance: &Tensor, momentum: f64) -> Result<Tensor, TchError> {
        self.normalise(mean, variance, Some(momentum))
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

//! Steps along the gradients.
//!
//! libtorch's own optimizers, as its binding has them, keep their momentum where no snapshot can reach it, and SGD's without
//! decay for a part of the tensors needs groups that the binding does not have. On one buffer a step is a handful of operations.

use eagleeye_spec::{Optimizer, TuneOptions};
use tch::{TchError, Tensor};

use super::parameters::Parameters;

/// Of AdamW, as PyTorch's defaults.
const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;

/// An optimizer's state.
pub(super) struct Steps {
    momentum: f64,
    decay: f64,
    clip_norm: f64,
    /// Momentum, or the mean of the gradients.
    pub first: Tensor,
    /// The mean of the squared gradients, for AdamW.
    pub second: Option<Tensor>,
}

impl Steps {
    pub fn new(options: &TuneOptions, parameters: &Parameters) -> Result<Self, TchError> {
        let zeros = || parameters.gradients.f_zeros_like();
        Ok(Self {
            momentum: options.momentum,
            decay: options.decay(),
            clip_norm: options.clip_norm,
            first: zeros()?,
            second: (options.optimizer == Optimizer::AdamW).then(zeros).transpose()?,
        })
    }

    /// Step `number`, from 1, along the gradients, which are used up.
    pub fn step(&mut self, parameters: &mut Parameters, rate: f64, number: u64) -> Result<(), TchError> {
        let _no_grad = tch::no_grad_guard();
        self.clip(parameters)?;
        match &mut self.second {
            None => descend(parameters, &mut self.first, self.momentum, self.decay, rate),
            Some(second) => adam(parameters, &mut self.first, second, self.decay, rate, number),
        }
    }

    fn clip(&self, parameters: &mut Parameters) -> Result<(), TchError> {
        if self.clip_norm == 0.0 {
            return Ok(());
        }
        let norm = parameters.gradients.f_norm()?.f_add_scalar(1e-6)?;
        let scale = norm.f_reciprocal()?.f_mul_scalar(self.clip_norm)?.f_clamp_max(1.0)?;
        _ = parameters.gradients.f_mul_(&scale)?;
        Ok(())
    }
}

/// SGD with Nesterov momentum, as `torch.optim.SGD`; without momentum, plain.
fn descend(
    parameters: &mut Parameters,
    velocity: &mut Tensor,
    momentum: f64,
    decay: f64,
    rate: f64,
) -> Result<(), TchError> {
    let (values, gradients) = (&mut parameters.trained.values, &mut parameters.gradients);
    let decayed = values.f_narrow(0, 0, parameters.decayed)?.f_mul_scalar(decay)?;
    _ = gradients.f_narrow(0, 0, parameters.decayed)?.f_add_(&decayed)?;
    if momentum > 0.0 {
        _ = velocity.f_mul_scalar_(momentum)?.f_add_(gradients)?;
        _ = gradients.f_add_(&velocity.f_mul_scalar(momentum)?)?;
    }
    _ = values.f_sub_(&gradients.f_mul_scalar_(rate)?)?;
    Ok(())
}

/// As `torch.optim.AdamW`.
fn adam(
    parameters: &mut Parameters,
    mean: &mut Tensor,
    square: &mut Tensor,
    decay: f64,
    rate: f64,
    number: u64,
) -> Result<(), TchError> {
    let (values, gradients) = (&mut parameters.trained.values, &parameters.gradients);
    _ = values.f_narrow(0, 0, parameters.decayed)?.f_mul_scalar_(1.0 - rate * decay)?;
    _ = mean.f_lerp_(gradients, 1.0 - BETAS.0)?;
    _ = square.f_lerp_(&gradients.f_square()?, 1.0 - BETAS.1)?;
    let bias = |beta: f64| 1.0 - beta.powf(number as f64);
    let deviation = square.f_div_scalar(bias(BETAS.1))?.f_sqrt()?.f_add_scalar(EPSILON)?;
    _ = values.f_sub_(&mean.f_div(&deviation)?.f_mul_scalar_(rate / bias(BETAS.0))?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Network;
    use crate::testing::Layers;

    /// A linear layer of 3 numbers and a bias, with weights `[0.5, -1, 2]` and `[0.25, -0.75]`.
    fn parameters() -> Parameters {
        let mut net = Layers::new(1);
        let x = net.image(3, 1);
        let x = net.global_mean(x, false);
        let y = net.linear(x, 2);
        let network: Network = net.finish(y);
        let weights = [[0.5f64, -1.0, 2.0], [0.0, 0.0, 0.0]].concat();
        let weights = vec![Tensor::from_slice(&weights).view([2, 3]), Tensor::from_slice(&[0.25f64, -0.75])];
        Parameters::new(&network.with(network.graph.clone(), weights)).unwrap()
    }

    /// Three steps with the gradients of a run of `torch.optim`, whose results are compared with.
    fn after_three_steps(options: &TuneOptions) -> (Vec<f64>, Vec<f64>) {
        let mut parameters = parameters();
        let mut steps = Steps::new(options, &parameters).unwrap();
        let gradients =
            [([0.1, -0.2, 0.3], [1.0, -1.0]), ([-0.4, 0.5, 0.0], [0.5, 0.5]), ([0.2, 0.2, -0.6], [-2.0, 0.1])];
        for (number, (weight, bias)) in (1..).zip(gradients) {
            let views = parameters.trained.views(&parameters.gradients).unwrap();
            let [mut of_weight, mut of_bias] = [&views[0], &views[1]].map(Tensor::shallow_clone);
            of_weight.copy_(&Tensor::from_slice(&[weight, [0.0; 3]].concat()).view([2, 3]));
            of_bias.copy_(&Tensor::from_slice(&bias));
            steps.step(&mut parameters, options.rate(1000), number).unwrap();
        }
        let values = parameters.trained.views(&parameters.trained.values).unwrap();
        let row = |tensor: &Tensor| Vec::try_from(tensor).unwrap();
        (row(&values[0].get(0)), row(&values[1]))
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}, not {expected:?}");
    }

    #[test]
    fn nesterov_momentum_is_pytorchs() {
        let options =
            TuneOptions { learning_rate: Some(0.1), weight_decay: Some(0.01), momentum: 0.9, ..TuneOptions::default() };
        let (weight, bias) = after_three_steps(&options);
        assert_close(&weight, &[0.5319509619805, -1.096710223961, 1.995068536512]);
        assert_close(&bias, &[0.1506, -0.5606]);
    }

    #[test]
    fn adamw_is_pytorchs() {
        let options = TuneOptions { optimizer: Optimizer::AdamW, learning_rate: Some(0.01), ..TuneOptions::default() };
        let (weight, bias) = after_three_steps(&options);
        assert_close(&weight, &[0.4959543472655528, -0.9983601191110587, 1.9837146102648153]);
        assert_close(&bias, &[0.23274177408620567, -0.735855646446105]);
    }

    #[test]
    fn gradients_are_scaled_down_to_the_largest_norm_together() {
        let clipped = |clip_norm: f64| {
            let mut parameters = parameters();
            let options = TuneOptions { clip_norm, ..TuneOptions::default() };
            let steps = Steps::new(&options, &parameters).unwrap();
            let _ = parameters.gradients.fill_(3.0);
            steps.clip(&mut parameters).unwrap();
            parameters.gradients.norm().double_value(&[])
        };
        let whole = clipped(0.0);
        assert!((clipped(2.0) - 2.0).abs() < 1e-5 && (clipped(whole * 2.0) - whole).abs() < 1e-9);
    }
}

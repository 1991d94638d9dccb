//! Functions of single elements, and of two tensors with broadcasting.

use eagleeye_graph::{Binary, Unary};
use tch::{TchError, Tensor};

pub(super) fn unary(unary: Unary, x: &Tensor) -> Result<Tensor, TchError> {
    match unary {
        Unary::Relu => x.f_relu(),
        Unary::Clamp(low, high) => clamp(x, low, high),
        // libtorch's binding has no slope for leaky ReLU and no alpha for ELU.
        Unary::LeakyRelu(slope) => x.f_relu()?.f_add(&x.f_clamp_max(0.0)?.f_mul_scalar(slope)?),
        Unary::Elu(alpha) => x.f_relu()?.f_add(&x.f_clamp_max(0.0)?.f_expm1()?.f_mul_scalar(alpha)?),
        Unary::Selu => x.f_selu(),
        Unary::Sigmoid => x.f_sigmoid(),
        Unary::HardSigmoid { alpha, beta } => x.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0.0, 1.0),
        Unary::HardSwish => x.f_hardswish(),
        Unary::Silu => x.f_silu(),
        Unary::Gelu { tanh } => x.f_gelu(if tanh { "tanh" } else { "none" }),
        Unary::Mish => x.f_mish(),
        Unary::Softplus => x.f_softplus(),
        Unary::Tanh => x.f_tanh(),
        Unary::Erf => x.f_erf(),
        Unary::Exp => x.f_exp(),
        Unary::Log => x.f_log(),
        Unary::Sqrt => x.f_sqrt(),
        Unary::Neg => x.f_neg(),
        Unary::Abs => x.f_abs(),
        Unary::Reciprocal => x.f_reciprocal(),
        Unary::AddScalar(c) => x.f_add_scalar(c),
        Unary::MulScalar(c) => x.f_mul_scalar(c),
        Unary::PowScalar(c) => x.f_pow_tensor_scalar(c),
    }
}

/// Overwrites a tensor that nothing else reads.
pub(super) fn relu_in_place(mut x: Tensor) -> Result<Tensor, TchError> {
    x.f_relu_()
}

pub(super) fn binary(binary: Binary, a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    match binary {
        Binary::Add => a.f_add(b),
        Binary::Sub => a.f_sub(b),
        Binary::Mul => a.f_mul(b),
        Binary::Div => a.f_div(b),
        Binary::Max => a.f_maximum(b),
        Binary::Min => a.f_minimum(b),
        Binary::Pow => a.f_pow(b),
    }
}

fn clamp(x: &Tensor, low: Option<f64>, high: Option<f64>) -> Result<Tensor, TchError> {
    match (low, high) {
        (Some(low), Some(high)) => x.f_clamp(low, high),
        (Some(low), None) => x.f_clamp_min(low),
        (None, Some(high)) => x.f_clamp_max(high),
        (None, None) => Ok(x.shallow_clone()),
    }
}

//! Functions of single elements, and of two tensors with broadcasting.

use eagleeye_graph::{Binary, Unary};
use tch::{TchError, Tensor};

use eagleeye_torchscript::functions;

pub(super) fn unary(unary: Unary, x: &Tensor) -> Result<Tensor, TchError> {
    match unary {
        Unary::Clamp(low, high) => clamp(x, low, high),
        // libtorch's binding has no slope for leaky ReLU and no alpha for ELU.
        Unary::LeakyRelu(slope) => x.f_relu()?.f_add(&x.f_clamp_max(0.0)?.f_mul_scalar(slope)?),
        Unary::Elu(alpha) => x.f_relu()?.f_add(&x.f_clamp_max(0.0)?.f_expm1()?.f_mul_scalar(alpha)?),
        Unary::HardSigmoid { alpha, beta } => x.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0.0, 1.0),
        Unary::Softplus => x.f_softplus(),
        Unary::Gelu { tanh } => x.f_gelu(if tanh { "tanh" } else { "none" }),
        Unary::AddScalar(c) => x.f_add_scalar(c),
        Unary::MulScalar(c) => x.f_mul_scalar(c),
        Unary::PowScalar(c) => x.f_pow_tensor_scalar(c),
        plain => functions::compute(plain, x),
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
        Binary::Less => a.f_lt_tensor(b)?.f_to_kind(a.f_kind()?),
        Binary::LessOrEqual => a.f_le_tensor(b)?.f_to_kind(a.f_kind()?),
        Binary::Equal => a.f_eq_tensor(b)?.f_to_kind(a.f_kind()?),
    }
}

/// `a` where the condition is not 0, else `b`.
pub(super) fn select(condition: &Tensor, a: &Tensor, b: &Tensor) -> Result<Tensor, TchError> {
    a.f_where_self(&condition.f_ne(0.0)?, b)
}

fn clamp(x: &Tensor, low: Option<f64>, high: Option<f64>) -> Result<Tensor, TchError> {
    match (low, high) {
        (Some(low), Some(high)) => x.f_clamp(low, high),
        (Some(low), None) => x.f_clamp_min(low),
        (None, Some(high)) => x.f_clamp_max(high),
        (None, None) => Ok(x.shallow_clone()),
    }
}

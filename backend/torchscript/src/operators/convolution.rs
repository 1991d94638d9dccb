//! Convolutions and matrix products.

use eagleeye_graph::compose::einsum::einsum;
use eagleeye_graph::{Binary, Conv, Dim, Op, Unary, ValueId};

use super::Operator;
use crate::call::Call;
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::{Lowering, fresh};
use crate::value::Value;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::_convolution", becomes: "conv or conv_transpose, 1 to 3 axes", lower: convolution },
    Operator { name: "aten::convolution", becomes: "conv or conv_transpose, 1 to 3 axes", lower: convolution },
    Operator {
        name: "aten::_convolution_mode",
        becomes: "conv, 1 to 3 axes; padding `same` or `valid`",
        lower: convolution,
    },
    Operator { name: "aten::conv1d", becomes: "conv1d", lower: convolution },
    Operator { name: "aten::conv2d", becomes: "conv2d", lower: convolution },
    Operator { name: "aten::conv3d", becomes: "conv3d", lower: convolution },
    Operator { name: "aten::conv_transpose1d", becomes: "conv_transpose1d", lower: convolution },
    Operator { name: "aten::conv_transpose2d", becomes: "conv_transpose2d", lower: convolution },
    Operator { name: "aten::conv_transpose3d", becomes: "conv_transpose3d", lower: convolution },
    Operator { name: "aten::linear", becomes: "linear", lower: linear },
    Operator { name: "aten::addmm", becomes: "linear, or matmul and add", lower: addmm },
    Operator { name: "aten::matmul", becomes: "linear with a stored matrix, else matmul", lower: matmul },
    Operator { name: "aten::mm", becomes: "linear with a stored matrix, else matmul", lower: matmul },
    Operator { name: "aten::bmm", becomes: "matmul", lower: matmul },
    Operator { name: "aten::baddbmm", becomes: "matmul, mul_scalar and add", lower: addmm },
];

fn convolution(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, weight) = (call.tensor(0)?, call.tensor(1)?);
    let (x, weight) = (lo.value(call, &x)?, lo.value(call, &weight)?);
    let kernel: Vec<usize> = lo.shape(weight).iter().skip(2).map(|d| d.sample()).collect();
    let axes = kernel.len();
    if lo.shape(x).len() != axes + 2 {
        return Err(Fault::Invalid(format!(
            "expected an input of rank {}, but it has rank {}",
            axes + 2,
            lo.shape(x).len()
        )));
    }
    let stride = call.sizes("stride", axes, 1)?;
    let dilation = call.sizes("dilation", axes, 1)?;
    let padding = match call.text("padding").as_deref() {
        None => call.sizes("padding", axes, 0)?.into_iter().map(|p| (p, p)).collect(),
        Some("valid") => vec![(0, 0); axes],
        // PyTorch puts the odd one at the end.
        Some("same") => kernel.iter().zip(&dilation).map(|(k, d)| same(*k, *d)).collect(),
        Some(other) => return unsupported(format!("padding `{other}`")),
    };
    let transposed = call.flag("transposed") || call.operator.contains("conv_transpose");
    let transposed = if transposed { Some(call.sizes("output_padding", axes, 0)?) } else { None };
    let written = usize::try_from(call.int_or("groups", 1)?).unwrap_or(0);
    let groups = lo.groups.get(&weight).copied().unwrap_or(written);
    let mut inputs = vec![x, weight];
    if let Value::Tensor(bias) = call.at(2) {
        inputs.push(lo.value(call, bias)?);
    }
    lo.emit(call, Op::Conv(Conv { stride, padding, dilation, groups, transposed }), &inputs)
}

fn same(kernel: usize, dilation: usize) -> (usize, usize) {
    let total = dilation.saturating_mul(kernel.saturating_sub(1));
    (total / 2, total - total / 2)
}

fn linear(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, weight) = (call.tensor(0)?, call.tensor(1)?);
    let (x, weight) = (lo.value(call, &x)?, lo.value(call, &weight)?);
    let mut inputs = vec![x, weight];
    if let Value::Tensor(bias) = call.at(2) {
        inputs.push(lo.value(call, bias)?);
    }
    lo.emit(call, Op::Linear { transposed: false }, &inputs)
}

fn matmul(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (call.tensor(0)?, call.tensor(1)?);
    let (a, b) = (lo.value(call, &a)?, lo.value(call, &b)?);
    Ok(fresh(product(lo, call, a, b, None)?))
}

/// A product with a stored matrix is a linear layer, any other a matrix product of two activations.
pub(super) fn product(
    lo: &mut Lowering,
    call: &Call,
    a: ValueId,
    b: ValueId,
    bias: Option<ValueId>,
) -> Lowered<ValueId> {
    let (matrix, transposed) = match lo.draft.untransposed(b) {
        Some(weight) if lo.draft.is_parameter(weight) => (weight, false),
        _ => (b, true),
    };
    if lo.draft.is_parameter(matrix) && lo.shape(matrix).len() == 2 && !lo.draft.is_parameter(a) {
        let inputs: Vec<ValueId> = [a, matrix].into_iter().chain(bias).collect();
        return lo.push(call, Op::Linear { transposed }, &inputs);
    }
    if lo.shape(a).len() < 2 || lo.shape(b).len() < 2 {
        return with_vector(lo, call, a, b);
    }
    let y = lo.push(call, Op::MatMul, &[a, b])?;
    match bias {
        Some(bias) => lo.binary(call, Binary::Add, y, bias),
        None => Ok(y),
    }
}

/// `a` of any number of axes and a vector, or a vector and `b`: [`product`] is one of matrices.
fn with_vector(lo: &mut Lowering, call: &Call, a: ValueId, b: ValueId) -> Lowered<ValueId> {
    let equation = match (lo.shape(a).len(), lo.shape(b).len()) {
        (_, 1) => "...i,i->...",
        (1, _) => "i,...ij->...j",
        _ => return Err(Fault::Invalid("multiplies a tensor that has no axes".into())),
    };
    einsum(&mut lo.composer(call), equation, &[a, b])
}

/// `beta * c + alpha * (a @ b)`
fn addmm(lo: &mut Lowering, call: &Call) -> Lowered {
    let (c, a, b) = (call.tensor(0)?, call.tensor(1)?, call.tensor(2)?);
    let (a, b) = (lo.value(call, &a)?, lo.value(call, &b)?);
    let (alpha, beta) = (call.float_or("alpha", 1.0)?, call.float_or("beta", 1.0)?);
    if beta == 0.0 {
        let y = product(lo, call, a, b, None)?;
        return Ok(fresh(scaled(lo, call, y, alpha)?));
    }
    let c = lo.value(call, &c)?;
    if (alpha, beta) == (1.0, 1.0) && lo.shape(c).len() == 1 {
        return Ok(fresh(product(lo, call, a, b, Some(c))?));
    }
    let y = product(lo, call, a, b, None)?;
    let (y, c) = (scaled(lo, call, y, alpha)?, scaled(lo, call, c, beta)?);
    Ok(fresh(lo.binary(call, Binary::Add, c, y)?))
}

pub(super) fn scaled(lo: &mut Lowering, call: &Call, x: ValueId, factor: f64) -> Lowered<ValueId> {
    if factor == 1.0 { Ok(x) } else { lo.unary(call, Unary::MulScalar(factor), x) }
}

/// Number of entries along an axis that must not depend on the batch.
pub(super) fn fixed(lo: &Lowering, x: ValueId, axis: usize) -> Lowered<usize> {
    match lo.shape(x).get(axis) {
        Some(Dim::Fixed(size)) => Ok(*size),
        Some(Dim::Batch(_)) => unsupported("operates along the batch axis"),
        None => Err(Fault::Invalid(format!("axis {axis} is outside a tensor of rank {}", lo.shape(x).len()))),
    }
}

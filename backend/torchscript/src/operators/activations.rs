//! Activation functions with parameters, and logarithms and powers of other bases.

use eagleeye_graph::compose::arithmetic;
use eagleeye_graph::{Binary, Op, Unary};

use super::Operator;
use super::convolution::fixed;
use crate::call::Call;
use crate::fault::{Lowered, unsupported};
use crate::lowering::{Lowering, fresh};

pub const OPERATORS: &[Operator] = &[
    unary!("aten::relu6", "clamp", Unary::Clamp(Some(0.0), Some(6.0))),
    unary!("aten::hardsigmoid", "hard_sigmoid", Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }),
    Operator { name: "aten::gelu", becomes: "gelu, exact or tanh", lower: gelu },
    Operator { name: "aten::leaky_relu", becomes: "leaky_relu", lower: leaky_relu },
    Operator { name: "aten::rrelu", becomes: "leaky_relu", lower: leaky_relu_of_two_slopes },
    Operator { name: "aten::elu", becomes: "elu and mul_scalar", lower: elu },
    Operator { name: "aten::celu", becomes: "elu and mul_scalar", lower: celu },
    Operator { name: "aten::softplus", becomes: "softplus and mul_scalar", lower: softplus },
    composed!("aten::log_sigmoid", "neg and softplus", arithmetic::log_sigmoid),
    Operator { name: "aten::softshrink", becomes: "clamp and sub", lower: soft_shrink },
    Operator { name: "aten::hardshrink", becomes: "abs, less_or_equal and select", lower: hard_shrink },
    Operator { name: "aten::threshold", becomes: "relu, clamp, or less and select", lower: threshold },
    composed!("aten::log1p", "add_scalar and log", arithmetic::log_of_one_plus),
    composed!("aten::expm1", "exp and add_scalar", arithmetic::exp_minus_one),
    Operator { name: "aten::log2", becomes: "log and mul_scalar", lower: |lo, call| log_to_base(lo, call, 2.0) },
    Operator { name: "aten::log10", becomes: "log and mul_scalar", lower: |lo, call| log_to_base(lo, call, 10.0) },
    Operator { name: "aten::exp2", becomes: "mul_scalar and exp", lower: exp2 },
    Operator { name: "aten::logit", becomes: "clamp, neg, add_scalar, div and log", lower: logit },
    Operator { name: "aten::hardtanh", becomes: "clamp", lower: hardtanh },
    Operator { name: "aten::prelu", becomes: "prelu", lower: prelu },
    Operator { name: "aten::glu", becomes: "split, sigmoid and mul", lower: glu },
];

fn gelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let tanh = call.text("approximate").as_deref() == Some("tanh");
    lo.emit_unary(call, Unary::Gelu { tanh })
}

fn leaky_relu(lo: &mut Lowering, call: &Call) -> Lowered {
    lo.emit_unary(call, Unary::LeakyRelu(call.float_or("negative_slope", 0.01)?))
}

/// In `eval()` the slope is the mean of its two bounds.
fn leaky_relu_of_two_slopes(lo: &mut Lowering, call: &Call) -> Lowered {
    let (low, high) = (call.float_or("lower", 1.0 / 8.0)?, call.float_or("upper", 1.0 / 3.0)?);
    lo.emit_unary(call, Unary::LeakyRelu((low + high) / 2.0))
}

fn elu(lo: &mut Lowering, call: &Call) -> Lowered {
    let (alpha, scale) = (call.float_or("alpha", 1.0)?, call.float_or("scale", 1.0)?);
    let input_scale = call.float_or("input_scale", 1.0)?;
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::elu(&mut lo.composer(call), x, alpha, scale, input_scale)?))
}

fn celu(lo: &mut Lowering, call: &Call) -> Lowered {
    let alpha = call.float_or("alpha", 1.0)?;
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::celu(&mut lo.composer(call), x, alpha)?))
}

fn softplus(lo: &mut Lowering, call: &Call) -> Lowered {
    /// From here on softplus is its argument in `f32`, so that a threshold changes nothing.
    const LINEAR: f64 = 17.0;
    let (beta, threshold) = (call.float_or("beta", 1.0)?, call.float_or("threshold", 20.0)?);
    if beta == 0.0 {
        return unsupported("softplus with a beta of 0");
    }
    if threshold < LINEAR {
        return unsupported(format!("softplus with a threshold of {threshold}"));
    }
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::softplus(&mut lo.composer(call), x, beta)?))
}

fn soft_shrink(lo: &mut Lowering, call: &Call) -> Lowered {
    let bound = call.float_or("lambd", 0.5)?;
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::soft_shrink(&mut lo.composer(call), x, bound)?))
}

fn hard_shrink(lo: &mut Lowering, call: &Call) -> Lowered {
    let bound = call.float_or("lambd", 0.5)?;
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::hard_shrink(&mut lo.composer(call), x, bound, 0.0)?))
}

fn threshold(lo: &mut Lowering, call: &Call) -> Lowered {
    let (bound, value) = (call.float("threshold")?, call.float("value")?);
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::threshold(&mut lo.composer(call), x, bound, value)?))
}

fn log_to_base(lo: &mut Lowering, call: &Call, base: f64) -> Lowered {
    let x = lo.operand(call, 0)?;
    let log = lo.unary(call, Unary::Log, x)?;
    lo.emit(call, Op::Unary(Unary::MulScalar(1.0 / base.ln())), &[log])
}

fn exp2(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let scaled = lo.unary(call, Unary::MulScalar(std::f64::consts::LN_2), x)?;
    lo.emit(call, Op::Unary(Unary::Exp), &[scaled])
}

fn logit(lo: &mut Lowering, call: &Call) -> Lowered {
    let margin = call.optional_float("eps")?;
    let x = lo.operand(call, 0)?;
    Ok(fresh(arithmetic::logit(&mut lo.composer(call), x, margin)?))
}

fn hardtanh(lo: &mut Lowering, call: &Call) -> Lowered {
    let (low, high) = (call.float_or("min_val", -1.0)?, call.float_or("max_val", 1.0)?);
    lo.emit_unary(call, Unary::Clamp(Some(low), Some(high)))
}

fn prelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let slope = lo.value(call, &call.tensor(1)?)?;
    lo.emit(call, Op::PRelu, &[x, slope])
}

fn glu(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let axis = call.axis_or("dim", -1, lo.shape(x).len())?;
    let half = fixed(lo, x, axis)? / 2;
    let halves = lo.draft.builder.node(&call.name, Op::Split { axis, sizes: vec![half, half] }, &[x])?;
    let gate = lo.unary(call, Unary::Sigmoid, halves[1])?;
    lo.emit(call, Op::Binary(Binary::Mul), &[halves[0], gate])
}

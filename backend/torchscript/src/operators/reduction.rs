//! Sums, means, extremes and norms along axes, and softmax.

use eagleeye_graph::compose::reductions;
use eagleeye_graph::{Binary, Dim, Op, Reduction, Unary, ValueId};

use super::Operator;
use super::pointwise::extreme;
use crate::call::Call;
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::{Lowering, fresh};
use crate::value::Value;

const NORM: &str = "abs or pow_scalar, a reduction, and sqrt or pow_scalar";

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "aten::mean",
        becomes: "reduce_mean; not over the batch",
        lower: |lo, c| plain(lo, c, Reduction::Mean),
    },
    Operator {
        name: "aten::sum",
        becomes: "reduce_sum; not over the batch",
        lower: |lo, c| plain(lo, c, Reduction::Sum),
    },
    Operator { name: "aten::amax", becomes: "reduce_max", lower: |lo, c| plain(lo, c, Reduction::Max) },
    Operator { name: "aten::amin", becomes: "reduce_min", lower: |lo, c| plain(lo, c, Reduction::Min) },
    Operator { name: "aten::max", becomes: "reduce_max without the indices, or max of two", lower: max },
    Operator { name: "aten::min", becomes: "reduce_min without the indices, or min of two", lower: min },
    Operator { name: "aten::var", becomes: "reduce_mean, sub, pow_scalar, mul_scalar", lower: variance },
    Operator { name: "aten::std", becomes: "as var, then sqrt", lower: deviation },
    Operator { name: "aten::var_mean", becomes: "as var, with the mean", lower: variance_and_mean },
    Operator { name: "aten::std_mean", becomes: "as std, with the mean", lower: deviation_and_mean },
    Operator { name: "aten::aminmax", becomes: "reduce_min and reduce_max", lower: both_extremes },
    Operator { name: "aten::linalg_vector_norm", becomes: NORM, lower: norm },
    Operator { name: "aten::linalg_norm", becomes: NORM, lower: norm },
    Operator { name: "aten::linalg_matrix_norm", becomes: "pow_scalar, reduce_sum, sqrt; only `fro`", lower: norm },
    Operator { name: "aten::norm", becomes: NORM, lower: norm },
    Operator { name: "aten::frobenius_norm", becomes: "pow_scalar, reduce_sum, sqrt", lower: norm },
    Operator { name: "aten::logsumexp", becomes: "reduce_max, sub, exp, reduce_sum, log, add", lower: log_sum_exp },
    Operator {
        name: "aten::prod",
        becomes: "reduce_product; not over the batch",
        lower: |lo, c| plain(lo, c, Reduction::Product),
    },
    Operator { name: "aten::cumsum", becomes: "linear along the axis", lower: running_sum },
    Operator { name: "aten::softmax", becomes: "softmax", lower: |lo, c| softmax(lo, c, false) },
    Operator { name: "aten::_softmax", becomes: "softmax", lower: |lo, c| softmax(lo, c, false) },
    Operator { name: "aten::log_softmax", becomes: "log_softmax", lower: |lo, c| softmax(lo, c, true) },
    Operator { name: "aten::_log_softmax", becomes: "log_softmax", lower: |lo, c| softmax(lo, c, true) },
];

/// The axes of a reduction, ascending; all of them where none are given.
fn axes(lo: &Lowering, call: &Call, x: ValueId) -> Lowered<Vec<usize>> {
    let rank = lo.shape(x).len();
    let given = call.ints("dim")?;
    let mut axes: Vec<usize> = if given.is_empty() { (0..rank).collect() } else { call.axes("dim", rank)? };
    axes.sort_unstable();
    axes.dedup();
    if axes.iter().any(|&axis| matches!(lo.shape(x)[axis], Dim::Batch(_))) {
        return unsupported("reduces over the batch axis");
    }
    Ok(axes)
}

fn first(lo: &mut Lowering, call: &Call) -> Lowered<ValueId> {
    let x = call.tensor(0)?;
    lo.value(call, &x)
}

fn plain(lo: &mut Lowering, call: &Call, kind: Reduction) -> Lowered {
    let x = first(lo, call)?;
    let axes = axes(lo, call, x)?;
    Ok(fresh(lo.reduce(call, kind, &axes, call.flag("keepdim"), x)?))
}

fn max(lo: &mut Lowering, call: &Call) -> Lowered {
    along_or_between(lo, call, Reduction::Max, Binary::Max)
}

fn min(lo: &mut Lowering, call: &Call) -> Lowered {
    along_or_between(lo, call, Reduction::Min, Binary::Min)
}

fn along_or_between(lo: &mut Lowering, call: &Call, along: Reduction, between: Binary) -> Lowered {
    if call.has("other") {
        return extreme(lo, call, between);
    }
    let reduced = plain(lo, call, along)?;
    Ok(if call.has("dim") { call.only(reduced, 2, "indices") } else { reduced })
}

/// Variance and, with its axes kept or not, the mean.
fn moments(lo: &mut Lowering, call: &Call) -> Lowered<(ValueId, ValueId)> {
    let x = first(lo, call)?;
    let axes = axes(lo, call, x)?;
    let count: usize = axes.iter().map(|&axis| lo.shape(x)[axis].sample()).product();
    let correction = match call.get("unbiased") {
        Value::Bool(unbiased) => f64::from(u8::from(*unbiased)),
        _ => call.float_or("correction", 1.0)?,
    };
    let keep = call.flag("keepdim");
    let mean = lo.reduce(call, Reduction::Mean, &axes, true, x)?;
    let centred = lo.binary(call, Binary::Sub, x, mean)?;
    let squares = lo.unary(call, Unary::PowScalar(2.0), centred)?;
    let biased = lo.reduce(call, Reduction::Mean, &axes, keep, squares)?;
    let factor = count as f64 / (count as f64 - correction);
    if !factor.is_finite() {
        return Err(Fault::Invalid("the variance of a single entry is not defined".into()));
    }
    let variance = if factor == 1.0 { biased } else { lo.unary(call, Unary::MulScalar(factor), biased)? };
    let mean = if keep { mean } else { lo.reduce(call, Reduction::Mean, &axes, false, x)? };
    Ok((variance, mean))
}

fn variance(lo: &mut Lowering, call: &Call) -> Lowered {
    Ok(fresh(moments(lo, call)?.0))
}

fn deviation(lo: &mut Lowering, call: &Call) -> Lowered {
    let (variance, _) = moments(lo, call)?;
    lo.emit(call, Op::Unary(Unary::Sqrt), &[variance])
}

fn variance_and_mean(lo: &mut Lowering, call: &Call) -> Lowered {
    let (variance, mean) = moments(lo, call)?;
    Ok(Value::tuple(vec![fresh(variance), fresh(mean)]))
}

fn deviation_and_mean(lo: &mut Lowering, call: &Call) -> Lowered {
    let (variance, mean) = moments(lo, call)?;
    Ok(Value::tuple(vec![fresh(lo.unary(call, Unary::Sqrt, variance)?), fresh(mean)]))
}

fn both_extremes(lo: &mut Lowering, call: &Call) -> Lowered {
    Ok(Value::tuple(vec![plain(lo, call, Reduction::Min)?, plain(lo, call, Reduction::Max)?]))
}

fn norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let name = ["ord", "p"].into_iter().find(|name| call.has(name));
    let order = match name.map(|name| (name, call.text(name))) {
        None => 2.0,
        Some((_, Some(text))) if text == "fro" => 2.0,
        Some((_, Some(text))) => return unsupported(format!("the norm `{text}`")),
        Some((name, None)) => call.float(name)?,
    };
    let x = first(lo, call)?;
    let axes = axes(lo, call, x)?;
    let matrix =
        call.operator == "aten::linalg_matrix_norm" || (call.operator == "aten::linalg_norm" && axes.len() == 2);
    if matrix && !(order == 2.0 && call.text("ord").is_some() || !call.has("ord")) {
        return unsupported(format!("the matrix norm of order {order}"));
    }
    Ok(fresh(reductions::norm(&mut lo.composer(call), x, order, &axes, call.flag("keepdim"))?))
}

fn log_sum_exp(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = first(lo, call)?;
    let axes = axes(lo, call, x)?;
    Ok(fresh(reductions::log_sum_exp(&mut lo.composer(call), x, &axes, call.flag("keepdim"))?))
}

fn running_sum(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = first(lo, call)?;
    let axis = call.axis("dim", lo.shape(x).len())?;
    Ok(fresh(reductions::running_sum(&mut lo.composer(call), x, axis, false, false)?))
}

fn softmax(lo: &mut Lowering, call: &Call, log: bool) -> Lowered {
    let x = first(lo, call)?;
    let axis = call.axis("dim", lo.shape(x).len())?;
    if matches!(lo.shape(x).get(axis), Some(Dim::Batch(_))) {
        return unsupported("softmax over the batch axis");
    }
    lo.emit(call, Op::Softmax { axis, log }, &[x])
}

//! Sums, means, extremes and norms along axes, and softmax.

use eagleeye_graph::compose::reductions;
use eagleeye_graph::{Dim, Op, Reduction, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axes, axis};
use crate::import::lowering::Lowering;

macro_rules! reduce {
    ($name:literal, $becomes:literal, $before:expr, $kind:expr, $after:expr) => {
        Operator { name: $name, becomes: $becomes, lower: |lo, call| reduced(lo, call, $before, $kind, $after) }
    };
}

pub const OPERATORS: &[Operator] = &[
    reduce!("ReduceMean", "reduce_mean; not over the batch", None, Reduction::Mean, None),
    reduce!("ReduceSum", "reduce_sum; not over the batch", None, Reduction::Sum, None),
    reduce!("ReduceMax", "reduce_max; not over the batch", None, Reduction::Max, None),
    reduce!("ReduceMin", "reduce_min; not over the batch", None, Reduction::Min, None),
    reduce!("ReduceProd", "reduce_product; not over the batch", None, Reduction::Product, None),
    reduce!("ReduceL1", "abs and reduce_sum", Some(Unary::Abs), Reduction::Sum, None),
    reduce!(
        "ReduceL2",
        "pow_scalar, reduce_sum and sqrt",
        Some(Unary::PowScalar(2.0)),
        Reduction::Sum,
        Some(Unary::Sqrt)
    ),
    reduce!("ReduceSumSquare", "pow_scalar and reduce_sum", Some(Unary::PowScalar(2.0)), Reduction::Sum, None),
    reduce!("ReduceLogSum", "reduce_sum and log", None, Reduction::Sum, Some(Unary::Log)),
    Operator { name: "ReduceLogSumExp", becomes: "reduce_max, sub, exp, reduce_sum, log, add", lower: log_sum_exp },
    Operator { name: "CumSum", becomes: "linear along the axis", lower: running_sum },
    Operator { name: "Softmax", becomes: "softmax", lower: |lo, call| softmax(lo, call, false) },
    Operator { name: "LogSoftmax", becomes: "log_softmax", lower: |lo, call| softmax(lo, call, true) },
];

/// Input, axes (`None` for none at all) and whether they are kept.
fn operands(lo: &mut Lowering, call: &Call) -> Lowered<(ValueId, Option<Vec<usize>>, bool)> {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let given = lo.ints(call, 1, "axes")?.unwrap_or_default();
    let axes = match given.is_empty() {
        true if call.flag("noop_with_empty_axes")? => None,
        true => Some((0..rank).collect()),
        false => Some(axes(&given, rank)?),
    };
    Ok((x, axes, call.int_or("keepdims", 1)? != 0))
}

fn reduced(lo: &mut Lowering, call: &Call, before: Option<Unary>, kind: Reduction, after: Option<Unary>) -> Lowered {
    let (x, axes, keep) = operands(lo, call)?;
    let mut y = each(lo, call, before, x)?;
    if let Some(axes) = axes {
        y = lo.reduce(call, kind, &axes, keep, y)?;
    }
    Ok(one(each(lo, call, after, y)?))
}

fn log_sum_exp(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes, keep) = operands(lo, call)?;
    let Some(axes) = axes else {
        return Ok(one(x));
    };
    Ok(one(reductions::log_sum_exp(&mut lo.composer(call), x, &axes, keep)?))
}

fn running_sum(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let Some(along) = lo.known(call, 1)?.number() else {
        return invalid("the axis is not a single number");
    };
    let along = axis(along as i64, lo.rank(x))?;
    let (exclusive, reverse) = (call.flag("exclusive")?, call.flag("reverse")?);
    Ok(one(reductions::running_sum(&mut lo.composer(call), x, along, exclusive, reverse)?))
}

fn each(lo: &mut Lowering, call: &Call, function: Option<Unary>, x: ValueId) -> Lowered<ValueId> {
    function.map_or(Ok(x), |function| lo.unary(call, function, x))
}

fn softmax(lo: &mut Lowering, call: &Call, log: bool) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let along = axis(call.int_or("axis", if call.opset < 13 { 1 } else { -1 })?, rank)?;
    // Before operator set 13, all axes from this one on were one.
    let together = call.opset < 13 && lo.shape(x)[along + 1..].iter().any(|d| *d != Dim::Fixed(1));
    if lo.shape(x)[along..].iter().any(|d| matches!(d, Dim::Batch(_)))
        && (together || matches!(lo.shape(x)[along], Dim::Batch(_)))
    {
        return unsupported("over the batch");
    }
    if !together {
        return lo.emit(call, Op::Softmax { axis: along, log }, &[x]);
    }
    let shape = lo.shape(x).clone();
    let mut flat = shape[..along].to_vec();
    flat.push(Dim::Fixed(shape::sample(&shape[along..]).iter().product()));
    let x = lo.reshape(call, x, flat)?;
    let y = lo.push(call, Op::Softmax { axis: along, log }, &[x])?;
    Ok(one(lo.reshape(call, y, shape)?))
}

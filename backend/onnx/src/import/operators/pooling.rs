//! Pooling.

use eagleeye_graph::compose::reductions::norm;
use eagleeye_graph::{Op, Pool, PoolKind, Unary, ValueId};

use super::Operator;
use super::convolution::{Window, padding};
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "MaxPool", becomes: "max_pool; without the indices", lower: max_pool },
    Operator { name: "AveragePool", becomes: "avg_pool; without dilations", lower: average_pool },
    Operator {
        name: "GlobalAveragePool",
        becomes: "adaptive_avg_pool to size 1",
        lower: |lo, call| global(lo, call, false),
    },
    Operator {
        name: "GlobalMaxPool",
        becomes: "adaptive_max_pool to size 1",
        lower: |lo, call| global(lo, call, true),
    },
    Operator { name: "LpPool", becomes: "abs, pow_scalar, avg_pool, mul_scalar and pow_scalar", lower: power_pool },
    Operator {
        name: "GlobalLpPool",
        becomes: "abs or pow_scalar, reduce_sum, and sqrt or pow_scalar",
        lower: global_norm,
    },
];

fn pool(lo: &mut Lowering, call: &Call, kind: PoolKind) -> Lowered<ValueId> {
    let x = lo.value(call, 0)?;
    let axes = call.ints("kernel_shape")?.unwrap_or_default().len();
    if axes == 0 || lo.rank(x) != axes + 2 {
        return invalid(format!("has a window of {axes} axes, but an input of rank {}", lo.rank(x)));
    }
    let kernel = call.sizes("kernel_shape", axes, 1)?;
    let stride = call.sizes("strides", axes, 1)?;
    let dilation = call.sizes("dilations", axes, 1)?;
    let parts = kernel.iter().zip(&stride).zip(&dilation);
    let windows: Vec<Window> =
        parts.map(|((&kernel, &stride), &dilation)| Window { kernel, stride, dilation }).collect();
    let padding = padding(lo, call, x, &windows)?;
    let ceil = call.flag("ceil_mode")?;
    lo.push(call, Op::Pool(Pool { kind, kernel, stride, padding, dilation, ceil }), &[x])
}

fn max_pool(lo: &mut Lowering, call: &Call) -> Lowered {
    Ok(vec![Value::Graph(pool(lo, call, PoolKind::Max)?), Value::Unavailable])
}

fn average_pool(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.ints("dilations")?.is_some_and(|d| d.iter().any(|&d| d != 1)) {
        return unsupported("with dilations");
    }
    let count_include_pad = call.flag("count_include_pad")?;
    Ok(one(pool(lo, call, PoolKind::Average { count_include_pad })?))
}

fn global(lo: &mut Lowering, call: &Call, max: bool) -> Lowered {
    let x = lo.value(call, 0)?;
    match lo.rank(x).checked_sub(2) {
        Some(axes @ 1..) => lo.emit(call, Op::AdaptivePool { max, output: vec![1; axes] }, &[x]),
        _ => invalid("needs a tensor of rank 3 or more"),
    }
}

/// The root of the sum of powers in each window.
fn power_pool(lo: &mut Lowering, call: &Call) -> Lowered {
    let order = call.int_or("p", 2)? as f64;
    if call.flag("ceil_mode")? || call.ints("dilations")?.is_some_and(|d| d.iter().any(|&d| d != 1)) {
        return unsupported("with dilations or windows that extend beyond the input");
    }
    let mut raised = call.clone();
    let x = lo.value(call, 0)?;
    let size = lo.unary(call, Unary::Abs, x)?;
    let powers = lo.unary(call, Unary::PowScalar(order), size)?;
    raised.inputs = vec![Value::Graph(powers)];
    let means = pool(lo, &raised, PoolKind::Average { count_include_pad: true })?;
    let area: i64 = call.ints("kernel_shape")?.unwrap_or_default().iter().product();
    let sums = lo.times(call, means, area as f64)?;
    lo.emit(call, Op::Unary(Unary::PowScalar(1.0 / order)), &[sums])
}

fn global_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let order = call.int_or("p", 2)? as f64;
    let x = lo.value(call, 0)?;
    let axes: Vec<usize> = (2..lo.rank(x)).collect();
    Ok(one(norm(&mut lo.composer(call), x, order, &axes, true)?))
}

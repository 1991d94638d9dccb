//! Pooling.

use eagleeye_graph::{Dim, Op, Pool, PoolKind, Unary, ValueId};

use super::Operator;
use crate::call::{Call, as_int};
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::Lowering;
use crate::value::Value;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::max_pool1d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool2d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool3d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool2d_with_indices", becomes: "max_pool; without the indices", lower: max_pool },
    Operator { name: "aten::max_pool3d_with_indices", becomes: "max_pool; without the indices", lower: max_pool },
    Operator { name: "aten::avg_pool1d", becomes: "avg_pool", lower: average_pool },
    Operator {
        name: "aten::avg_pool2d",
        becomes: "avg_pool, and mul_scalar for a custom divisor",
        lower: average_pool,
    },
    Operator {
        name: "aten::avg_pool3d",
        becomes: "avg_pool, and mul_scalar for a custom divisor",
        lower: average_pool,
    },
    Operator { name: "aten::adaptive_avg_pool1d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_avg_pool2d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_avg_pool3d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool1d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool2d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool3d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
];

pub(super) fn spatial(lo: &Lowering, call: &Call) -> Lowered<(ValueId, usize)> {
    let x = match call.tensor(0)?.content() {
        Some(crate::value::Content::Graph(id)) => id,
        _ => return unsupported("its input is a constant tensor"),
    };
    let rank = lo.shape(x).len();
    // PyTorch also takes one image without a batch axis; a classifier's graph has one.
    let axes =
        call.operator.chars().rev().find(char::is_ascii_digit).and_then(|c| c.to_digit(10)).unwrap_or(2) as usize;
    if rank != axes + 2 {
        return Err(Fault::Invalid(format!("expected an input of rank {}, but it has rank {rank}", axes + 2)));
    }
    Ok((x, axes))
}

fn window(call: &Call, axes: usize, kind: PoolKind) -> Lowered<Pool> {
    let kernel = call.sizes("kernel_size", axes, 1)?;
    let stride = if call.ints("stride")?.is_empty() { kernel.clone() } else { call.sizes("stride", axes, 1)? };
    let padding = call.sizes("padding", axes, 0)?.into_iter().map(|p| (p, p)).collect();
    let dilation = call.sizes("dilation", axes, 1)?;
    Ok(Pool { kind, kernel, stride, padding, dilation, ceil: call.flag("ceil_mode") })
}

fn max_pool(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes) = spatial(lo, call)?;
    let pool = window(call, axes, PoolKind::Max)?;
    let y = lo.emit(call, Op::Pool(pool), &[x])?;
    Ok(if call.operator.ends_with("indices") { call.only(y, 2, "indices") } else { y })
}

fn average_pool(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes) = spatial(lo, call)?;
    if call.has("divisor_override") {
        return divided_sum(lo, call, x, axes);
    }
    // The schema's default is to count the padding.
    let count_include_pad = !matches!(call.get("count_include_pad"), Value::Bool(false));
    let pool = window(call, axes, PoolKind::Average { count_include_pad })?;
    lo.emit(call, Op::Pool(pool), &[x])
}

/// The sum of each window by a divisor that the call gives.
fn divided_sum(lo: &mut Lowering, call: &Call, x: ValueId, axes: usize) -> Lowered {
    let pool = window(call, axes, PoolKind::Average { count_include_pad: true })?;
    if pool.ceil {
        return unsupported("a custom divisor with windows that extend beyond the input");
    }
    let area: usize = pool.kernel.iter().product();
    let average = lo.push(call, Op::Pool(pool), &[x])?;
    let factor = area as f64 / call.float("divisor_override")?;
    lo.emit(call, Op::Unary(Unary::MulScalar(factor)), &[average])
}

fn adaptive(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes) = spatial(lo, call)?;
    let max = call.operator.contains("max");
    let items = call.get("output_size").items().unwrap_or_else(|| vec![call.get("output_size").clone(); axes]);
    if items.len() != axes {
        return Err(Fault::Invalid(format!("output_size has {} entries, expected {axes}", items.len())));
    }
    let mut output = Vec::with_capacity(axes);
    for (axis, item) in items.iter().enumerate() {
        let size = match (item, lo.shape(x)[axis + 2]) {
            (Value::None, Dim::Fixed(size)) => size,
            (item, _) => {
                usize::try_from(as_int(item)?).map_err(|_| Fault::Invalid("output_size is negative".into()))?
            }
        };
        output.push(size);
    }
    let y = lo.emit(call, Op::AdaptivePool { max, output }, &[x])?;
    Ok(if max { call.only(y, 2, "indices") } else { y })
}

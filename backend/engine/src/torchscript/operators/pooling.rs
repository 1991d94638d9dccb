//! Pooling and resizing.

use eagleeye_graph::{Dim, Interpolation, Op, Pool, PoolKind};

use super::Operator;
use crate::torchscript::call::{Call, Fault, Lowered, as_float, as_int, unsupported};
use crate::torchscript::lowering::Lowering;
use crate::torchscript::value::Value;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::max_pool1d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool2d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool3d", becomes: "max_pool", lower: max_pool },
    Operator { name: "aten::max_pool2d_with_indices", becomes: "max_pool; without the indices", lower: max_pool },
    Operator { name: "aten::avg_pool1d", becomes: "avg_pool", lower: average_pool },
    Operator { name: "aten::avg_pool2d", becomes: "avg_pool; no divisor_override", lower: average_pool },
    Operator { name: "aten::avg_pool3d", becomes: "avg_pool; no divisor_override", lower: average_pool },
    Operator { name: "aten::adaptive_avg_pool1d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_avg_pool2d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_avg_pool3d", becomes: "adaptive_avg_pool", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool1d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool2d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
    Operator { name: "aten::adaptive_max_pool3d", becomes: "adaptive_max_pool; without the indices", lower: adaptive },
    Operator { name: "aten::upsample_nearest1d", becomes: "resize", lower: resize },
    Operator { name: "aten::upsample_nearest2d", becomes: "resize", lower: resize },
    Operator { name: "aten::upsample_nearest3d", becomes: "resize", lower: resize },
    Operator { name: "aten::upsample_linear1d", becomes: "resize", lower: resize },
    Operator { name: "aten::upsample_bilinear2d", becomes: "resize", lower: resize },
];

fn spatial(lo: &Lowering, call: &Call) -> Lowered<(eagleeye_graph::ValueId, usize)> {
    let x = match call.tensor(0)?.content() {
        Some(crate::torchscript::value::Content::Graph(id)) => id,
        _ => return unsupported("of a constant tensor"),
    };
    let rank = lo.shape(x).len();
    // PyTorch also takes one image without a batch axis; a classifier's graph has one.
    let axes =
        call.operator.chars().rev().find(char::is_ascii_digit).and_then(|c| c.to_digit(10)).unwrap_or(2) as usize;
    if rank != axes + 2 {
        return Err(Fault::Invalid(format!("needs an input of rank {}, but it has rank {rank}", axes + 2)));
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
    if call.has("divisor_override") {
        return unsupported("a divisor of its own");
    }
    let (x, axes) = spatial(lo, call)?;
    // The schema's default is to count the padding.
    let count_include_pad = !matches!(call.get("count_include_pad"), Value::Bool(false));
    let pool = window(call, axes, PoolKind::Average { count_include_pad })?;
    lo.emit(call, Op::Pool(pool), &[x])
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
            (item, _) => usize::try_from(as_int(item)?).map_err(|_| Fault::Invalid("a negative output size".into()))?,
        };
        output.push(size);
    }
    let y = lo.emit(call, Op::AdaptivePool { max, output }, &[x])?;
    Ok(if max { call.only(y, 2, "indices") } else { y })
}

fn resize(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes) = spatial(lo, call)?;
    let sizes: Vec<usize> = lo.shape(x)[2..].iter().map(|d| d.sample()).collect();
    let output = if call.has("output_size") { call.sizes("output_size", axes, 1)? } else { scaled(call, &sizes)? };
    let mode = if call.operator.contains("nearest") {
        Interpolation::Nearest
    } else {
        Interpolation::Linear { align_corners: call.flag("align_corners") }
    };
    lo.emit(call, Op::Resize { mode, output }, &[x])
}

/// Sizes by scale factors. PyTorch then samples by the factor, which equals sampling by the sizes only where they divide.
fn scaled(call: &Call, sizes: &[usize]) -> Lowered<Vec<usize>> {
    let factors = call.get("scale_factors").items().unwrap_or_default();
    let scale = |(size, factor): (&usize, &Value)| {
        let exact = *size as f64 * as_float(factor)?;
        if exact.fract() == 0.0 && exact >= 1.0 {
            Ok(exact as usize)
        } else {
            unsupported("a scale factor that does not fit the size")
        }
    };
    if factors.len() != sizes.len() {
        return unsupported("a size that is neither given nor a scale factor");
    }
    sizes.iter().zip(&factors).map(scale).collect()
}

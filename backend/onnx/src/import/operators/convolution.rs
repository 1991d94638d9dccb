//! Convolutions and matrix products.

use eagleeye_graph::compose::einsum::einsum;
use eagleeye_graph::{Binary, Conv, Op, ValueId};

use super::Operator;
use crate::import::call::{Call, Lowered, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::size;
use crate::import::lowering::Lowering;
use crate::import::settle;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "Conv", becomes: "conv, 1 to 3 axes", lower: convolution },
    Operator { name: "ConvTranspose", becomes: "conv_transpose, 1 to 3 axes", lower: transposed_convolution },
    Operator {
        name: "MatMul",
        becomes: "linear with a matrix that is stored or computed from stored tensors, else matmul",
        lower: matmul,
    },
    Operator {
        name: "Gemm",
        becomes: "linear with a stored matrix, else matmul; with mul_scalar and add",
        lower: gemm,
    },
    Operator {
        name: "Einsum",
        becomes: "permute, reduce_sum, mul, and linear with a stored matrix, else matmul; no diagonals",
        lower: by_equation,
    },
];

/// A window along one axis, and where its padding is.
pub(super) struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
}

impl Window {
    /// Entries that the window spans.
    fn reach(&self) -> usize {
        self.dilation.saturating_mul(self.kernel.saturating_sub(1)).saturating_add(1)
    }
}

/// Padding before and after along each spatial axis of `x`, from `pads` or by the rule in `auto_pad`.
pub(super) fn padding(lo: &Lowering, call: &Call, x: ValueId, windows: &[Window]) -> Lowered<Vec<(usize, usize)>> {
    let axes = windows.len();
    match call.text("auto_pad")? {
        "" | "NOTSET" => {
            let pads = call.sizes("pads", 2 * axes, 0)?;
            Ok((0..axes).map(|i| (pads[i], pads[axes + i])).collect())
        }
        "VALID" => Ok(vec![(0, 0); axes]),
        rule @ ("SAME_UPPER" | "SAME_LOWER") => {
            let same = |(i, window): (usize, &Window)| {
                let size = lo.fixed(x, i + 2)?;
                if window.stride == 0 {
                    return invalid("a stride is 0");
                }
                let last = size.div_ceil(window.stride).saturating_sub(1).saturating_mul(window.stride);
                let total = last.saturating_add(window.reach()).saturating_sub(size);
                Ok(halves(total, rule == "SAME_UPPER"))
            };
            windows.iter().enumerate().map(same).collect()
        }
        other => unsupported(format!("auto_pad `{other}`")),
    }
}

/// A total as two halves; the odd one comes last where `upper`.
fn halves(total: usize, upper: bool) -> (usize, usize) {
    let (small, large) = (total / 2, total - total / 2);
    if upper { (small, large) } else { (large, small) }
}

/// Input, weight, kernel and windows of a convolution.
fn operands(lo: &mut Lowering, call: &Call) -> Lowered<(ValueId, ValueId, Vec<Window>)> {
    let (x, weight) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let kernel: Vec<usize> = lo.shape(weight).iter().skip(2).map(|d| d.sample()).collect();
    let axes = kernel.len();
    if lo.rank(x) != axes + 2 || axes == 0 {
        let (rank, weight) = (lo.rank(x), lo.rank(weight));
        return invalid(format!("its input has rank {rank} and its weight rank {weight}, but both must be 3 to 5"));
    }
    let stated = call.sizes("kernel_shape", axes, 0)?;
    if call.has_attribute("kernel_shape") && stated != kernel {
        return invalid(format!("kernel_shape is {stated:?}, but the weight's kernel is {kernel:?}"));
    }
    let (strides, dilations) = (call.sizes("strides", axes, 1)?, call.sizes("dilations", axes, 1)?);
    let parts = kernel.into_iter().zip(strides).zip(dilations);
    let windows = parts.map(|((kernel, stride), dilation)| Window { kernel, stride, dilation }).collect();
    Ok((x, weight, windows))
}

fn emit(lo: &mut Lowering, call: &Call, conv: Conv, x: ValueId, weight: ValueId) -> Lowered {
    let mut inputs = vec![x, weight];
    if call.has(2) && lo.merged_number(call.input(2)) != Some(0.0) {
        inputs.push(lo.value(call, 2)?);
    }
    lo.emit(call, Op::Conv(conv), &inputs)
}

fn convolution(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, weight, windows) = operands(lo, call)?;
    let conv = Conv {
        stride: windows.iter().map(|w| w.stride).collect(),
        padding: padding(lo, call, x, &windows)?,
        dilation: windows.iter().map(|w| w.dilation).collect(),
        groups: size(call.int_or("group", 1)?, "group")?,
        transposed: None,
    };
    emit(lo, call, conv, x, weight)
}

fn transposed_convolution(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, weight, windows) = operands(lo, call)?;
    let extra = call.sizes("output_padding", windows.len(), 0)?;
    let conv = Conv {
        stride: windows.iter().map(|w| w.stride).collect(),
        padding: transposed_padding(lo, call, x, &windows, &extra)?,
        dilation: windows.iter().map(|w| w.dilation).collect(),
        groups: size(call.int_or("group", 1)?, "group")?,
        transposed: Some(extra),
    };
    emit(lo, call, conv, x, weight)
}

/// A transposed convolution states its padding, or the size that it makes, or that it makes `size * stride`.
fn transposed_padding(
    lo: &Lowering,
    call: &Call,
    x: ValueId,
    windows: &[Window],
    extra: &[usize],
) -> Lowered<Vec<(usize, usize)>> {
    let rule = call.text("auto_pad")?;
    let wanted = match call.ints("output_shape")? {
        Some(_) => Some(call.sizes("output_shape", windows.len(), 0)?),
        None if matches!(rule, "SAME_UPPER" | "SAME_LOWER") => {
            let sizes = windows.iter().enumerate().map(|(i, w)| Ok(lo.fixed(x, i + 2)?.saturating_mul(w.stride)));
            Some(sizes.collect::<Lowered<_>>()?)
        }
        None => None,
    };
    let Some(wanted) = wanted else {
        return padding(lo, call, x, windows);
    };
    let pads = windows.iter().zip(extra).zip(&wanted).enumerate().map(|(i, ((window, &extra), &wanted))| {
        let before = lo.fixed(x, i + 2)?.saturating_sub(1).saturating_mul(window.stride);
        let full = before.saturating_add(window.reach()).saturating_add(extra);
        match full.checked_sub(wanted) {
            Some(total) => Ok(halves(total, rule == "SAME_UPPER")),
            None => unsupported(format!("an output of {wanted}, larger than the {full} that the kernel covers")),
        }
    });
    pads.collect()
}

fn matmul(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    Ok(one(product(lo, call, a, b)?))
}

/// A product with a matrix that the file alone decides is a linear layer, any other a matrix product.
pub(super) fn product(lo: &mut Lowering, call: &Call, a: ValueId, b: ValueId) -> Lowered<ValueId> {
    let (matrix, transposed) = match lo.untransposed(b) {
        Some(weight) if settle::is_weight(lo, weight) => (weight, false),
        _ => (b, true),
    };
    if lo.rank(matrix) == 2 && settle::is_weight(lo, matrix) && !settle::is_weight(lo, a) {
        return lo.push(call, Op::Linear { transposed }, &[a, matrix]);
    }
    if lo.rank(a) < 2 || lo.rank(b) < 2 {
        let equation = match (lo.rank(a), lo.rank(b)) {
            (_, 1) => "...i,i->...",
            (1, _) => "i,...ij->...j",
            _ => return invalid("multiplies a scalar"),
        };
        return einsum(&mut lo.composer(call), equation, &[a, b]);
    }
    lo.push(call, Op::MatMul, &[a, b])
}

/// `alpha * A' B' + beta * C`
fn gemm(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    if lo.rank(a) != 2 || lo.rank(b) != 2 {
        return invalid(format!("needs two matrices, but has ranks {} and {}", lo.rank(a), lo.rank(b)));
    }
    let a = if call.flag("transA")? { lo.swapped(call, a)? } else { a };
    let transposed = call.flag("transB")?;
    let y = if transposed && settle::is_weight(lo, b) && !settle::is_weight(lo, a) {
        lo.push(call, Op::Linear { transposed: false }, &[a, b])?
    } else {
        let b = if transposed { lo.swapped(call, b)? } else { b };
        product(lo, call, a, b)?
    };
    let (alpha, beta) = (call.float_or("alpha", 1.0)?, call.float_or("beta", 1.0)?);
    let y = lo.times(call, y, alpha)?;
    if !call.has(2) || beta == 0.0 || lo.merged_number(call.input(2)) == Some(0.0) {
        return Ok(one(y));
    }
    let c = lo.value(call, 2)?;
    let c = lo.times(call, c, beta)?;
    Ok(one(lo.binary(call, Binary::Add, y, c)?))
}

fn by_equation(lo: &mut Lowering, call: &Call) -> Lowered {
    let operands = (0..call.inputs.len()).map(|index| lo.value(call, index)).collect::<Lowered<Vec<_>>>()?;
    let equation = call.text("equation")?;
    Ok(one(einsum(&mut lo.composer(call), equation, &operands)?))
}

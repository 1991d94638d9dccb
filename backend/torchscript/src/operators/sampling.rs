//! Resizing, sampling at computed positions, and windows as an axis of their own.

use eagleeye_graph::compose::patches::{self, Window};
use eagleeye_graph::compose::sampling::{self, affine_grid};
use eagleeye_graph::{Compose, Interpolation, Op, SampleMode, SamplePadding, ValueId};

use super::Operator;
use super::pooling::spatial;
use crate::call::{Call, as_float};
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::{Lowering, fresh};

const PLAIN: &str = "resize; for scale factors that do not fit the size, gather or linear along each axis";
const WIDENED: &str = "linear along each axis";

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::upsample_nearest1d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_nearest2d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_nearest3d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_linear1d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_bilinear2d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_trilinear3d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::upsample_bicubic2d", becomes: PLAIN, lower: resize },
    Operator { name: "aten::_upsample_nearest_exact1d", becomes: "gather along each axis", lower: resize },
    Operator { name: "aten::_upsample_nearest_exact2d", becomes: "gather along each axis", lower: resize },
    Operator { name: "aten::_upsample_nearest_exact3d", becomes: "gather along each axis", lower: resize },
    Operator { name: "aten::_upsample_bilinear2d_aa", becomes: WIDENED, lower: resize },
    Operator { name: "aten::_upsample_bicubic2d_aa", becomes: WIDENED, lower: resize },
    Operator { name: "aten::affine_grid_generator", becomes: "permute, matmul and reshape; images only", lower: grid },
    Operator { name: "aten::grid_sampler", becomes: "grid_sample; images only", lower: sample },
    Operator { name: "aten::grid_sampler_2d", becomes: "grid_sample", lower: sample },
    Operator { name: "aten::im2col", becomes: "pad, gather, reshape and permute", lower: to_columns },
    Operator {
        name: "aten::col2im",
        becomes: "reshape and permute where windows do not overlap, else conv_transpose",
        lower: from_columns,
    },
    Operator { name: "aten::unfold", becomes: "gather, reshape and permute", lower: unfold },
];

/// What becomes of one axis: its number, its entries, and how many entries of the input there are for one of the output.
struct Scaling {
    axis: usize,
    from: usize,
    to: usize,
    step: f64,
    /// Whether sampling goes by the sizes, and not by a factor that is given.
    by_size: bool,
}

fn resize(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, axes) = spatial(lo, call)?;
    let scalings = scalings(lo, call, x, axes)?;
    let align_corners = call.flag("align_corners");
    let by_size = scalings.iter().all(|s| s.by_size);
    let output = scalings.iter().map(|s| s.to).collect();
    let name = call.operator;
    let mode = match name {
        _ if name.contains("nearest_exact") => return nearest(lo, call, x, &scalings, 0.5),
        _ if name.ends_with("_aa") => return widened(lo, call, x, &scalings),
        _ if name.contains("nearest") && !by_size => return nearest(lo, call, x, &scalings, 0.0),
        _ if name.contains("nearest") => Interpolation::Nearest,
        _ if !by_size && !align_corners => return interpolated(lo, call, x, &scalings),
        _ if name.contains("bicubic") => Interpolation::Cubic { align_corners },
        _ => Interpolation::Linear { align_corners },
    };
    lo.emit(call, Op::Resize { mode, output }, &[x])
}

/// Sizes and factors. With factors PyTorch samples by them, which equals sampling by the sizes only where they divide.
fn scalings(lo: &Lowering, call: &Call, x: ValueId, axes: usize) -> Lowered<Vec<Scaling>> {
    let sizes: Vec<usize> = lo.shape(x)[2..].iter().map(|d| d.sample()).collect();
    let factors = factors(call, axes)?;
    let given = if call.has("output_size") { Some(call.sizes("output_size", axes, 1)?) } else { None };
    let scaling = |(i, &from): (usize, &usize)| {
        let factor = factors.get(i).copied().flatten();
        let to = match (&given, factor) {
            (Some(given), _) => given[i],
            (None, Some(factor)) => (from as f64 * factor).floor() as usize,
            (None, None) => return unsupported("neither an output size nor a scale factor is given"),
        };
        if to == 0 {
            return Err(Fault::Invalid(format!("resizes an axis of {from} entries to size 0")));
        }
        let even = from as f64 / to as f64;
        let step = factor.filter(|f| *f > 0.0).map_or(even, |factor| 1.0 / factor);
        let by_size = (step - even).abs() < 1e-9 * even;
        Ok(Scaling { axis: i + 2, from, to, step, by_size })
    };
    sizes.iter().enumerate().map(scaling).collect()
}

/// The scale factors that the call gives, in the order of the axes.
fn factors(call: &Call, axes: usize) -> Lowered<Vec<Option<f64>>> {
    if let Some(items) = call.get("scale_factors").items() {
        return items.iter().map(|item| as_float(item).map(Some)).collect();
    }
    let names: &[&str] = match axes {
        1 => &["scales"],
        2 => &["scales_h", "scales_w"],
        _ => &["scales_d", "scales_h", "scales_w"],
    };
    names.iter().map(|name| call.optional_float(name)).collect()
}

/// The entry below `(i + offset) * step`, computed in single precision as PyTorch does.
fn nearest(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling], offset: f32) -> Lowered {
    let mut y = x;
    for Scaling { axis, from, to, step, .. } in scalings {
        let index = |i: usize| (((i as f32 + offset) * *step as f32) as usize).min(from - 1);
        lo.charge(*to)?;
        let indices = (0..*to).map(index).collect();
        y = lo.composer(call).take(y, *axis, indices)?;
    }
    Ok(fresh(y))
}

/// Linear or cubic interpolation by factors, along one axis after the other.
fn interpolated(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling]) -> Lowered {
    const PYTORCH_CUBIC: f64 = -0.75;
    let cubic = call.operator.contains("cubic");
    let kernel = |d: f64| if cubic { sampling::cubic(d, PYTORCH_CUBIC) } else { sampling::linear(d) };
    let mut y = x;
    for Scaling { axis, to, step, .. } in scalings {
        let position = |i: usize| {
            let position = step * (i as f64 + 0.5) - 0.5;
            if cubic { position } else { position.max(0.0) }
        };
        let reach = if cubic { 2 } else { 1 };
        y = sampling::interpolate(&mut lo.composer(call), y, *axis, *to, &position, (&kernel, reach))?;
    }
    Ok(fresh(y))
}

/// With antialiasing.
fn widened(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling]) -> Lowered {
    const PYTORCH_CUBIC: f64 = -0.5;
    let cubic = call.operator.contains("cubic");
    let kernel = |d: f64| if cubic { sampling::cubic(d, PYTORCH_CUBIC) } else { sampling::linear(d) };
    let reach = if cubic { 2.0 } else { 1.0 };
    let mut y = x;
    for Scaling { axis, from, to, step, .. } in scalings {
        let step = match (call.flag("align_corners"), to) {
            (true, 1) => 0.0,
            (true, _) => (*from - 1) as f64 / (*to - 1) as f64,
            (false, _) => *step,
        };
        y = sampling::interpolate_widened(&mut lo.composer(call), y, *axis, *to, step, (&kernel, reach))?;
    }
    Ok(fresh(y))
}

fn grid(lo: &mut Lowering, call: &Call) -> Lowered {
    let theta = lo.operand(call, 0)?;
    let sizes = call.counts("size")?;
    let size = |index: usize| sizes.get(index).and_then(|c| c.known()).and_then(|n| usize::try_from(n).ok());
    let (Some(height), Some(width), 4) = (size(2), size(3), sizes.len()) else {
        return unsupported("a grid for anything but images");
    };
    let align_corners = call.flag("align_corners");
    Ok(fresh(affine_grid(&mut lo.composer(call), theta, [height, width], align_corners)?))
}

fn sample(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, grid) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let mode = match call.int("interpolation_mode")? {
        0 => SampleMode::Linear,
        1 => SampleMode::Nearest,
        2 => SampleMode::Cubic,
        other => return unsupported(format!("the interpolation mode {other}")),
    };
    let padding = match call.int("padding_mode")? {
        0 => SamplePadding::Zeros,
        1 => SamplePadding::Border,
        2 => SamplePadding::Reflection,
        other => return unsupported(format!("the padding mode {other}")),
    };
    if lo.shape(x).len() != 4 {
        return unsupported("samples volumes");
    }
    lo.emit(call, Op::GridSample { mode, padding, align_corners: call.flag("align_corners") }, &[x, grid])
}

fn window_pair(call: &Call) -> Lowered<[Window; 2]> {
    let (kernel, stride) = (call.sizes("kernel_size", 2, 1)?, call.sizes("stride", 2, 1)?);
    let (dilation, padding) = (call.sizes("dilation", 2, 1)?, call.sizes("padding", 2, 0)?);
    Ok([0, 1].map(|i| Window {
        kernel: kernel[i],
        stride: stride[i],
        dilation: dilation[i],
        padding: (padding[i], padding[i]),
    }))
}

fn to_columns(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let windows = window_pair(call)?;
    Ok(fresh(patches::to_columns(&mut lo.composer(call), x, windows)?))
}

fn from_columns(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let output = call.sizes("output_size", 2, 1)?;
    let windows = window_pair(call)?;
    Ok(fresh(patches::from_columns(&mut lo.composer(call), x, [output[0], output[1]], windows)?))
}

/// `x.unfold(axis, size, step)`: windows along an axis, their entries as a new last axis.
fn unfold(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let rank = lo.shape(x).len();
    let axis = call.axis("dimension", rank)?;
    let size = |name: &str| {
        let value = call.int(name)?;
        usize::try_from(value).map_err(|_| Fault::Invalid(format!("{name} is negative: {value}")))
    };
    let window = Window { kernel: size("size")?, stride: size("step")?, dilation: 1, padding: (0, 0) };
    let cut = patches::windows(&mut lo.composer(call), x, axis, window)?;
    let mut order: Vec<usize> = (0..=rank).filter(|&a| a != axis + 1).collect();
    order.push(axis + 1);
    Ok(fresh(lo.permute(call, cut, order)?))
}

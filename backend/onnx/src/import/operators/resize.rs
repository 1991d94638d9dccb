//! Resizing images.

use eagleeye_graph::compose::sampling::{self, cubic};
use eagleeye_graph::{Count, Dim, Interpolation, Op, ValueId};

use super::Operator;
use crate::import::call::{Call, Lowered, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::axis;
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "Resize", becomes: "resize, gather, or linear along each axis", lower: resize },
    Operator { name: "Upsample", becomes: "resize, gather, or linear along each axis", lower: upsample },
];

/// What becomes of one axis.
#[derive(Clone, Copy)]
struct Scaling {
    axis: usize,
    from: usize,
    to: usize,
    /// The factor that sampling goes by, which is not always `to / from`.
    factor: f64,
}

fn resize(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let axes: Vec<usize> = match call.ints("axes")? {
        Some(axes) => axes.iter().map(|&a| axis(a, rank)).collect::<Lowered<_>>()?,
        None => (0..rank).collect(),
    };
    if !matches!(call.text("keep_aspect_ratio_policy")?, "" | "stretch") {
        return unsupported("keeping the aspect ratio");
    }
    let scales = lo.optional_known(call, 2)?.filter(|s| s.len() > 0);
    let scalings = match (lo.optional_known(call, 3)?.filter(|s| s.len() > 0), scales) {
        (Some(sizes), _) => by_sizes(lo, x, &axes, &sizes.counts()?)?,
        (None, Some(scales)) => by_scales(lo, x, &axes, &scales.numbers()?)?,
        (None, None) => return invalid("has neither sizes nor scales"),
    };
    resampled(lo, call, x, scalings)
}

/// Before operator set 10: scales alone, and coordinates that are not centred.
fn upsample(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let scales = match lo.optional_known(call, 1)? {
        Some(scales) => scales.numbers()?,
        None => call.floats("scales")?.unwrap_or_default(),
    };
    let axes: Vec<usize> = (0..lo.rank(x)).collect();
    let scalings = by_scales(lo, x, &axes, &scales)?;
    resampled(lo, call, x, scalings)
}

fn by_sizes(lo: &Lowering, x: ValueId, axes: &[usize], sizes: &[Count]) -> Lowered<Vec<Scaling>> {
    if sizes.len() != axes.len() {
        return invalid(format!("has {} sizes for {} axes", sizes.len(), axes.len()));
    }
    let mut scalings = Vec::new();
    for (&axis, size) in axes.iter().zip(sizes) {
        let own = lo.shape(x)[axis];
        let written =
            matches!(own, Dim::Batch(_)) && lo.written_batch.is_some_and(|n| size.known() == Some(own.at(n) as i64));
        match (own, size.dim()) {
            _ if written => {}
            (own, Some(wanted)) if own == wanted => {}
            (Dim::Fixed(from @ 1..), Some(Dim::Fixed(to @ 1..))) => {
                scalings.push(Scaling { axis, from, to, factor: to as f64 / from as f64 });
            }
            _ => return unsupported("resizes the batch or to a size that depends on it"),
        }
    }
    Ok(scalings)
}

fn by_scales(lo: &Lowering, x: ValueId, axes: &[usize], scales: &[f64]) -> Lowered<Vec<Scaling>> {
    if scales.len() != axes.len() {
        return invalid(format!("has {} scales for {} axes", scales.len(), axes.len()));
    }
    let mut scalings = Vec::new();
    for (&axis, &factor) in axes.iter().zip(scales).filter(|(_, s)| **s != 1.0) {
        let from = lo.fixed(x, axis)?;
        // Factors have the digits of `f32`, and so has their product.
        let to = f64::from((from as f64 * factor) as f32).floor();
        if !(1.0..1e9).contains(&to) {
            return invalid(format!("scales an axis of {from} by {factor}"));
        }
        scalings.push(Scaling { axis, from, to: to as usize, factor });
    }
    Ok(scalings)
}

fn resampled(lo: &mut Lowering, call: &Call, x: ValueId, scalings: Vec<Scaling>) -> Lowered {
    let upsample = call.operator == "Upsample";
    let coordinates = match call.text("coordinate_transformation_mode")? {
        "" if upsample => "asymmetric",
        "" => "half_pixel",
        other => other,
    };
    if call.flag("antialias")? {
        return antialiased(lo, call, x, &scalings, coordinates);
    }
    match call.text("mode")? {
        "" | "nearest" => {
            let rounding = match call.text("nearest_mode")? {
                "" if upsample => "floor",
                "" => "round_prefer_floor",
                other => other,
            };
            nearest(lo, call, x, &scalings, coordinates, rounding)
        }
        "linear" | "bilinear" => linear(lo, call, x, &scalings, coordinates),
        "cubic" => {
            let a = call.float_or("cubic_coeff_a", -0.75)?;
            bicubic(lo, call, x, &scalings, coordinates, a)
        }
        other => unsupported(format!("the mode `{other}`")),
    }
}

/// Position in the input of an output index, before rounding (ONNX's Resize, `coordinate_transformation_mode`).
fn coordinate(scaling: &Scaling, index: usize, coordinates: &str) -> Lowered<f64> {
    let (index, factor) = (index as f64, scaling.factor);
    Ok(match coordinates {
        "half_pixel" => (index + 0.5) / factor - 0.5,
        "pytorch_half_pixel" if scaling.to > 1 => (index + 0.5) / factor - 0.5,
        "pytorch_half_pixel" => 0.0,
        "half_pixel_symmetric" => {
            // The image stays centred where the factor does not fit the size.
            let adjusted = scaling.to as f64 / (factor * scaling.from as f64);
            let offset = scaling.from as f64 / 2.0 * (1.0 - adjusted);
            offset + (index + 0.5) / factor - 0.5
        }
        "asymmetric" => index / factor,
        "align_corners" if scaling.to > 1 => index * (scaling.from - 1) as f64 / (scaling.to - 1) as f64,
        "align_corners" => 0.0,
        other => return unsupported(format!("the coordinates `{other}`")),
    })
}

/// PyTorch's nearest where the indices are the same, else a gather along each axis.
fn nearest(
    lo: &mut Lowering,
    call: &Call,
    x: ValueId,
    scalings: &[Scaling],
    coordinates: &str,
    rounding: &str,
) -> Lowered {
    let mut sampled = Vec::with_capacity(scalings.len());
    for scaling in scalings {
        lo.charge(scaling.to)?;
        let index = |i: usize| -> Lowered<usize> {
            let position = coordinate(scaling, i, coordinates)?;
            let rounded = match rounding {
                "floor" => position.floor(),
                "ceil" => position.ceil(),
                "round_prefer_floor" => (position - 0.5).ceil(),
                "round_prefer_ceil" => (position + 0.5).floor(),
                other => return unsupported(format!("rounding `{other}`")),
            };
            Ok((rounded.max(0.0) as usize).min(scaling.from - 1))
        };
        sampled.push((0..scaling.to).map(index).collect::<Lowered<Vec<_>>>()?);
    }
    let as_pytorch = |(scaling, indices): (&Scaling, &Vec<usize>)| {
        indices.iter().enumerate().all(|(i, &index)| index == i * scaling.from / scaling.to)
    };
    if scalings.iter().zip(&sampled).all(as_pytorch)
        && let Some(output) = spatial(lo, x, scalings)
    {
        return lo.emit(call, Op::Resize { mode: Interpolation::Nearest, output }, &[x]);
    }
    let mut y = x;
    for (scaling, indices) in scalings.iter().zip(sampled) {
        y = lo.push(call, Op::Gather { axis: scaling.axis, indices }, &[y])?;
    }
    Ok(one(y))
}

/// PyTorch's linear where it is the same, else a product along each axis.
fn linear(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling], coordinates: &str) -> Lowered {
    let align_corners = match coordinates {
        "align_corners" => Some(true),
        // They differ only where the output has one entry.
        "half_pixel" if scalings.iter().all(|s| s.to > 1) => Some(false),
        "pytorch_half_pixel" => Some(false),
        _ => None,
    };
    match (align_corners, spatial(lo, x, scalings)) {
        (Some(align_corners), Some(output)) if align_corners || scalings.iter().all(exact) => {
            lo.emit(call, Op::Resize { mode: Interpolation::Linear { align_corners }, output }, &[x])
        }
        _ => separable(lo, call, x, scalings, coordinates, &sampling::linear, 1),
    }
}

/// Whether sampling by the factor is sampling by the sizes.
fn exact(s: &Scaling) -> bool {
    (s.factor * s.from as f64 - s.to as f64).abs() < 1e-4 * s.to as f64
}

/// PyTorch's bicubic where it is the same, else a product along each axis.
fn bicubic(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling], coordinates: &str, a: f64) -> Lowered {
    const PYTORCH: f64 = -0.75;
    let align_corners = match coordinates {
        "align_corners" => Some(true),
        "half_pixel" => Some(false),
        "pytorch_half_pixel" if scalings.iter().all(|s| s.to > 1) => Some(false),
        _ => None,
    };
    let plain = a == PYTORCH && !call.flag("exclude_outside")? && lo.rank(x) == 4;
    match (align_corners, spatial(lo, x, scalings)) {
        (Some(align_corners), Some(output)) if plain && (align_corners || scalings.iter().all(exact)) => {
            lo.emit(call, Op::Resize { mode: Interpolation::Cubic { align_corners }, output }, &[x])
        }
        _ => separable(lo, call, x, scalings, coordinates, &move |distance| cubic(distance, a), 2),
    }
}

/// Interpolation by a kernel that reaches `reach` entries to each side, along one axis after the other.
fn separable(
    lo: &mut Lowering,
    call: &Call,
    x: ValueId,
    scalings: &[Scaling],
    coordinates: &str,
    kernel: &dyn Fn(f64) -> f64,
    reach: i64,
) -> Lowered {
    if call.flag("exclude_outside")? {
        return unsupported("interpolation that excludes positions outside the image");
    }
    let mut y = x;
    for scaling in scalings {
        lo.charge(scaling.to.saturating_mul(scaling.from))?;
        let positions = (0..scaling.to).map(|i| coordinate(scaling, i, coordinates)).collect::<Lowered<Vec<_>>>()?;
        let position = |i: usize| positions[i];
        y = sampling::interpolate(&mut lo.composer(call), y, scaling.axis, scaling.to, &position, (kernel, reach))?;
    }
    Ok(one(y))
}

/// Interpolation in which every entry counts, with a kernel as wide as the factor of reduction.
fn antialiased(lo: &mut Lowering, call: &Call, x: ValueId, scalings: &[Scaling], coordinates: &str) -> Lowered {
    if !matches!(coordinates, "half_pixel" | "pytorch_half_pixel") {
        return unsupported(format!("antialiasing with the coordinates `{coordinates}`"));
    }
    let a = call.float_or("cubic_coeff_a", -0.75)?;
    let (kernel, reach): (Box<dyn Fn(f64) -> f64>, f64) = match call.text("mode")? {
        "linear" | "bilinear" => (Box::new(sampling::linear), 1.0),
        "cubic" => (Box::new(move |distance| cubic(distance, a)), 2.0),
        other => return unsupported(format!("antialiasing in the mode `{other}`")),
    };
    let mut y = x;
    for s in scalings {
        lo.charge(s.to.saturating_mul(s.from))?;
        let composer = &mut lo.composer(call);
        y = sampling::interpolate_widened(composer, y, s.axis, s.to, 1.0 / s.factor, (&*kernel, reach))?;
    }
    Ok(one(y))
}

/// The spatial size of the output, where only spatial axes change.
fn spatial(lo: &Lowering, x: ValueId, scalings: &[Scaling]) -> Option<Vec<usize>> {
    let shape = lo.shape(x);
    if !(3..=5).contains(&shape.len()) || scalings.iter().any(|s| s.axis < 2) {
        return None;
    }
    let size = |axis: usize| match (scalings.iter().find(|s| s.axis == axis), shape[axis]) {
        (Some(scaling), _) => Some(scaling.to),
        (None, Dim::Fixed(size)) => Some(size),
        (None, Dim::Batch(_)) => None,
    };
    (2..shape.len()).map(size).collect()
}

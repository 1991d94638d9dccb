//! Operations that only move data.

use eagleeye_graph::{Dim, Node, PadMode};

use super::attribute::{int, text};
use super::error::ExportError;
use super::writer::{Tensor, Writer};

pub(super) fn reshape(writer: &mut Writer, shape: &[Dim], x: Tensor) -> Result<Tensor, ExportError> {
    if shape.contains(&Dim::Fixed(0)) {
        return writer.refused("a size of 0 means in ONNX that the input's size is kept");
    }
    Ok(writer.reshape(x, shape))
}

/// Where the batch axis is made by repeating, the target is computed from the batch's size.
pub(super) fn expand(writer: &mut Writer, node: &Node, shape: &[Dim], x: Tensor) -> Result<Tensor, ExportError> {
    let from = writer.graph.shape(node.inputs[0]).clone();
    if from == shape {
        return Ok(x);
    }
    let missing = shape.len() - from.len();
    let mut parts = Vec::new();
    let mut sizes = Vec::new();
    for (axis, &dim) in shape.iter().enumerate() {
        match dim {
            Dim::Fixed(size) => sizes.push(size as i64),
            // A size of 1 keeps the input's.
            Dim::Batch(_) if axis >= missing && from[axis - missing] == dim => sizes.push(1),
            Dim::Batch(each) => {
                parts.extend(known(writer, &mut sizes));
                parts.push(batch_size(writer, each)?);
            }
        }
    }
    parts.extend(known(writer, &mut sizes));
    let target = match parts[..] {
        [one] => one,
        _ => writer.call("Concat", &parts, vec![int("axis", 0)]),
    };
    Ok(writer.call("Expand", &[x, target], vec![]))
}

fn known(writer: &mut Writer, sizes: &mut Vec<i64>) -> Option<Tensor> {
    let sizes = std::mem::take(sizes);
    (!sizes.is_empty()).then(|| writer.int64s("shape", &sizes))
}

fn batch_size(writer: &mut Writer, each: usize) -> Result<Tensor, ExportError> {
    let batch = writer.batch()?;
    if each == 1 {
        return Ok(batch);
    }
    let each = writer.int64s("each", &[each as i64]);
    Ok(writer.call("Mul", &[batch, each], vec![]))
}

pub(super) fn split(writer: &mut Writer, axis: usize, sizes: &[usize], x: Tensor) -> Vec<Tensor> {
    if sizes.len() == 1 {
        return vec![x];
    }
    let lengths: Vec<i64> = sizes.iter().map(|&s| s as i64).collect();
    let lengths = writer.int64s("split", &lengths);
    writer.call_many("Split", &[x, lengths], vec![int("axis", axis as i64)], sizes.len())
}

/// Entries `start, start + step, ...` below `end` along an axis.
pub(super) fn slice(writer: &mut Writer, x: Tensor, axis: usize, [start, end, step]: [usize; 3]) -> Tensor {
    let one = |writer: &mut Writer, what, value: usize| writer.int64s(what, &[value as i64]);
    let (starts, ends) = (one(writer, "starts", start), one(writer, "ends", end));
    let (axes, steps) = (one(writer, "axes", axis), one(writer, "steps", step));
    writer.call("Slice", &[x, starts, ends, axes, steps], vec![])
}

pub(super) fn gather(writer: &mut Writer, x: Tensor, axis: usize, indices: &[usize]) -> Tensor {
    let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
    let indices = writer.int64s("indices", &indices);
    writer.call("Gather", &[x, indices], vec![int("axis", axis as i64)])
}

/// Pads first and crops then, so that no runtime has to do both at once.
pub(super) fn pad(
    writer: &mut Writer,
    node: &Node,
    pads: &[(i64, i64)],
    mode: PadMode,
    x: Tensor,
) -> Result<Tensor, ExportError> {
    let sizes: Vec<usize> = writer.graph.shape(node.inputs[0]).iter().map(|d| d.sample()).collect();
    let grown: Vec<(usize, usize)> = pads.iter().map(|&(b, a)| (b.max(0) as usize, a.max(0) as usize)).collect();
    let crops = pads.iter().any(|&(before, after)| before < 0 || after < 0);
    let x = match mode {
        _ if grown.iter().all(|&p| p == (0, 0)) => x,
        PadMode::Constant(value) => pad_constant(writer, &grown, value, x),
        PadMode::Reflect => pad_by_copying(writer, &grown, "reflect", x),
        PadMode::Replicate => pad_by_copying(writer, &grown, "edge", x),
        PadMode::Circular if crops => return writer.refused("circular padding that also crops"),
        PadMode::Circular => pad_circular(writer, &grown, &sizes, x)?,
    };
    if !crops {
        return Ok(x);
    }
    let padded: Vec<usize> = sizes.iter().zip(&grown).map(|(size, (before, after))| size + before + after).collect();
    Ok(crop(writer, pads, &padded, x))
}

/// Takes off as much as the negative `pads` say; `sizes` are those of `x`.
fn crop(writer: &mut Writer, pads: &[(i64, i64)], sizes: &[usize], mut x: Tensor) -> Tensor {
    for (axis, (&(before, after), &size)) in pads.iter().zip(sizes).enumerate() {
        if before < 0 || after < 0 {
            let (start, end) = (before.min(0).unsigned_abs() as usize, size - after.min(0).unsigned_abs() as usize);
            x = slice(writer, x, axis, [start, end, 1]);
        }
    }
    x
}

/// Pads every axis with a constant.
pub(super) fn pad_constant(writer: &mut Writer, pads: &[(usize, usize)], value: f64, x: Tensor) -> Tensor {
    let pads = pad_sizes(writer, pads);
    let value = writer.scalar("value", value);
    writer.call("Pad", &[x, pads, value], vec![text("mode", "constant")])
}

fn pad_by_copying(writer: &mut Writer, pads: &[(usize, usize)], mode: &'static str, x: Tensor) -> Tensor {
    let pads = pad_sizes(writer, pads);
    writer.call("Pad", &[x, pads], vec![text("mode", mode)])
}

fn pad_sizes(writer: &mut Writer, pads: &[(usize, usize)]) -> Tensor {
    let sizes = super::convolution::begins_and_ends(pads);
    let sizes: Vec<i64> = sizes.map(|p| p as i64).collect();
    writer.int64s("pads", &sizes)
}

/// Opset 17 has no circular padding: the two ends of each axis are put around it.
fn pad_circular(
    writer: &mut Writer,
    pads: &[(usize, usize)],
    sizes: &[usize],
    mut x: Tensor,
) -> Result<Tensor, ExportError> {
    for (axis, (&(before, after), &size)) in pads.iter().zip(sizes).enumerate() {
        if before.max(after) > size {
            let what = format!("circular padding {before}, {after} wraps around an axis of {size} more than once");
            return writer.refused(what);
        }
        let mut parts = vec![x];
        if before > 0 {
            parts.insert(0, slice(writer, x, axis, [size - before, size, 1]));
        }
        if after > 0 {
            parts.push(slice(writer, x, axis, [0, after, 1]));
        }
        if parts.len() > 1 {
            x = writer.call("Concat", &parts, vec![int("axis", axis as i64)]);
        }
    }
    Ok(x)
}

/// The end of an axis moves to its front.
pub(super) fn roll(writer: &mut Writer, node: &Node, shifts: &[(usize, i64)], mut x: Tensor) -> Tensor {
    for &(axis, shift) in shifts {
        let size = writer.graph.shape(node.inputs[0])[axis].sample();
        let shift = shift.rem_euclid(size as i64) as usize;
        if shift != 0 {
            let front = slice(writer, x, axis, [size - shift, size, 1]);
            let back = slice(writer, x, axis, [0, size - shift, 1]);
            x = writer.call("Concat", &[front, back], vec![int("axis", axis as i64)]);
        }
    }
    x
}

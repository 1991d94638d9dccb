//! Operators that only move or repeat data: views, permutations, padding, and those that do nothing in inference.

use eagleeye_graph::compose::arithmetic::{is_not_zero, truncated};
use eagleeye_graph::count::in_words;
use eagleeye_graph::{Count, Dim, Op, PadMode, Shape, ValueId};

use super::Operator;
use super::selection::is_mask;
use crate::import::call::{Call, Lowered, Value, one, training};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axes, axis, new_axes, size};
use crate::import::lowering::Lowering;
use crate::import::view::shape_from;
use crate::proto::tensor_proto::DataType;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "Reshape", becomes: "reshape", lower: reshape },
    Operator { name: "Flatten", becomes: "reshape", lower: flatten },
    Operator { name: "Squeeze", becomes: "reshape; not of the batch", lower: squeeze },
    Operator { name: "Unsqueeze", becomes: "reshape", lower: unsqueeze },
    Operator { name: "Transpose", becomes: "permute", lower: transpose },
    Operator { name: "Expand", becomes: "expand", lower: expand },
    Operator { name: "Tile", becomes: "expand and gather", lower: tile },
    Operator { name: "Pad", becomes: "pad, all modes; not along the batch axis", lower: pad },
    Operator { name: "DepthToSpace", becomes: "reshape and permute", lower: depth_to_space },
    Operator { name: "SpaceToDepth", becomes: "reshape and permute", lower: space_to_depth },
    Operator { name: "Identity", becomes: "nothing: the same tensor", lower: same_tensor },
    Operator { name: "Dropout", becomes: "nothing: the same tensor; not in training mode", lower: dropout },
    Operator {
        name: "Cast",
        becomes: "nothing between float types; a comparison with 0 to bool, sign, abs, floor and mul to int",
        lower: cast,
    },
    Operator { name: "CastLike", becomes: "nothing between float types", lower: cast_like },
];

fn reshape(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let target = lo.known(call, 1)?.counts()?;
    let shape = lo.target_shape(x, &target, call.flag("allowzero")?)?;
    Ok(one(lo.reshape(call, x, shape)?))
}

fn product(dims: &[Dim]) -> Lowered<Dim> {
    let product = dims.iter().try_fold(Count::fixed(1), |all, dim| all.multiply(Count::of(*dim)));
    product.and_then(Count::dim).map_or_else(|| unsupported("a size that is not linear in the batch"), Ok)
}

fn flatten(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let given = call.int_or("axis", 1)?;
    let axis = if given == rank as i64 { rank } else { axis(given, rank)? };
    let shape = lo.shape(x);
    let shape = vec![product(&shape[..axis])?, product(&shape[axis..])?];
    Ok(one(lo.reshape(call, x, shape)?))
}

fn squeeze(lo: &mut Lowering, call: &Call) -> Lowered {
    let given = lo.ints(call, 1, "axes")?;
    let x = lo.value(call, 0)?;
    let shape = lo.shape(x).clone();
    let gone = match given {
        Some(given) => axes(&given, shape.len())?,
        None => (0..shape.len()).filter(|&axis| shape[axis] == Dim::Fixed(1)).collect(),
    };
    if let Some(&axis) = gone.iter().find(|&&axis| shape[axis] != Dim::Fixed(1)) {
        return invalid(format!("axis {axis} of {} is not 1", in_words(&shape)));
    }
    let kept = shape.iter().enumerate().filter(|(axis, _)| !gone.contains(axis)).map(|(_, d)| *d).collect();
    Ok(one(lo.reshape(call, x, kept)?))
}

fn unsqueeze(lo: &mut Lowering, call: &Call) -> Lowered {
    let given = lo.ints(call, 1, "axes")?.unwrap_or_default();
    let x = lo.value(call, 0)?;
    let mut shape = lo.shape(x).clone();
    for axis in new_axes(&given, shape.len())? {
        shape.insert(axis, Dim::Fixed(1));
    }
    Ok(one(lo.reshape(call, x, shape)?))
}

fn transpose(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let order = match call.ints("perm")? {
        Some(perm) => perm.iter().map(|&a| axis(a, rank)).collect::<Lowered<_>>()?,
        None => (0..rank).rev().collect(),
    };
    Ok(one(lo.permute(call, x, order)?))
}

fn expand(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let target = shape_from(&lo.known(call, 1)?.counts()?)?;
    let from = lo.shape(x).clone();
    let rank = from.len().max(target.len());
    let at = |shape: &Shape, axis: usize| (axis + shape.len()).checked_sub(rank).map_or(Dim::Fixed(1), |i| shape[i]);
    let written = lo.written_batch;
    let sizes = (0..rank).map(|axis| match (at(&from, axis), at(&target, axis)) {
        (own, Dim::Fixed(1)) => Ok(own),
        (Dim::Fixed(1), wanted) => Ok(wanted),
        (own, wanted) if own == wanted => Ok(own),
        (own @ Dim::Batch(_), Dim::Fixed(size)) if written.is_some_and(|n| own.at(n) == size) => Ok(own),
        _ => invalid(format!("cannot repeat {} to {}", in_words(&from), in_words(&target))),
    });
    let shape = sizes.collect::<Lowered<Shape>>()?;
    Ok(one(expanded(lo, call, x, shape)?))
}

fn expanded(lo: &mut Lowering, call: &Call, x: ValueId, shape: Shape) -> Lowered<ValueId> {
    if *lo.shape(x) == shape { Ok(x) } else { lo.push(call, Op::Expand { shape }, &[x]) }
}

fn tile(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut x = lo.value(call, 0)?;
    let repeats = lo.known(call, 1)?.counts()?;
    if repeats.len() != lo.rank(x) {
        return invalid(format!("has {} repeats for a tensor of rank {}", repeats.len(), lo.rank(x)));
    }
    let mut shape = lo.shape(x).clone();
    for (axis, repeat) in repeats.into_iter().enumerate().filter(|(_, r)| *r != Count::fixed(1)) {
        match (shape[axis], repeat.known()) {
            (Dim::Fixed(1), _) => shape[axis] = shape_from(&[repeat])?[0],
            (Dim::Fixed(size), Some(repeat)) => {
                let count = size.saturating_mul(self::size(repeat, "a number of repeats")?);
                lo.charge(count)?;
                x = lo.push(call, Op::Gather { axis, indices: (0..count).map(|i| i % size).collect() }, &[x])?;
                shape[axis] = Dim::Fixed(count);
            }
            _ => return unsupported("repeats over the batch"),
        }
    }
    Ok(one(expanded(lo, call, x, shape)?))
}

fn pad(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let given = lo.ints(call, 1, "pads")?.unwrap_or_default();
    let axes: Vec<usize> = match lo.optional_known(call, 3)? {
        Some(known) => known.whole()?.iter().map(|&a| axis(a, rank)).collect::<Lowered<_>>()?,
        None => (0..rank).collect(),
    };
    if given.len() != 2 * axes.len() {
        return invalid(format!("has {} pads for {} axes", given.len(), axes.len()));
    }
    let mut pads = vec![(0, 0); rank];
    for (i, &axis) in axes.iter().enumerate() {
        pads[axis] = (given[i], given[axes.len() + i]);
    }
    let fill = match lo.optional_known(call, 2)? {
        Some(known) => known.number(),
        None => Some(call.float_or("value", 0.0)?),
    };
    let mode = match (call.text("mode")?, fill) {
        ("" | "constant", Some(fill)) => PadMode::Constant(fill),
        ("" | "constant", None) => return unsupported("pads with several values"),
        ("reflect", _) => PadMode::Reflect,
        ("edge", _) => PadMode::Replicate,
        ("wrap", _) => PadMode::Circular,
        (other, _) => return unsupported(format!("the mode `{other}`")),
    };
    if pads.iter().all(|&pad| pad == (0, 0)) {
        return Ok(one(x));
    }
    lo.emit(call, Op::Pad { pads, mode }, &[x])
}

/// Batch, channels, height, width and block size of an operator that moves blocks.
fn blocks(lo: &mut Lowering, call: &Call) -> Lowered<(ValueId, Dim, [usize; 3], usize)> {
    let x = lo.value(call, 0)?;
    let [batch, Dim::Fixed(channels), Dim::Fixed(height), Dim::Fixed(width)] = lo.shape(x)[..] else {
        return invalid("needs a tensor [batch, channels, height, width]");
    };
    match size(call.int_or("blocksize", 0)?, "blocksize")? {
        0 => invalid("blocksize is missing"),
        block if block > 1 << 12 => invalid(format!("blocksize is {block}")),
        block => Ok((x, batch, [channels, height, width], block)),
    }
}

fn fixed(batch: Dim, sizes: &[usize]) -> Shape {
    [batch].into_iter().chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect()
}

fn depth_to_space(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, batch, [channels, height, width], block) = blocks(lo, call)?;
    let rest = channels / (block * block);
    let (split, order) = match call.text("mode")? {
        "" | "DCR" => ([block, block, rest], vec![0, 3, 4, 1, 5, 2]),
        "CRD" => ([rest, block, block], vec![0, 1, 4, 2, 5, 3]),
        other => return unsupported(format!("the mode `{other}`")),
    };
    let [a, b, c] = split;
    let x = lo.reshape(call, x, fixed(batch, &[a, b, c, height, width]))?;
    let x = lo.permute(call, x, order)?;
    Ok(one(lo.reshape(call, x, fixed(batch, &[rest, height * block, width * block]))?))
}

fn space_to_depth(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, batch, [channels, height, width], block) = blocks(lo, call)?;
    let (rows, columns) = (height / block, width / block);
    let x = lo.reshape(call, x, fixed(batch, &[channels, rows, block, columns, block]))?;
    let x = lo.permute(call, x, vec![0, 3, 5, 1, 2, 4])?;
    Ok(one(lo.reshape(call, x, fixed(batch, &[channels * block * block, rows, columns]))?))
}

fn same_tensor<'a>(lo: &mut Lowering<'a>, call: &Call<'a>) -> Lowered {
    if let Value::Stored(stored) = call.input(0) {
        lo.alias(*stored, call.output_name)?;
    }
    Ok(vec![call.input(0).clone()])
}

fn dropout(lo: &mut Lowering, call: &Call) -> Lowered {
    match lo.optional_known(call, 2)?.map(|known| known.number()) {
        None | Some(Some(0.0)) => Ok(vec![call.input(0).clone(), Value::Unavailable]),
        Some(_) if lo.optional_known(call, 1)?.is_some_and(|ratio| ratio.number() == Some(0.0)) => {
            Ok(vec![call.input(0).clone(), Value::Unavailable])
        }
        Some(_) => training(call),
    }
}

/// Every activation is `f32` in this engine: truths are 0 and 1, whole numbers have no fraction.
fn cast(lo: &mut Lowering, call: &Call) -> Lowered {
    let to = call.int_or("to", 0)?;
    let wanted = i32::try_from(to).ok().and_then(|to| DataType::try_from(to).ok());
    match (wanted, call.input(0)) {
        (Some(DataType::Float | DataType::Float16 | DataType::Bfloat16 | DataType::Double), other) => {
            if matches!(other, Value::Greater { .. } | Value::NotANumber(_)) {
                Ok(one(lo.value(call, 0)?))
            } else {
                // What was computed while reading stays so.
                Ok(vec![other.clone()])
            }
        }
        (Some(DataType::Bool), comparison @ (Value::Greater { .. } | Value::NotANumber(_))) => {
            Ok(vec![comparison.clone()])
        }
        (Some(DataType::Int32 | DataType::Int64), Value::Greater { .. } | Value::NotANumber(_)) => {
            Ok(one(lo.value(call, 0)?))
        }
        (Some(DataType::Bool), Value::Graph(x)) if is_mask(lo, call, *x) => Ok(one(*x)),
        (Some(DataType::Bool), Value::Graph(x)) => Ok(one(is_not_zero(&mut lo.composer(call), *x)?)),
        (Some(DataType::Int32 | DataType::Int64), Value::Graph(x)) if is_mask(lo, call, *x) => Ok(one(*x)),
        (Some(DataType::Int32 | DataType::Int64), Value::Graph(x)) => Ok(one(truncated(&mut lo.composer(call), *x)?)),
        (Some(other), _) => unsupported(format!("casts an activation to {}", other.as_str_name())),
        (None, _) => invalid(format!("casts to the unknown type {to}")),
    }
}

fn cast_like(lo: &mut Lowering, call: &Call) -> Lowered {
    let float = match call.input(1) {
        Value::Graph(_) => true,
        Value::Stored(stored) => lo.is_float(*stored),
        Value::Known(known) => known.is_float(),
        _ => false,
    };
    if float { Ok(vec![call.input(0).clone()]) } else { unsupported("casts an activation to integers") }
}

//! Operators that only move or repeat data: views, permutations, padding, shuffles.

use eagleeye_graph::count::in_words;
use eagleeye_graph::reading::{indices, shapes};
use eagleeye_graph::{Count, Dim, Op, PadMode, Shape, ValueId, shape};

use super::Operator;
use super::convolution::fixed;
use crate::call::{Call, as_int, counts};
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::{Lowering, fresh, view};
use crate::value::{TensorRef, Value};

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::view", becomes: "reshape", lower: reshape },
    Operator { name: "aten::reshape", becomes: "reshape", lower: reshape },
    Operator { name: "aten::_unsafe_view", becomes: "reshape", lower: reshape },
    Operator { name: "aten::view_as", becomes: "reshape", lower: reshape_as },
    Operator { name: "aten::reshape_as", becomes: "reshape", lower: reshape_as },
    Operator { name: "aten::flatten", becomes: "reshape", lower: flatten },
    Operator { name: "aten::ravel", becomes: "reshape", lower: flatten },
    Operator { name: "aten::unflatten", becomes: "reshape", lower: unflatten },
    Operator { name: "aten::squeeze", becomes: "reshape", lower: squeeze },
    Operator { name: "aten::unsqueeze", becomes: "reshape", lower: unsqueeze },
    Operator { name: "aten::permute", becomes: "permute", lower: permute },
    Operator { name: "aten::transpose", becomes: "permute", lower: transpose },
    Operator { name: "aten::swapaxes", becomes: "permute", lower: transpose },
    Operator { name: "aten::swapdims", becomes: "permute", lower: transpose },
    Operator { name: "aten::movedim", becomes: "permute", lower: move_axes },
    Operator { name: "aten::moveaxis", becomes: "permute", lower: move_axes },
    Operator { name: "aten::t", becomes: "permute", lower: turn },
    Operator { name: "aten::numpy_T", becomes: "permute", lower: turn },
    Operator { name: "aten::mT", becomes: "permute", lower: turn_last },
    Operator { name: "aten::mH", becomes: "permute", lower: turn_last },
    Operator { name: "aten::adjoint", becomes: "permute", lower: turn_last },
    Operator { name: "aten::expand", becomes: "expand", lower: expand },
    Operator { name: "aten::expand_as", becomes: "expand", lower: expand_as },
    Operator { name: "aten::broadcast_to", becomes: "expand", lower: expand },
    Operator { name: "aten::repeat", becomes: "expand or gather", lower: repeat },
    Operator { name: "aten::tile", becomes: "expand or gather", lower: repeat },
    Operator { name: "aten::pad", becomes: "pad", lower: pad },
    Operator { name: "aten::constant_pad_nd", becomes: "pad", lower: pad },
    Operator { name: "aten::reflection_pad1d", becomes: "pad", lower: pad },
    Operator { name: "aten::reflection_pad2d", becomes: "pad", lower: pad },
    Operator { name: "aten::reflection_pad3d", becomes: "pad", lower: pad },
    Operator { name: "aten::replication_pad1d", becomes: "pad", lower: pad },
    Operator { name: "aten::replication_pad2d", becomes: "pad", lower: pad },
    Operator { name: "aten::replication_pad3d", becomes: "pad", lower: pad },
    Operator { name: "aten::roll", becomes: "roll", lower: roll },
    Operator { name: "aten::flip", becomes: "gather", lower: flip },
    Operator { name: "aten::rot90", becomes: "gather and permute", lower: rotate },
    Operator { name: "aten::pixel_shuffle", becomes: "reshape and permute", lower: pixel_shuffle },
    Operator { name: "aten::pixel_unshuffle", becomes: "reshape and permute", lower: pixel_unshuffle },
    Operator { name: "aten::channel_shuffle", becomes: "reshape and permute", lower: channel_shuffle },
];

fn graph_input(lo: &mut Lowering, call: &Call) -> Lowered<(TensorRef, ValueId)> {
    let tensor = call.tensor(0)?;
    let id = lo.value(call, &tensor)?;
    Ok((tensor, id))
}

fn reshape(lo: &mut Lowering, call: &Call) -> Lowered {
    let wanted = if call.has("size") { call.counts("size")? } else { counts(call.at(1))? };
    let (tensor, x) = graph_input(lo, call)?;
    let target = completed(lo.shape(x), &wanted)?;
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

fn reshape_as(lo: &mut Lowering, call: &Call) -> Lowered {
    let target = lo.shape_of(&call.tensor(1)?)?;
    let (tensor, x) = graph_input(lo, call)?;
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

/// Fills in the size that is given as -1.
pub(super) fn completed(from: &Shape, wanted: &[Count]) -> Lowered<Shape> {
    let open: Vec<usize> = (0..wanted.len()).filter(|&i| wanted[i] == Count::fixed(-1)).collect();
    let [axis] = open[..] else {
        if open.is_empty() {
            return Ok(shapes::from_counts(wanted)?);
        }
        return Err(Fault::Invalid("more than one size is -1".into()));
    };
    let all = product(from.iter().map(|&d| Count::of(d)));
    let given = product(wanted.iter().copied().filter(|&c| c != Count::fixed(-1)));
    let (Some(all), Some(given)) = (all, given) else {
        return unsupported("makes a shape in which more than one axis depends on the batch size");
    };
    let rest = all.floor_divide(given).filter(|rest| rest.multiply(given) == Some(all));
    let rest = rest.ok_or_else(|| Fault::Invalid(format!("cannot view {} as {}", in_words(from), in_words(wanted))))?;
    let mut wanted = wanted.to_vec();
    wanted[axis] = rest;
    Ok(shapes::from_counts(&wanted)?)
}

fn flatten(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let from = lo.shape(x).clone();
    let start = call.axis_or("start_dim", 0, from.len())?;
    let end = call.axis_or("end_dim", -1, from.len())?;
    if start > end {
        return Err(Fault::Invalid(format!("start_dim {start} is after end_dim {end}")));
    }
    let product = from[start..=end].iter().try_fold(Count::fixed(1), |n, &d| n.multiply(Count::of(d)));
    let joined =
        product.and_then(Count::dim).ok_or_else(|| Fault::Invalid("the result has too many elements".into()))?;
    let target = from[..start].iter().copied().chain([joined]).chain(from[end + 1..].iter().copied()).collect();
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

fn unflatten(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let from = lo.shape(x).clone();
    let axis = call.axis("dim", from.len())?;
    let parts = completed(&vec![from[axis]], &call.counts("sizes")?)?;
    let target = from[..axis].iter().copied().chain(parts).chain(from[axis + 1..].iter().copied()).collect();
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

fn squeeze(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let from = lo.shape(x).clone();
    let axes: Vec<usize> = if call.has("dim") { call.axes("dim", from.len())? } else { (0..from.len()).collect() };
    let kept = from.iter().enumerate().filter(|(i, d)| !(axes.contains(i) && **d == Dim::Fixed(1)));
    let target = kept.map(|(_, d)| *d).collect();
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

fn unsqueeze(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let mut target = lo.shape(x).clone();
    let axis = call.axis("dim", target.len() + 1)?;
    target.insert(axis, Dim::Fixed(1));
    Ok(view(&tensor, lo.reshape(call, x, target)?))
}

fn permute(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    let order = call.axes("dims", rank)?;
    Ok(view(&tensor, lo.permute(call, x, order)?))
}

fn transpose(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    let axis = |index: usize| -> Lowered<usize> { Ok(indices::axis(as_int(call.at(index))?, rank)?) };
    let (a, b) = (axis(1)?, axis(2)?);
    let mut order: Vec<usize> = (0..rank).collect();
    order.swap(a, b);
    Ok(view(&tensor, lo.permute(call, x, order)?))
}

fn move_axes(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    let axes = |name: &str| call.axes(name, rank);
    let (from, to) = (axes("source")?, axes("destination")?);
    let mut rest = (0..rank).filter(|axis| !from.contains(axis));
    let place = |axis: usize| to.iter().position(|&t| t == axis);
    let order: Vec<usize> =
        (0..rank).filter_map(|axis| place(axis).map_or_else(|| rest.next(), |i| from.get(i).copied())).collect();
    Ok(view(&tensor, lo.permute(call, x, order)?))
}

fn turn(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let order = (0..lo.shape(x).len()).rev().collect();
    Ok(view(&tensor, lo.permute(call, x, order)?))
}

fn turn_last(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let mut order: Vec<usize> = (0..lo.shape(x).len()).collect();
    let rank = order.len();
    if rank < 2 {
        return Err(Fault::Invalid("transposes a tensor with fewer than two axes".into()));
    }
    order.swap(rank - 2, rank - 1);
    Ok(view(&tensor, lo.permute(call, x, order)?))
}

fn expand(lo: &mut Lowering, call: &Call) -> Lowered {
    let (tensor, x) = graph_input(lo, call)?;
    let from = lo.shape(x).clone();
    let wanted = call.counts("size")?;
    let added = wanted
        .len()
        .checked_sub(from.len())
        .ok_or_else(|| Fault::Invalid("expands to fewer axes than the tensor has".into()))?;
    let size = |(axis, count): (usize, &Count)| match axis.checked_sub(added) {
        Some(old) if *count == Count::fixed(-1) => Count::of(from[old]),
        _ => *count,
    };
    let target = shapes::from_counts(&wanted.iter().enumerate().map(size).collect::<Vec<_>>())?;
    expanded(lo, call, &tensor, x, target)
}

fn expand_as(lo: &mut Lowering, call: &Call) -> Lowered {
    let target = lo.shape_of(&call.tensor(1)?)?;
    let (tensor, x) = graph_input(lo, call)?;
    expanded(lo, call, &tensor, x, target)
}

fn expanded(lo: &mut Lowering, call: &Call, tensor: &TensorRef, x: ValueId, target: Shape) -> Lowered {
    if *lo.shape(x) == target {
        return Ok(Value::Tensor(tensor.clone()));
    }
    lo.emit(call, Op::Expand { shape: target }, &[x])
}

fn repeat(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let mut times = counts(call.at(1))?;
    let mut from = lo.shape(x).clone();
    while times.len() < from.len() && call.operator == "aten::tile" {
        times.insert(0, Count::fixed(1));
    }
    while from.len() < times.len() {
        from.insert(0, Dim::Fixed(1));
    }
    if from.len() != times.len() {
        return Err(Fault::Invalid("repeats fewer axes than the tensor has".into()));
    }
    let mut y = lo.reshape(call, x, from.clone())?;
    // Axes of one entry are broadcast, all of them at once; longer ones are gathered.
    let one = |axis: usize| from[axis] == Dim::Fixed(1);
    let sizes: Vec<Count> = (0..from.len()).map(|a| if one(a) { times[a] } else { Count::of(from[a]) }).collect();
    let target = shapes::from_counts(&sizes)?;
    if target != from {
        y = lo.push(call, Op::Expand { shape: target }, &[y])?;
    }
    for axis in (0..from.len()).filter(|&a| !one(a) && times[a] != Count::fixed(1)) {
        let size = fixed(lo, y, axis)?;
        let Some(repeats @ 1..=4096) = times[axis].known() else {
            return unsupported(format!("repeats axis {axis} {} times", times[axis]));
        };
        let indices = (0..repeated(size, repeats as usize)?).map(|i| i % size).collect();
        y = lo.push(call, Op::Gather { axis, indices }, &[y])?;
    }
    Ok(fresh(y))
}

/// Length of an axis whose entries are repeated, unless no tensor has so many.
pub(super) fn repeated(size: usize, repeats: usize) -> Lowered<usize> {
    let length = size.checked_mul(repeats).filter(|&length| length <= shape::MAX_ELEMENTS);
    length.ok_or_else(|| Fault::Invalid(format!("repeats {size} entries {repeats} times")))
}

fn pad(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let mode = match (call.operator, call.text("mode").as_deref()) {
        ("aten::reflection_pad1d" | "aten::reflection_pad2d" | "aten::reflection_pad3d", _) | (_, Some("reflect")) => {
            PadMode::Reflect
        }
        ("aten::replication_pad1d" | "aten::replication_pad2d" | "aten::replication_pad3d", _)
        | (_, Some("replicate")) => PadMode::Replicate,
        (_, Some("circular")) => PadMode::Circular,
        (_, None | Some("constant")) => PadMode::Constant(call.float_or("value", 0.0)?),
        (_, Some(other)) => return unsupported(format!("padding mode `{other}`")),
    };
    let given = if call.has("pad") { call.ints("pad")? } else { call.ints("padding")? };
    let rank = lo.shape(x).len();
    let mut pads = vec![(0, 0); rank];
    let (pairs, odd) = given.as_chunks::<2>();
    if pairs.len() > rank || !odd.is_empty() {
        return Err(Fault::Invalid(format!("pads a tensor of rank {rank} by {given:?}")));
    }
    // PyTorch lists the last axis first.
    for (slot, [before, after]) in pads.iter_mut().rev().zip(pairs) {
        *slot = (*before, *after);
    }
    if pads.iter().all(|&p| p == (0, 0)) {
        return Ok(fresh(x));
    }
    lo.emit(call, Op::Pad { pads, mode }, &[x])
}

fn roll(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    let (shifts, axes) = (call.ints("shifts")?, call.axes("dims", rank)?);
    if axes.is_empty() || axes.len() != shifts.len() {
        return unsupported("rolls the flattened tensor");
    }
    let shifts: Vec<(usize, i64)> = axes.into_iter().zip(shifts).filter(|&(_, shift)| shift != 0).collect();
    if shifts.is_empty() {
        return Ok(fresh(x));
    }
    lo.emit(call, Op::Roll { shifts }, &[x])
}

fn flip(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, mut x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    for axis in call.ints("dims")? {
        let axis = indices::axis(axis, rank)?;
        let indices = (0..fixed(lo, x, axis)?).rev().collect();
        x = lo.push(call, Op::Gather { axis, indices }, &[x])?;
    }
    Ok(fresh(x))
}

/// By quarter turns from the first of two axes to the second.
fn rotate(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let rank = lo.shape(x).len();
    let axes = call.axes("dims", rank)?;
    let [a, b] = axes[..] else {
        return Err(Fault::Invalid("expected exactly two axes to rotate".into()));
    };
    let (flipped, swapped): (&[usize], bool) = match call.int_or("k", 1)?.rem_euclid(4) {
        0 => (&[], false),
        1 => (&[b], true),
        2 => (&[a, b], false),
        _ => (&[a], true),
    };
    let mut y = x;
    for &axis in flipped {
        let indices = (0..fixed(lo, y, axis)?).rev().collect();
        y = lo.push(call, Op::Gather { axis, indices }, &[y])?;
    }
    let mut order: Vec<usize> = (0..rank).collect();
    if swapped {
        order.swap(a, b);
    }
    Ok(fresh(lo.permute(call, y, order)?))
}

/// `[N, C, H, W]` with everything but the batch fixed.
fn image(lo: &Lowering, x: ValueId) -> Lowered<(Dim, [usize; 3])> {
    let shape = lo.shape(x);
    match shape[..] {
        [batch, Dim::Fixed(c), Dim::Fixed(h), Dim::Fixed(w)] => Ok((batch, [c, h, w])),
        _ => Err(Fault::Invalid(format!("expected a tensor of rank 4, but it has rank {}", shape.len()))),
    }
}

fn factor(call: &Call, name: &str) -> Lowered<usize> {
    let factor = usize::try_from(call.int(name)?).ok().filter(|&f| f > 0 && f < 1 << 16);
    factor.ok_or_else(|| Fault::Invalid(format!("{name} must be positive")))
}

fn dims(batch: Dim, sizes: &[usize]) -> Shape {
    [batch].into_iter().chain(sizes.iter().map(|&s| Dim::Fixed(s))).collect()
}

fn pixel_shuffle(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let r = factor(call, "upscale_factor")?;
    let (batch, [c, h, w]) = image(lo, x)?;
    let split = lo.reshape(call, x, dims(batch, &[c / (r * r), r, r, h, w]))?;
    let turned = lo.permute(call, split, vec![0, 1, 4, 2, 5, 3])?;
    Ok(fresh(lo.reshape(call, turned, dims(batch, &[c / (r * r), h * r, w * r]))?))
}

fn pixel_unshuffle(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let r = factor(call, "downscale_factor")?;
    let (batch, [c, h, w]) = image(lo, x)?;
    let split = lo.reshape(call, x, dims(batch, &[c, h / r, r, w / r, r]))?;
    let turned = lo.permute(call, split, vec![0, 1, 3, 5, 2, 4])?;
    Ok(fresh(lo.reshape(call, turned, dims(batch, &[c * r * r, h / r, w / r]))?))
}

fn channel_shuffle(lo: &mut Lowering, call: &Call) -> Lowered {
    let (_, x) = graph_input(lo, call)?;
    let groups = factor(call, "groups")?;
    let (batch, [c, h, w]) = image(lo, x)?;
    let split = lo.reshape(call, x, dims(batch, &[groups, c / groups, h, w]))?;
    let turned = lo.permute(call, split, vec![0, 2, 1, 3, 4])?;
    Ok(fresh(lo.reshape(call, turned, dims(batch, &[c, h, w]))?))
}

fn product(mut counts: impl Iterator<Item = Count>) -> Option<Count> {
    counts.try_fold(Count::fixed(1), Count::multiply)
}

//! Indices that count the images of the batch: `Range(0, N) * stride + offsets`, by which exporters write views with strides.

use std::rc::Rc;

use eagleeye_graph::{Count, Dim, Op, shape};

use crate::import::call::{Call, Lowered, PerImage, Value, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axes, axis, position};
use crate::import::known::{Known, broadcast, broadcast_positions, size_of};
use crate::import::lowering::Lowering;

/// Computes a node that makes or uses such indices; `None` for every other node.
pub(super) fn evaluate(lo: &mut Lowering, call: &Call) -> Option<Lowered> {
    if call.operator == "Range" {
        return counts_images(lo, call).then(|| Ok(made(1, Known::list([Count::fixed(0)]))));
    }
    let counting =
        |v: &Value| if let Value::PerImage(p) = v { Some(p.clone()).filter(|p| p.stride != 0) } else { None };
    let indices = call.inputs.iter().find_map(counting)?;
    Some(match call.operator {
        "Shape" => return None,
        "Identity" | "Cast" => Ok(vec![Value::PerImage(indices)]),
        "Add" => offset(lo, call, &indices),
        "Mul" => scaled(lo, call, &indices),
        "Unsqueeze" => unsqueezed(lo, call, &indices),
        "Reshape" => reshaped(lo, call, &indices),
        "Expand" => expanded(lo, call, &indices),
        "Concat" => places(lo, call, &indices),
        "Gather" => gathered(lo, call, &indices),
        _ => unsupported("on image indices"),
    })
}

fn made(stride: i64, each: Known) -> Vec<Value> {
    vec![Value::PerImage(PerImage { stride, each: Rc::new(each) })]
}

/// Whether a range is `0, 1, ... N - 1` for a batch of `N`.
fn counts_images(lo: &mut Lowering, call: &Call) -> bool {
    let mut count = |index| lo.known(call, index).and_then(|k| k.counts()).ok().and_then(|c| c.first().copied());
    [count(0), count(1), count(2)] == [Some(Count::fixed(0)), Some(Count::BATCH), Some(Count::fixed(1))]
}

/// The operand of a node with two that is not counting images.
fn other(lo: &mut Lowering, call: &Call) -> Lowered<Rc<Known>> {
    let index = usize::from(matches!(call.input(0), Value::PerImage(_)));
    lo.known(call, index)
}

fn offset(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let other = other(lo, call)?;
    let shape = broadcast(&indices.each.shape, &other.shape)?;
    if shape.len() != indices.each.shape.len() || shape.first() != Some(&1) {
        return unsupported("adds different numbers for different images");
    }
    lo.charge(size_of(&shape)?)?;
    let (left, right) = (indices.each.counts()?, other.counts()?);
    let places =
        broadcast_positions(&indices.each.shape, &shape).into_iter().zip(broadcast_positions(&other.shape, &shape));
    match places.map(|(i, j)| left[i].add(right[j])).collect::<Option<Vec<_>>>() {
        Some(sums) => Ok(made(indices.stride, Known::ints(shape, sums))),
        None => invalid("an index that is too large"),
    }
}

fn scaled(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let factor = match other(lo, call)?.whole()?[..] {
        [factor] => factor,
        _ => return unsupported("multiplies image indices by several numbers"),
    };
    let each = indices.each.counts()?.into_iter().map(|c| c.multiply(Count::fixed(factor))).collect::<Option<Vec<_>>>();
    match (indices.stride.checked_mul(factor), each) {
        (Some(stride), Some(each)) => Ok(made(stride, Known::ints(indices.each.shape.clone(), each))),
        _ => invalid("an index that is too large"),
    }
}

fn unsqueezed(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let given = lo.ints(call, 1, "axes")?.unwrap_or_default();
    let mut shape = indices.each.shape.clone();
    for axis in axes(&given, shape.len() + given.len())? {
        if axis == 0 || axis > shape.len() {
            return unsupported("inserts an axis before the batch");
        }
        shape.insert(axis, 1);
    }
    Ok(made(indices.stride, indices.each.reshaped(shape)))
}

/// The sizes behind the batch of a shape that keeps the batch in front.
fn behind_batch(lo: &mut Lowering, call: &Call) -> Lowered<Vec<usize>> {
    let target = lo.known(call, 1)?.counts()?;
    let batch = [Count::BATCH, Count::fixed(-1)];
    let sizes = target.iter().skip(1).map(|c| c.known().and_then(|size| usize::try_from(size).ok()));
    match sizes.collect::<Option<Vec<_>>>() {
        Some(sizes) if target.first().is_some_and(|first| batch.contains(first)) => Ok(sizes),
        _ => unsupported("changes the shape of image indices"),
    }
}

fn reshaped(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let shape: Vec<usize> = [1].into_iter().chain(behind_batch(lo, call)?).collect();
    if size_of(&shape)? != indices.each.len() {
        return unsupported("changes the shape of image indices");
    }
    Ok(made(indices.stride, indices.each.reshaped(shape)))
}

fn expanded(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let target: Vec<usize> = [1].into_iter().chain(behind_batch(lo, call)?).collect();
    let shape = broadcast(&indices.each.shape, &target)?;
    if shape.len() != indices.each.shape.len() {
        return unsupported("changes the shape of image indices");
    }
    lo.charge(size_of(&shape)?)?;
    let places = broadcast_positions(&indices.each.shape, &shape);
    Ok(made(indices.stride, indices.each.take(shape, &places)))
}

/// Coordinates side by side, the number of the image first: places in tensors with a batch.
fn places(lo: &mut Lowering, call: &Call, first: &PerImage) -> Lowered {
    const NO_PLACE: &str = "joins image indices with something that is not a position";
    let shape = &first.each.shape;
    let counts = first.stride == 1 && first.each.whole()?.iter().all(|&number| number == 0);
    let last = axis(call.int_or("axis", 0)?, shape.len())? == shape.len() - 1;
    let in_front = matches!(call.input(0), Value::PerImage(p) if p.stride == 1);
    if !counts || !last || !in_front || shape.len() < 2 || shape.last() != Some(&1) {
        return unsupported(NO_PLACE);
    }
    let mut coordinates = vec![first.each.counts()?];
    for input in &call.inputs[1..] {
        match input {
            Value::PerImage(PerImage { stride: 0, each }) if each.shape == *shape => coordinates.push(each.counts()?),
            _ => return unsupported(NO_PLACE),
        }
    }
    let (count, depth) = (first.each.len(), coordinates.len());
    lo.charge(count.saturating_mul(depth))?;
    let mut shape = shape.clone();
    let end = shape.len() - 1;
    shape[end] = depth;
    size_of(&shape)?;
    let entries = (0..count).flat_map(|entry| coordinates.iter().map(move |c| c[entry])).collect();
    Ok(vec![Value::Places(Rc::new(Known::ints(shape, entries)))])
}

/// From a flat tensor, the same entries of every image.
fn gathered(lo: &mut Lowering, call: &Call, indices: &PerImage) -> Lowered {
    let x = lo.value(call, 0)?;
    let size = match lo.shape(x)[..] {
        [Dim::Batch(size)] if axis(call.int_or("axis", 0)?, 1)? == 0 && indices.stride == size as i64 => size,
        _ => return unsupported("gathers by image index from a tensor with more than one axis"),
    };
    let each = indices.each.whole()?.iter().map(|&i| position(i, size)).collect::<Lowered<Vec<_>>>()?;
    let whole = each.len() == size && each.iter().enumerate().all(|(i, &index)| i == index);
    let mut y = lo.reshape(call, x, vec![Dim::Batch(1), Dim::Fixed(size)])?;
    if !whole {
        y = lo.push(call, Op::Gather { axis: 1, indices: each }, &[y])?;
    }
    let shape = [Dim::Batch(1)].into_iter().chain(shape::fixed(&indices.each.shape[1..])).collect();
    Ok(one(lo.reshape(call, y, shape)?))
}

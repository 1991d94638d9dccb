//! Tensors written over parts of others: how exporters write assignments to slices.

use std::ops::Range;
use std::rc::Rc;

use eagleeye_graph::{Binary, Dim, Op, Unary, ValueId};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::position;
use crate::import::known::{Known, positions, size_of};
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[Operator {
    name: "ScatterND",
    becomes: "mul and add with constant updates, else slice, cat and gather; constant positions",
    lower: scatter,
}];

fn scatter(lo: &mut Lowering, call: &Call) -> Lowered {
    if !matches!(call.text("reduction")?, "" | "none") {
        return unsupported("with a reduction");
    }
    match (call.input(1), call.input(2)) {
        (Value::Places(places), _) => box_written(lo, call, places),
        (_, Value::Graph(_)) => slices_written(lo, call),
        _ => constants_written(lo, call),
    }
}

/// Whole slices along the first axis replaced by others: those of both tensors, each taken from where it is.
fn slices_written(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, updates, indices) = (lo.value(call, 0)?, lo.value(call, 2)?, lo.known(call, 1)?);
    let [count, 1] = indices.shape[..] else {
        return unsupported("writes activations at positions along several axes");
    };
    let size = lo.fixed(x, 0)?;
    lo.charge(size)?;
    let mut sources: Vec<usize> = (0..size).collect();
    for (update, &index) in indices.whole()?.iter().enumerate() {
        sources[position(index, size)?] = size + update;
    }
    // A constant under an activation is repeated over the batch.
    let mut shape = lo.shape(updates).clone();
    if shape.first() != Some(&Dim::Fixed(count)) {
        return invalid("does not have one update per index");
    }
    shape[0] = Dim::Fixed(size);
    let x = if *lo.shape(x) == shape { x } else { lo.push(call, Op::Expand { shape }, &[x])? };
    let both = lo.push(call, Op::Cat { axis: 0 }, &[x, updates])?;
    lo.emit(call, Op::Gather { axis: 0, indices: sources }, &[both])
}

/// Constants written over some entries: a range of slices set to one number, or `x * kept + updates`.
fn constants_written(lo: &mut Lowering, call: &Call) -> Lowered {
    let (indices, updates) = (lo.known(call, 1)?, lo.known(call, 2)?);
    let present = lo.merged_number(call.input(0));
    if present.is_some() && present == updates.uniform() {
        return Ok(vec![call.input(0).clone()]);
    }
    let x = lo.value(call, 0)?;
    if let (Some(range), Some(number)) = (consecutive(&indices), updates.uniform()) {
        return filled(lo, call, x, range, number);
    }
    let sizes = (0..lo.rank(x)).map(|axis| lo.fixed(x, axis)).collect::<Lowered<Vec<_>>>()?;
    let count = size_of(&sizes)?;
    let places = super::folded::scatter_places(&sizes, &indices, &updates)?;
    lo.charge(count)?;
    let (mut kept, mut written) = (vec![1.0; count], vec![0.0; count]);
    for (place, update) in places.into_iter().zip(updates.numbers()?) {
        kept[place] = 0.0;
        written[place] = update;
    }
    let nothing = written.iter().all(|&v| v == 0.0);
    let kept = lo.constant(&format!("{}.kept", call.name), &Rc::new(Known::floats(sizes.clone(), kept, false)))?;
    let y = lo.binary(call, Binary::Mul, x, kept)?;
    if nothing {
        return Ok(one(y));
    }
    let written = Rc::new(Known::floats(sizes, written, updates.double));
    let written = lo.constant(&format!("{}.written", call.name), &written)?;
    Ok(one(lo.binary(call, Binary::Add, y, written)?))
}

/// The range along the first axis that indices name one by one.
fn consecutive(indices: &Known) -> Option<Range<usize>> {
    let [_, 1] = indices.shape[..] else { return None };
    let whole = indices.whole().ok()?;
    let start = usize::try_from(*whole.first()?).ok()?;
    let in_order = whole.iter().zip(start..).all(|(&found, expected)| usize::try_from(found) == Ok(expected));
    in_order.then(|| start..start + whole.len())
}

/// A range of slices of a tensor set to one number: no constant takes part, of which the file knows nothing.
fn filled(lo: &mut Lowering, call: &Call, x: ValueId, range: Range<usize>, number: f64) -> Lowered {
    let size = lo.fixed(x, 0)?;
    if range.end > size {
        return invalid(format!("writes to {range:?} of an axis of {size}"));
    }
    let mut parts = Vec::with_capacity(3);
    for Range { start, end } in [0..range.start, range.clone(), range.end..size] {
        if start == end {
            continue;
        }
        let mut part = lo.push(call, Op::Slice { axis: 0, start, end, step: 1 }, &[x])?;
        if start == range.start {
            part = lo.unary(call, Unary::MulScalar(0.0), part)?;
            part = if number == 0.0 { part } else { lo.unary(call, Unary::AddScalar(number), part)? };
        }
        parts.push(part);
    }
    lo.emit(call, Op::Cat { axis: 0 }, &parts)
}

/// A box of every image replaced by another tensor, from the places of all of its entries.
fn box_written(lo: &mut Lowering, call: &Call, places: &Known) -> Lowered {
    let (x, updates) = (lo.value(call, 0)?, lo.value(call, 2)?);
    let ranges = ranges(places)?;
    if lo.rank(x) <= ranges.len() {
        return invalid("has positions with more axes than the tensor");
    }
    let mut replaced = lo.shape(x).clone();
    for (axis, range) in ranges.iter().enumerate() {
        let size = lo.fixed(x, axis + 1)?;
        if range.end > size {
            return invalid(format!("writes to {range:?} of an axis of {size}"));
        }
        replaced[axis + 1] = Dim::Fixed(range.len());
    }
    if *lo.shape(updates) != replaced {
        return invalid("has updates that do not match their positions");
    }
    Ok(one(boxed(lo, call, x, updates, &ranges, 1)?))
}

/// `x` with `updates` in the box of these ranges, the first of them along `axis`: what is before, inside and behind, joined.
fn boxed(
    lo: &mut Lowering,
    call: &Call,
    x: ValueId,
    updates: ValueId,
    ranges: &[Range<usize>],
    axis: usize,
) -> Lowered<ValueId> {
    let Some((range, rest)) = ranges.split_first() else {
        return Ok(updates);
    };
    let size = lo.fixed(x, axis)?;
    let part = |lo: &mut Lowering, part: Range<usize>| {
        let Range { start, end } = part;
        if (start, end) == (0, size) { Ok(x) } else { lo.push(call, Op::Slice { axis, start, end, step: 1 }, &[x]) }
    };
    let mut parts = Vec::with_capacity(3);
    if range.start > 0 {
        parts.push(part(lo, 0..range.start)?);
    }
    let inside = if rest.is_empty() { updates } else { part(lo, range.clone())? };
    parts.push(boxed(lo, call, inside, updates, rest, axis + 1)?);
    if range.end < size {
        parts.push(part(lo, range.end..size)?);
    }
    match parts[..] {
        [whole] => Ok(whole),
        _ => lo.push(call, Op::Cat { axis }, &parts),
    }
}

/// The range along every axis behind the batch, where the places `[1, sizes..., axes]` are those of a box without gaps.
fn ranges(places: &Known) -> Lowered<Vec<Range<usize>>> {
    let Some((&depth, grid)) = places.shape.split_last() else {
        return invalid("has no positions");
    };
    let whole = places.whole()?;
    if grid.len() != depth || whole.is_empty() {
        return unsupported("positions that do not form a box");
    }
    let starts = whole[1..depth].iter().map(|&start| usize::try_from(start).ok()).collect::<Option<Vec<_>>>();
    let Some(starts) = starts else {
        return unsupported("positions that are counted from the end");
    };
    let range = |(&start, &size): (&usize, &usize)| start..start.saturating_add(size);
    let ranges: Vec<Range<usize>> = starts.iter().zip(&grid[1..]).map(range).collect();
    for (axis, range) in ranges.iter().enumerate() {
        let offsets = positions(grid, |a, index| if a == axis + 1 { index } else { 0 });
        let found = whole.iter().skip(axis + 1).step_by(depth);
        let is_box =
            |(&place, &offset): (&i64, &usize)| usize::try_from(place).is_ok_and(|p| p == range.start + offset);
        if !found.zip(&offsets).all(is_box) {
            return unsupported("positions that do not form a box");
        }
    }
    Ok(ranges)
}

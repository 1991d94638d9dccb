//! Taking tensors apart and putting them together.

use eagleeye_graph::reading::Made;
use eagleeye_graph::{Count, Dim, Op, Shape, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axis, bounds, position, size};
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "Concat", becomes: "cat; not along the batch axis", lower: concat },
    Operator { name: "Split", becomes: "split; not along the batch axis", lower: split },
    Operator { name: "Slice", becomes: "slice or gather with constant bounds; not along the batch axis", lower: slice },
    Operator {
        name: "Gather",
        becomes: "slice or gather with constant indices; not along the batch axis",
        lower: gather,
    },
    Operator { name: "GatherND", becomes: "reshape and gather with constant indices", lower: gather_nd },
];

fn concat(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut values = Vec::with_capacity(call.inputs.len());
    for index in 0..call.inputs.len() {
        let empty = matches!(call.input(index), Value::Known(known) if known.len() == 0);
        if !empty {
            values.push(lo.value(call, index)?);
        }
    }
    let Some(&first) = values.first() else {
        return invalid("joins no tensors");
    };
    let Some(given) = call.optional_int("axis")? else {
        return invalid("does not give an axis");
    };
    let axis = axis(given, lo.rank(first))?;
    if values.len() == 1 {
        return Ok(one(first));
    }
    let parts = over_batch(lo, call, values, axis)?;
    lo.emit(call, Op::Cat { axis }, &parts)
}

/// Tensors that do not depend on the batch are repeated over it where their neighbours do.
fn over_batch(lo: &mut Lowering, call: &Call, values: Vec<ValueId>, axis: usize) -> Lowered<Vec<ValueId>> {
    let position = |shape: &Shape| shape.iter().position(|d| matches!(d, Dim::Batch(_)));
    let batched = values.iter().find_map(|&v| position(lo.shape(v)).map(|a| (lo.shape(v)[a], a)));
    let Some((Dim::Batch(1), batch_axis)) = batched.filter(|&(_, a)| a != axis) else {
        return Ok(values);
    };
    let mut repeated = Vec::with_capacity(values.len());
    for value in values {
        let source = unrepeated(lo, value, batch_axis);
        let mut shape = lo.shape(source).clone();
        let repeat = shape.get(batch_axis) == Some(&Dim::Fixed(1));
        repeated.push(if repeat {
            shape[batch_axis] = Dim::Batch(1);
            lo.push(call, Op::Expand { shape }, &[source])?
        } else {
            value
        });
    }
    Ok(repeated)
}

/// What was repeated to the batch that an exporter wrote into the file.
fn unrepeated(lo: &Lowering, value: ValueId, batch_axis: usize) -> ValueId {
    match (lo.made_by(value), lo.written_batch) {
        (Some(Made { op: Op::Expand { shape }, inputs }), Some(written))
            if shape.get(batch_axis) == Some(&Dim::Fixed(written)) && lo.rank(inputs[0]) == shape.len() =>
        {
            let mut once = shape.clone();
            once[batch_axis] = Dim::Fixed(1);
            if *lo.shape(inputs[0]) == once { inputs[0] } else { value }
        }
        _ => value,
    }
}

fn split(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let axis = axis(call.int_or("axis", 0)?, lo.rank(x))?;
    let whole = lo.fixed(x, axis)?;
    let sizes = match lo.ints(call, 1, "split")? {
        Some(given) => given.iter().map(|&s| size(s, "a part")).collect::<Lowered<Vec<_>>>()?,
        None => {
            let parts = size(call.int_or("num_outputs", call.outputs as i64)?, "num_outputs")?;
            if parts != call.outputs || parts == 0 {
                return invalid(format!("makes {parts} parts, but has {} outputs", call.outputs));
            }
            let each = whole.div_ceil(parts);
            (0..parts).map(|i| each.min(whole.saturating_sub(i * each))).collect()
        }
    };
    if sizes.len() != call.outputs {
        return invalid(format!("makes {} parts, but has {} outputs", sizes.len(), call.outputs));
    }
    if sizes == [whole] {
        return Ok(one(x));
    }
    let parts = lo.draft.builder.node(&call.name, Op::Split { axis, sizes }, &[x])?;
    Ok(parts.into_iter().map(Value::Graph).collect())
}

/// Start, end and step along one axis.
struct Range {
    axis: usize,
    start: Count,
    end: Count,
    step: i64,
}

fn slice(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut x = lo.value(call, 0)?;
    for range in ranges(lo, call, lo.rank(x))? {
        x = sliced(lo, call, x, &range)?;
    }
    Ok(one(x))
}

/// From attributes before operator set 10, from inputs since.
fn ranges(lo: &mut Lowering, call: &Call, rank: usize) -> Lowered<Vec<Range>> {
    let mut list = |index: usize, attribute: &str| -> Lowered<Option<Vec<Count>>> {
        match lo.optional_known(call, index)? {
            Some(known) => known.counts().map(Some),
            None => Ok(call.ints(attribute)?.map(|v| v.into_iter().map(Count::fixed).collect())),
        }
    };
    let (starts, ends) = (list(1, "starts")?.unwrap_or_default(), list(2, "ends")?.unwrap_or_default());
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).map(Count::fixed).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![Count::fixed(1); starts.len()]);
    if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
        return invalid("starts, ends, axes and steps differ in length");
    }
    let known = |count: Count| count.known().map_or_else(|| unsupported("depends on the batch size"), Ok);
    let parts = starts.into_iter().zip(ends).zip(axes).zip(steps);
    let range =
        |(((start, end), along), step)| Ok(Range { axis: axis(known(along)?, rank)?, start, end, step: known(step)? });
    parts.map(range).collect()
}

fn sliced(lo: &mut Lowering, call: &Call, x: ValueId, range: &Range) -> Lowered<ValueId> {
    let axis = range.axis;
    let size = match lo.shape(x)[axis] {
        Dim::Fixed(size) => size,
        // All of the batch, up to its own size or to any number that is meant as the end.
        own @ Dim::Batch(_) => {
            let whole = Count::of(own);
            let to_end = range.end == whole || range.end.known().is_some_and(|end| end >= i64::from(i32::MAX));
            return if range.step == 1 && range.start == Count::fixed(0) && to_end {
                Ok(x)
            } else {
                unsupported("slices the batch")
            };
        }
    };
    let (Some(start), Some(end)) = (range.start.known(), range.end.known()) else {
        return unsupported("bounds that depend on the batch size");
    };
    let (start, count) = bounds(start, end, range.step, size)?;
    if range.step == 1 {
        return if count == size {
            Ok(x)
        } else {
            lo.push(call, Op::Slice { axis, start, end: start + count, step: 1 }, &[x])
        };
    }
    lo.charge(count)?;
    let indices: Vec<usize> = (0..count as i64).map(|i| (start as i64 + i * range.step) as usize).collect();
    match usize::try_from(range.step) {
        Ok(step) => lo.push(call, Op::Slice { axis, start, end: indices.last().map_or(start, |&i| i + 1), step }, &[x]),
        Err(_) => lo.push(call, Op::Gather { axis, indices }, &[x]),
    }
}

fn gather(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let axis = axis(call.int_or("axis", 0)?, lo.rank(x))?;
    let size = lo.fixed(x, axis)?;
    let known = lo.known(call, 1)?;
    let indices = known.whole()?.iter().map(|&i| position(i, size)).collect::<Lowered<Vec<_>>>()?;
    let mut shape = lo.shape(x).clone();
    shape.splice(axis..=axis, shape::fixed(&known.shape));
    let whole = indices.len() == size && indices.iter().enumerate().all(|(i, &index)| i == index);
    let y = match indices[..] {
        _ if whole => x,
        [start] => lo.push(call, Op::Slice { axis, start, end: start + 1, step: 1 }, &[x])?,
        _ => {
            lo.charge(indices.len())?;
            lo.push(call, Op::Gather { axis, indices }, &[x])?
        }
    };
    Ok(one(lo.reshape(call, y, shape)?))
}

/// Whole slices at places of the first axes, which may not be the batch: those axes become one.
fn gather_nd(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let known = lo.known(call, 1)?;
    if call.int_or("batch_dims", 0)? != 0 {
        return unsupported("with batch dimensions");
    }
    let depth = known.shape.last().copied().unwrap_or(0).min(lo.rank(x));
    let axes = (0..depth).map(|axis| lo.fixed(x, axis)).collect::<Lowered<Vec<_>>>()?;
    let (indices, _) = super::folded::slices(&axes, &known)?;
    lo.charge(indices.len())?;
    let rest = lo.shape(x)[depth..].to_vec();
    let one_axis = [Dim::Fixed(axes.iter().product())].into_iter().chain(rest.iter().copied()).collect();
    let x = lo.reshape(call, x, one_axis)?;
    let y = lo.push(call, Op::Gather { axis: 0, indices }, &[x])?;
    let mut shape = shape::fixed(&known.shape[..known.shape.len().saturating_sub(1)]);
    shape.extend(rest);
    Ok(one(lo.reshape(call, y, shape)?))
}

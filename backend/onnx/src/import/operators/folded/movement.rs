//! Operators that move entries: each says where every entry of its result comes from.

use std::rc::Rc;

use eagleeye_graph::Count;

use super::{Fold, Inputs, sizes};
use crate::import::call::{Call, Lowered, Value, constant};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axes, axis, bounds, new_axes, position, size};
use crate::import::known::{Entries, Known, WholeType, broadcast, broadcast_positions, positions, size_of, strides};
use crate::import::lowering::Lowering;

pub(super) const OPERATORS: &[(&str, Fold)] = &[
    ("Identity", |_, call, _| Ok(vec![call.input(0).clone()])),
    ("Reshape", reshape),
    ("Flatten", flatten),
    ("Squeeze", squeeze),
    ("Unsqueeze", unsqueeze),
    ("Transpose", transpose),
    ("Expand", expand),
    ("Tile", tile),
    ("Concat", concat),
    ("Split", split),
    ("Slice", slice),
    ("Gather", gather),
    ("Pad", pad),
    ("Trilu", triangle),
];

fn view(x: &Known, shape: Vec<usize>) -> Lowered {
    if size_of(&shape)? != x.len() {
        return invalid(format!("cannot view {:?} as {shape:?}", x.shape));
    }
    Ok(constant(x.reshaped(shape)))
}

fn reshape(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let keep_zero = !call.flag("allowzero")?;
    let mut shape = inputs.get(1)?.whole()?;
    for (axis, size) in shape.iter_mut().enumerate().filter(|(_, s)| **s == 0 && keep_zero) {
        *size = x.shape.get(axis).map_or(0, |&s| s as i64);
    }
    let given = shape.iter().filter(|&&s| s != -1).try_fold(1i64, |all, &s| all.checked_mul(s));
    let given = given.filter(|&g| g >= 0);
    if let Some(rest) = shape.iter().position(|&s| s == -1) {
        shape[rest] = given.and_then(|g| (x.len() as i64).checked_div(g)).unwrap_or(-1);
    }
    view(x, sizes(&shape.into_iter().map(Count::fixed).collect::<Vec<_>>())?)
}

fn flatten(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let rank = x.shape.len();
    let given = call.int_or("axis", 1)?;
    let axis = if given == rank as i64 { rank } else { axis(given, rank)? };
    view(x, vec![x.shape[..axis].iter().product(), x.shape[axis..].iter().product()])
}

fn squeeze(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let gone = match lo.ints(call, 1, "axes")? {
        Some(given) => axes(&given, x.shape.len())?,
        None => (0..x.shape.len()).filter(|&axis| x.shape[axis] == 1).collect(),
    };
    view(x, x.shape.iter().enumerate().filter(|(axis, _)| !gone.contains(axis)).map(|(_, &s)| s).collect())
}

fn unsqueeze(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let given = lo.ints(call, 1, "axes")?.unwrap_or_default();
    let mut shape = x.shape.clone();
    for axis in new_axes(&given, shape.len())? {
        shape.insert(axis, 1);
    }
    view(x, shape)
}

/// The tensor of `shape` whose entries come from positions that are sums over the axes.
fn moved(lo: &mut Lowering, x: &Known, shape: Vec<usize>, offset: impl Fn(usize, usize) -> usize) -> Lowered {
    lo.charge(size_of(&shape)?)?;
    let places = positions(&shape, offset);
    Ok(constant(x.take(shape, &places)))
}

fn transpose(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    let rank = x.shape.len();
    let order = match call.ints("perm")? {
        Some(perm) => perm.iter().map(|&a| axis(a, rank)).collect::<Lowered<Vec<_>>>()?,
        None => (0..rank).rev().collect(),
    };
    let mut seen = order.clone();
    seen.sort_unstable();
    if seen != (0..rank).collect::<Vec<_>>() {
        return invalid(format!("the order {order:?} does not name every axis once"));
    }
    let strides = strides(&x.shape);
    moved(lo, x, order.iter().map(|&a| x.shape[a]).collect(), |axis, index| index * strides[order[axis]])
}

fn expand(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (x, target) = (inputs.get(0)?, inputs.get(1)?.counts()?);
    let shape = broadcast(&x.shape, &sizes(&target)?)?;
    lo.charge(size_of(&shape)?)?;
    let places = broadcast_positions(&x.shape, &shape);
    Ok(constant(x.take(shape, &places)))
}

fn tile(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (x, repeats) = (inputs.get(0)?, sizes(&inputs.get(1)?.counts()?)?);
    if repeats.len() != x.shape.len() {
        return invalid(format!("has {} repeats for a tensor of rank {}", repeats.len(), x.shape.len()));
    }
    let strides = strides(&x.shape);
    let shape = x.shape.iter().zip(&repeats).map(|(&s, &r)| s.saturating_mul(r)).collect();
    moved(lo, x, shape, |axis, index| index % x.shape[axis] * strides[axis])
}

fn concat(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let parts: Vec<&Known> = inputs.all().collect();
    let Some(first) = parts.first() else {
        return invalid("joins no tensors");
    };
    let axis = axis(call.int_or("axis", 0)?, first.shape.len())?;
    let mut shape = first.shape.clone();
    shape[axis] = 0;
    for part in &parts {
        let fits =
            part.shape.len() == shape.len() && (0..shape.len()).all(|a| a == axis || part.shape[a] == first.shape[a]);
        if !fits {
            return invalid(format!("cannot join {:?} to {:?}", part.shape, first.shape));
        }
        shape[axis] = shape[axis].saturating_add(part.shape[axis]);
    }
    lo.charge(size_of(&shape)?)?;
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let mut joined = Joined::like(&parts);
    let filled: Vec<&&Known> = parts.iter().filter(|part| part.len() > 0).collect();
    for block in 0..outer {
        for part in &filled {
            let length = part.shape[axis] * inner;
            joined.append(part, block * length..(block + 1) * length)?;
        }
    }
    Ok(constant(joined.finish(shape)))
}

/// Entries of several tensors behind each other.
enum Joined {
    Float(Vec<f64>, bool),
    Int(Vec<Count>, WholeType),
    Bool(Vec<bool>),
}

impl Joined {
    fn like(parts: &[&Known]) -> Self {
        // Empty lists are written with any type.
        let parts = || parts.iter().filter(|p| p.len() > 0);
        if parts().any(|p| p.is_float()) {
            return Self::Float(Vec::new(), parts().any(|p| p.double));
        }
        let bools = parts().all(|p| matches!(p.entries, Entries::Bool(_)));
        let whole_type = parts().next().map_or(WholeType::I64, |p| p.whole_type);
        if bools { Self::Bool(Vec::new()) } else { Self::Int(Vec::new(), whole_type) }
    }

    fn append(&mut self, part: &Known, range: std::ops::Range<usize>) -> Lowered<()> {
        match (self, &part.entries) {
            (Self::Float(all, _), Entries::Float(entries)) => all.extend(&entries[range]),
            (Self::Int(all, _), Entries::Int(entries)) => all.extend(&entries[range]),
            (Self::Bool(all), Entries::Bool(entries)) => all.extend(&entries[range]),
            _ => return invalid("joins tensors of different types"),
        }
        Ok(())
    }

    fn finish(self, shape: Vec<usize>) -> Known {
        match self {
            Self::Float(entries, double) => Known::floats(shape, entries, double),
            Self::Int(entries, whole_type) => Known { whole_type, ..Known::ints(shape, entries) },
            Self::Bool(entries) => Known::bools(shape, entries),
        }
    }
}

/// Some indices along one axis.
fn taken(lo: &mut Lowering, x: &Known, axis: usize, indices: &[usize]) -> Lowered<Known> {
    let strides = strides(&x.shape);
    let mut shape = x.shape.clone();
    shape[axis] = indices.len();
    lo.charge(size_of(&shape)?)?;
    let places = positions(&shape, |a, index| if a == axis { indices[index] * strides[a] } else { index * strides[a] });
    Ok(x.take(shape, &places))
}

fn split(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    let axis = axis(call.int_or("axis", 0)?, x.shape.len())?;
    let whole = x.shape[axis];
    let parts = match lo.ints(call, 1, "split")? {
        Some(given) => given.iter().map(|&s| size(s, "a part")).collect::<Lowered<Vec<_>>>()?,
        None => {
            let each = whole.div_ceil(call.outputs.max(1));
            (0..call.outputs).map(|i| each.min(whole.saturating_sub(i * each))).collect()
        }
    };
    if parts.iter().fold(0usize, |all, &part| all.saturating_add(part)) != whole {
        return invalid(format!("the parts {parts:?} do not add up to an axis of {whole}"));
    }
    let mut outputs = Vec::with_capacity(parts.len());
    let mut start = 0;
    for part in parts {
        let indices: Vec<usize> = (start..start + part).collect();
        outputs.push(Value::Known(Rc::new(taken(lo, x, axis, &indices)?)));
        start += part;
    }
    Ok(outputs)
}

fn slice(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let mut x = inputs.get(0)?.clone();
    let list = |index: usize, attribute: &str| match inputs.optional(index) {
        Some(known) => known.whole().map(Some),
        None => call.ints(attribute),
    };
    let (starts, ends) = (list(1, "starts")?.unwrap_or_default(), list(2, "ends")?.unwrap_or_default());
    let along = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), along.len(), steps.len()] != [starts.len(); 3] {
        return invalid("starts, ends, axes and steps differ in length");
    }
    for (((start, end), along), step) in starts.into_iter().zip(ends).zip(along).zip(steps) {
        let axis = axis(along, x.shape.len())?;
        let (first, count) = bounds(start, end, step, x.shape[axis])?;
        let indices: Vec<usize> = (0..count as i64).map(|i| (first as i64 + i * step) as usize).collect();
        x = taken(lo, &x, axis, &indices)?;
    }
    Ok(constant(x))
}

fn gather(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
    let axis = axis(call.int_or("axis", 0)?, x.shape.len())?;
    let positions = indices.whole()?.iter().map(|&i| position(i, x.shape[axis])).collect::<Lowered<Vec<_>>>()?;
    let y = taken(lo, x, axis, &positions)?;
    let mut shape = y.shape.clone();
    shape.splice(axis..=axis, indices.shape.iter().copied());
    Ok(constant(y.reshaped(shape)))
}

fn pad(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    let rank = x.shape.len();
    let pads = lo.ints(call, 1, "pads")?.unwrap_or_default();
    if !matches!(call.text("mode")?, "" | "constant") || inputs.optional(3).is_some() || pads.len() != 2 * rank {
        return unsupported("pads a constant with this mode or these axes");
    }
    let filling = inputs.optional(2).filter(|f| f.len() == 1);
    let grown = |axis: usize| {
        let size = (x.shape[axis] as i64).checked_add(pads[axis])?.checked_add(pads[rank + axis])?;
        usize::try_from(size).ok()
    };
    let Some(shape) = (0..rank).map(grown).collect::<Option<Vec<_>>>() else {
        return invalid(format!("the pads {pads:?} do not fit the shape {:?}", x.shape));
    };
    lo.charge(size_of(&shape)?)?;
    // One more entry, the filling, stands behind those of the tensor.
    let strides = strides(&x.shape);
    let outside = x.len();
    let places = positions(&shape, |axis, index| {
        let own = (index as i64).checked_sub(pads[axis]).and_then(|i| usize::try_from(i).ok());
        let own = own.filter(|&i| i < x.shape[axis]);
        own.map_or(OUTSIDE, |i| i * strides[axis])
    });
    let places: Vec<usize> = places.into_iter().map(|p| p.min(outside)).collect();
    let filled = with_filling(x, filling)?;
    Ok(constant(filled.take(shape, &places)))
}

/// Larger than any position; sums of a few do not overflow.
const OUTSIDE: usize = 1 << 56;

fn with_filling(x: &Known, filling: Option<&Known>) -> Lowered<Known> {
    let number = filling.map_or(Some(0.0), Known::number);
    let Some(number) = number else {
        return unsupported("pads with a number that depends on the batch size");
    };
    let mut y = Known { shape: vec![x.len() + 1], ..x.clone() };
    match &mut y.entries {
        Entries::Float(entries) => entries.push(number),
        Entries::Int(entries) => entries.push(Count::fixed(number as i64)),
        Entries::Bool(entries) => entries.push(number != 0.0),
    }
    Ok(y)
}

/// The upper or lower triangle of matrices, zero elsewhere.
fn triangle(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    let [.., rows, columns] = x.shape[..] else {
        return invalid("needs a tensor of rank 2 or more");
    };
    let diagonal = inputs.optional(1).map_or(Some(0.0), Known::number).unwrap_or_default() as i64;
    let upper = call.int_or("upper", 1)? != 0;
    lo.charge(x.len())?;
    let places: Vec<usize> = (0..x.len())
        .map(|p| {
            let (row, column) = ((p / columns % rows) as i64, (p % columns) as i64);
            let distance = (column - row).saturating_sub(diagonal);
            let inside = if upper { distance >= 0 } else { distance <= 0 };
            if inside { p } else { x.len() }
        })
        .collect();
    Ok(constant(with_filling(x, None)?.take(x.shape.clone(), &places)))
}

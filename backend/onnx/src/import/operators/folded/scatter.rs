//! Reading and writing known tensors at computed places: how exporters write assignments to slices.

use super::{Fold, Inputs};
use crate::import::call::{Call, Lowered, constant};
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axis, position};
use crate::import::known::{Entries, Known, positions, size_of, strides};
use crate::import::lowering::Lowering;

pub(super) const OPERATORS: &[(&str, Fold)] = &[
    ("ScatterND", scatter_nd),
    ("ScatterElements", scatter_elements),
    ("GatherND", gather_nd),
    ("GatherElements", gather_elements),
];

/// First positions in a tensor that the last axis of `indices` names, and how many entries each of them starts.
pub(in crate::import::operators) fn slices(shape: &[usize], indices: &Known) -> Lowered<(Vec<usize>, usize)> {
    let depth = indices.shape.last().copied().unwrap_or(0);
    if depth == 0 || depth > shape.len() {
        return invalid(format!("indices of {depth} axes into a tensor of rank {}", shape.len()));
    }
    let strides = strides(shape);
    let whole = indices.whole()?;
    let start = |index: &[i64]| {
        let offsets = index.iter().enumerate().map(|(a, &i)| Ok(position(i, shape[a])? * strides[a]));
        offsets.sum::<Lowered<usize>>()
    };
    let starts = whole.chunks(depth).map(start).collect::<Lowered<_>>()?;
    Ok((starts, shape[depth..].iter().product()))
}

fn scatter_nd(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (x, indices, updates) = (inputs.get(0)?, inputs.get(1)?, inputs.get(2)?);
    if !matches!(call.text("reduction")?, "" | "none") {
        return unsupported("with a reduction");
    }
    let places = scatter_places(&x.shape, indices, updates)?;
    written(lo, x, &places, updates)
}

/// Where in a tensor of this shape each update of a `ScatterND` goes.
pub(in crate::import::operators) fn scatter_places(
    shape: &[usize],
    indices: &Known,
    updates: &Known,
) -> Lowered<Vec<usize>> {
    let (starts, length) = slices(shape, indices)?;
    if starts.len().checked_mul(length) != Some(updates.len()) {
        return invalid(format!("writes {} entries to {} positions of {length}", updates.len(), starts.len()));
    }
    Ok(starts.iter().flat_map(|&start| start..start + length).collect())
}

fn scatter_elements(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (x, updates) = (inputs.get(0)?, inputs.get(2)?);
    if !matches!(call.text("reduction")?, "" | "none") {
        return unsupported("with a reduction");
    }
    let places = elements(call, x, inputs.get(1)?)?;
    if places.len() != updates.len() {
        return invalid(format!("writes {} entries to {} positions", updates.len(), places.len()));
    }
    written(lo, x, &places, updates)
}

/// Positions in `x` that indices along one axis name.
fn elements(call: &Call, x: &Known, indices: &Known) -> Lowered<Vec<usize>> {
    let along = axis(call.int_or("axis", 0)?, x.shape.len())?;
    let fits = indices.shape.len() == x.shape.len()
        && indices.shape.iter().zip(&x.shape).enumerate().all(|(a, (i, s))| a == along || i <= s);
    if !fits {
        return invalid(format!("the indices {:?} do not fit the tensor {:?}", indices.shape, x.shape));
    }
    let strides = strides(&x.shape);
    let others = positions(&indices.shape, |a, index| if a == along { 0 } else { index * strides[a] });
    let place = |(&other, &index): (&usize, &i64)| Ok(other + position(index, x.shape[along])? * strides[along]);
    others.iter().zip(&indices.whole()?).map(place).collect()
}

fn written(lo: &mut Lowering, x: &Known, places: &[usize], updates: &Known) -> Lowered {
    lo.charge(x.len() + places.len())?;
    let mut y = x.clone();
    fn write<T: Copy>(entries: &mut [T], places: &[usize], updates: &[T]) {
        for (&place, &update) in places.iter().zip(updates) {
            entries[place] = update;
        }
    }
    match &mut y.entries {
        Entries::Float(entries) => write(entries, places, &updates.numbers()?),
        Entries::Int(entries) => write(entries, places, &updates.counts()?),
        Entries::Bool(entries) => write(entries, places, &updates.truths()?),
    }
    Ok(constant(y))
}

fn gather_nd(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
    if call.int_or("batch_dims", 0)? != 0 {
        return unsupported("with batch dimensions");
    }
    let (starts, length) = slices(&x.shape, indices)?;
    let depth = indices.shape.last().copied().unwrap_or(0);
    let shape: Vec<usize> = indices.shape[..indices.shape.len() - 1].iter().chain(&x.shape[depth..]).copied().collect();
    lo.charge(size_of(&shape)?)?;
    let places: Vec<usize> = starts.iter().flat_map(|&start| start..start + length).collect();
    Ok(constant(x.take(shape, &places)))
}

fn gather_elements(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let (x, indices) = (inputs.get(0)?, inputs.get(1)?);
    lo.charge(indices.len())?;
    let places = elements(call, x, indices)?;
    Ok(constant(x.take(indices.shape.clone(), &places)))
}

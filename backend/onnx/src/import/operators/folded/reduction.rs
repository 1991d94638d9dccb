//! Reductions, running sums and small matrix products of known tensors.

use std::cmp::Ordering;
use std::rc::Rc;

use eagleeye_graph::Count;

use super::arithmetic::absolute;
use super::{Fold, Inputs};
use crate::import::call::{Call, Lowered, Value, constant};
use crate::import::extremes;
use crate::import::fault::{invalid, unsupported};
use crate::import::indices::{axes, axis};
use crate::import::known::{Entries, Known, MAX_KNOWN, broadcast, broadcast_positions, positions, size_of, strides};
use crate::import::lowering::Lowering;

pub(super) const OPERATORS: &[(&str, Fold)] = &[
    ("ReduceProd", |lo, call, inputs| reduced(lo, call, inputs, Count::multiply, |a, b| a * b, false)),
    ("ReduceSum", |lo, call, inputs| reduced(lo, call, inputs, Count::add, |a, b| a + b, false)),
    ("ReduceL1", |lo, call, inputs| {
        let x = mapped(inputs, absolute, f64::abs)?;
        reduced(lo, call, &x, Count::add, |a, b| a + b, false)
    }),
    ("ReduceSumSquare", sum_of_squares),
    ("ReduceL2", |lo, call, inputs| {
        let sums = sum_of_squares(lo, call, inputs)?;
        after(&sums, f64::sqrt)
    }),
    ("ReduceMean", |lo, call, inputs| reduced(lo, call, inputs, |_, _| None, |a, b| a + b, true)),
    ("ReduceMax", |lo, call, inputs| reduced(lo, call, inputs, larger, extremes::larger, false)),
    ("ReduceMin", |lo, call, inputs| reduced(lo, call, inputs, smaller, extremes::smaller, false)),
    ("ArgMax", |lo, call, inputs| place_of(lo, call, inputs, Ordering::Greater)),
    ("ArgMin", |lo, call, inputs| place_of(lo, call, inputs, Ordering::Less)),
    ("TopK", largest),
    ("CumSum", running_sum),
    ("MatMul", product),
    ("NonZero", non_zero),
];

fn larger(a: Count, b: Count) -> Option<Count> {
    a.order(b).map(|order| if order.is_gt() { a } else { b })
}

fn smaller(a: Count, b: Count) -> Option<Count> {
    a.order(b).map(|order| if order.is_lt() { a } else { b })
}

fn reduced(
    lo: &mut Lowering,
    call: &Call,
    inputs: &Inputs,
    whole: impl Fn(Count, Count) -> Option<Count>,
    float: impl Fn(f64, f64) -> f64,
    mean: bool,
) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let rank = x.shape.len();
    let given = lo.ints(call, 1, "axes")?.unwrap_or_default();
    if given.is_empty() && call.flag("noop_with_empty_axes")? {
        return Ok(constant(x.clone()));
    }
    let gone = if given.is_empty() { (0..rank).collect() } else { axes(&given, rank)? };
    if x.len() == 0 {
        return unsupported("on an empty tensor");
    }
    let ones: Vec<usize> = x.shape.iter().enumerate().map(|(a, &s)| if gone.contains(&a) { 1 } else { s }).collect();
    let target = strides(&ones);
    let places = positions(&x.shape, |a, index| if gone.contains(&a) { 0 } else { index * target[a] });
    let count = ones.iter().product::<usize>();
    let shape: Vec<usize> = if call.int_or("keepdims", 1)? != 0 {
        ones
    } else {
        x.shape.iter().enumerate().filter(|(a, _)| !gone.contains(a)).map(|(_, &s)| s).collect()
    };
    Ok(constant(match &x.entries {
        Entries::Float(entries) => {
            let mut sums = folded(count, &places, entries, |a, b| Some(float(a, b)))?;
            if mean {
                sums.iter_mut().for_each(|s| *s /= (x.len() / count) as f64);
            }
            Known::floats(shape, sums, x.double)
        }
        _ => Known::ints(shape, folded(count, &places, &x.counts()?, whole)?).in_type(x.whole_type)?,
    }))
}

fn folded<T: Copy>(count: usize, places: &[usize], entries: &[T], f: impl Fn(T, T) -> Option<T>) -> Lowered<Vec<T>> {
    let mut results: Vec<Option<T>> = vec![None; count];
    for (&place, &entry) in places.iter().zip(entries) {
        let so_far = results[place];
        let next = match so_far {
            None => Some(entry),
            Some(so_far) => f(so_far, entry),
        };
        if next.is_none() {
            return unsupported("a number that is too large or not linear in the batch");
        }
        results[place] = next;
    }
    results.into_iter().collect::<Option<Vec<_>>>().map_or_else(|| unsupported("on an empty tensor"), Ok)
}

fn running_sum(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let Some(&along) = inputs.get(1)?.whole()?.first() else {
        return invalid("does not give an axis");
    };
    let axis = axis(along, x.shape.len())?;
    let (exclusive, reverse) = (call.flag("exclusive")?, call.flag("reverse")?);
    let (stride, size) = (strides(&x.shape)[axis], x.shape[axis]);
    // Each entry with the one before it along the axis, in the order in which they are added up.
    let chain: Vec<(usize, Option<usize>)> = (0..x.len())
        .map(|p| if reverse { x.len() - 1 - p } else { p })
        .map(|p| match (p / stride % size, reverse) {
            (0, false) => (p, None),
            (_, false) => (p, Some(p - stride)),
            (index, true) => (p, (index + 1 < size).then_some(p + stride)),
        })
        .collect();
    Ok(constant(match &x.entries {
        Entries::Float(entries) => {
            let sums = added_up(&chain, entries, 0.0, exclusive, |a, b| Some(a + b));
            Known::floats(x.shape.clone(), sums.unwrap_or_default(), x.double)
        }
        _ => match added_up(&chain, &x.counts()?, Count::fixed(0), exclusive, Count::add) {
            Some(sums) => Known::ints(x.shape.clone(), sums).in_type(x.whole_type)?,
            None => return invalid("a sum that is too large"),
        },
    }))
}

fn added_up<T: Copy>(
    chain: &[(usize, Option<usize>)],
    entries: &[T],
    zero: T,
    exclusive: bool,
    add: impl Fn(T, T) -> Option<T>,
) -> Option<Vec<T>> {
    let mut sums = entries.to_vec();
    for &(place, before) in chain {
        sums[place] = match before {
            // What stands before, with or without the entry itself.
            Some(before) => add(sums[before], if exclusive { entries[before] } else { entries[place] })?,
            None if exclusive => zero,
            None => entries[place],
        };
    }
    Some(sums)
}

/// The first input with a function of each entry.
fn mapped(inputs: &Inputs, whole: fn(Count) -> Option<Count>, float: fn(f64) -> f64) -> Lowered<Inputs> {
    let x = inputs.get(0)?;
    let changed = match &x.entries {
        Entries::Float(entries) => {
            Known::floats(x.shape.clone(), entries.iter().map(|&v| float(v)).collect(), x.double)
        }
        _ => match x.counts()?.into_iter().map(whole).collect::<Option<Vec<_>>>() {
            Some(entries) => Known::ints(x.shape.clone(), entries).in_type(x.whole_type)?,
            None => return unsupported("a number that is too large or not linear in the batch"),
        },
    };
    Ok(inputs.with(0, changed))
}

fn sum_of_squares(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let squares = mapped(inputs, |count| count.multiply(count), |v| v * v)?;
    reduced(lo, call, &squares, Count::add, |a, b| a + b, false)
}

/// A function of each entry of the floats that a node has made.
fn after(made: &[Value], float: impl Fn(f64) -> f64) -> Lowered {
    match made.first() {
        Some(Value::Known(known)) if known.is_float() => {
            let entries = known.numbers()?.into_iter().map(float).collect();
            Ok(constant(Known::floats(known.shape.clone(), entries, known.double)))
        }
        _ => invalid("needs floats"),
    }
}

/// The lines of entries along an axis: each as the positions of its entries.
fn lines(shape: &[usize], axis: usize) -> Vec<Vec<usize>> {
    let stride = strides(shape)[axis];
    let ones: Vec<usize> = shape.iter().enumerate().map(|(a, &s)| if a == axis { 1 } else { s }).collect();
    let own = strides(shape);
    let starts = positions(&ones, |a, index| index * own[a]);
    starts.into_iter().map(|start| (0..shape[axis]).map(|index| start + index * stride).collect()).collect()
}

/// Where along an axis the largest or the smallest entry stands.
fn place_of(lo: &mut Lowering, call: &Call, inputs: &Inputs, wanted: Ordering) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let axis = axis(call.int_or("axis", 0)?, x.shape.len())?;
    if x.shape[axis] == 0 {
        return unsupported("on an empty tensor");
    }
    let last = call.flag("select_last_index")?;
    let numbers = x.numbers()?;
    let found = |line: Vec<usize>| {
        let mut best = 0;
        for index in 1..line.len() {
            let order = numbers[line[index]].total_cmp(&numbers[line[best]]);
            if order == wanted || (last && order.is_eq()) {
                best = index;
            }
        }
        Count::fixed(best as i64)
    };
    let places: Vec<Count> = lines(&x.shape, axis).into_iter().map(found).collect();
    let mut shape = x.shape.clone();
    shape[axis] = 1;
    if call.int_or("keepdims", 1)? == 0 {
        shape.remove(axis);
    }
    Ok(constant(Known::ints(shape, places)))
}

/// The largest or the smallest entries along an axis, in order, and where they stand.
fn largest(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let axis = axis(call.int_or("axis", -1)?, x.shape.len())?;
    let count = match inputs.optional(1) {
        Some(count) => count.whole()?.first().copied().unwrap_or(0),
        None => call.int_or("k", 0)?,
    };
    let count = usize::try_from(count).ok().filter(|&count| count <= x.shape[axis]);
    let Some(count) = count else {
        return invalid(format!("takes more entries than an axis of {} has", x.shape[axis]));
    };
    let numbers = x.numbers()?;
    let descending = call.int_or("largest", 1)? != 0;
    let mut order: Vec<(usize, usize)> = Vec::new();
    for mut line in lines(&x.shape, axis) {
        let first = line.first().copied().unwrap_or(0);
        line.sort_by(|&a, &b| {
            let order = numbers[a].total_cmp(&numbers[b]);
            if descending { order.reverse() } else { order }
        });
        order.extend(line.into_iter().take(count).map(|place| (first, place)));
    }
    // From lines back to rows: entry `rank` of every line stands at the same offset from its line's start.
    let mut shape = x.shape.clone();
    shape[axis] = count;
    let (old, new) = (strides(&x.shape), strides(&shape));
    let mut taken = vec![0; order.len()];
    for (index, (first, place)) in order.into_iter().enumerate() {
        let start: usize = (0..shape.len()).filter(|&a| a != axis).map(|a| first / old[a] % x.shape[a] * new[a]).sum();
        taken[start + index % count * new[axis]] = place;
    }
    let indices = taken.iter().map(|place| Count::fixed((place / old[axis] % x.shape[axis]) as i64)).collect();
    let values = x.take(shape.clone(), &taken);
    Ok(vec![Value::Known(Rc::new(values)), Value::Known(Rc::new(Known::ints(shape, indices)))])
}

fn product(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let (a, b) = (inputs.get(0)?, inputs.get(1)?);
    let ([outer_a @ .., rows, summed], [outer_b @ .., summed_b, columns]) = (&a.shape[..], &b.shape[..]) else {
        return unsupported("a product with a vector");
    };
    if summed != summed_b {
        return invalid(format!("cannot multiply {:?} by {:?}", a.shape, b.shape));
    }
    let outer = broadcast(outer_a, outer_b)?;
    let mut shape = outer.clone();
    shape.extend([*rows, *columns]);
    let work = size_of(&shape)?.checked_mul(*summed).filter(|&w| w <= 4 * MAX_KNOWN);
    let Some(work) = work else {
        return unsupported("a large product of constants");
    };
    lo.charge(work)?;
    let (left, right) = (a.numbers()?, b.numbers()?);
    let (starts_a, starts_b) = (broadcast_positions(outer_a, &outer), broadcast_positions(outer_b, &outer));
    let mut entries = Vec::with_capacity(size_of(&shape)?);
    for (start_a, start_b) in starts_a.iter().zip(&starts_b) {
        let (a, b) = (&left[start_a * rows * summed..], &right[start_b * summed * columns..]);
        for row in 0..*rows {
            for column in 0..*columns {
                entries.push((0..*summed).map(|k| a[row * summed + k] * b[k * columns + column]).sum());
            }
        }
    }
    Ok(constant(Known::floats(shape, entries, a.double || b.double)))
}

fn non_zero(lo: &mut Lowering, _: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    let found: Vec<usize> = x.truths()?.iter().enumerate().filter(|(_, t)| **t).map(|(p, _)| p).collect();
    lo.charge(x.len().saturating_add(size_of(&[x.shape.len(), found.len()])?))?;
    let strides = strides(&x.shape);
    let along = |axis: usize| found.iter().map(move |p| (axis, *p));
    let indices = (0..x.shape.len()).flat_map(along).map(|(axis, p)| (p / strides[axis] % x.shape[axis]) as i64);
    Ok(constant(Known::ints(vec![x.shape.len(), found.len()], indices.map(Count::fixed).collect())))
}

//! Reductions, running sums and small matrix products of known tensors.

use eagleeye_graph::Count;

use super::{Fold, Inputs};
use crate::import::call::{Call, Lowered, axes, axis, constant, invalid, unsupported};
use crate::import::known::{Entries, Known, MAX_KNOWN, broadcast, broadcast_positions, positions, size_of, strides};
use crate::import::lowering::Lowering;

pub(super) const OPERATORS: &[(&str, Fold)] = &[
    ("ReduceProd", |lo, call, inputs| reduced(lo, call, inputs, Count::multiply, |a, b| a * b, false)),
    ("ReduceSum", |lo, call, inputs| reduced(lo, call, inputs, Count::add, |a, b| a + b, false)),
    ("ReduceMean", |lo, call, inputs| reduced(lo, call, inputs, |_, _| None, |a, b| a + b, true)),
    ("ReduceMax", |lo, call, inputs| reduced(lo, call, inputs, larger, f64::max, false)),
    ("ReduceMin", |lo, call, inputs| reduced(lo, call, inputs, smaller, f64::min, false)),
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
        return unsupported("of an empty tensor");
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
        _ => Known::ints(shape, folded(count, &places, &x.counts()?, whole)?),
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
    results.into_iter().collect::<Option<Vec<_>>>().map_or_else(|| unsupported("of an empty tensor"), Ok)
}

fn running_sum(lo: &mut Lowering, call: &Call, inputs: &Inputs) -> Lowered {
    let x = inputs.get(0)?;
    lo.charge(x.len())?;
    let Some(&along) = inputs.get(1)?.whole()?.first() else {
        return invalid("has no axis");
    };
    let axis = axis(along, x.shape.len())?;
    if call.flag("exclusive")? || call.flag("reverse")? {
        return unsupported("exclusive or in reverse");
    }
    let stride = strides(&x.shape)[axis];
    let size = x.shape[axis];
    let first = |p: usize| (p / stride).is_multiple_of(size);
    Ok(constant(match &x.entries {
        Entries::Float(entries) => {
            let mut sums = entries.clone();
            (0..sums.len()).filter(|&p| !first(p)).for_each(|p| sums[p] += sums[p - stride]);
            Known::floats(x.shape.clone(), sums, x.double)
        }
        _ => {
            let mut sums = x.counts()?;
            for p in (0..sums.len()).filter(|&p| !first(p)) {
                let Some(sum) = sums[p].add(sums[p - stride]) else {
                    return invalid("a sum that is too large");
                };
                sums[p] = sum;
            }
            Known::ints(x.shape.clone(), sums)
        }
    }))
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

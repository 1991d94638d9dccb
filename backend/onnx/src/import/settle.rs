//! What the network computes from its parameters alone: standardised weights, weight norm, tables of positions.
//!
//! Some functions exist only while reading. What they need and does not depend on the input is computed here.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use eagleeye_graph::reading::Made;
use eagleeye_graph::{Binary, Dim, Op, Reduction, Unary, ValueId, shape};

use super::call::{Call, Lowered, PerImage, Value};
use super::extremes::{larger, smaller};
use super::fault::{invalid, unsupported};
use super::known::{Entries, Known, broadcast_positions, positions, strides};
use super::lowering::Lowering;

/// Values between parameters and the weight that is made of them.
const MAX_VALUES: usize = 256;
/// Entries that all weights of one network may take to compute. Beyond, they stay computed.
const MAX_COMPUTED: usize = 1 << 30;
/// Those that one weight may take: all are in memory at once.
const MAX_AT_ONCE: usize = 1 << 28;

/// Whether the file alone decides a value: it is a parameter, or computed from parameters. Whoever has read the file computes
/// such weights.
pub(super) fn is_weight(lo: &Lowering, id: ValueId) -> bool {
    lo.is_parameter(id) || made_of_parameters(lo, id).is_some()
}

/// A node with its inputs known, where all of them are made of parameters.
pub(super) fn inputs<'a>(lo: &mut Lowering<'a>, call: &Call<'a>) -> Lowered<Option<Call<'a>>> {
    let mut settled = call.clone();
    for index in 0..call.inputs.len() {
        let id = match call.input(index) {
            Value::Graph(id) => *id,
            Value::Stored(stored) if lo.is_float(*stored) => lo.value(call, index)?,
            _ => continue,
        };
        let Some(values) = made_of_parameters(lo, id) else {
            return Ok(None);
        };
        let Some(known) = evaluated(lo, &values)?.map(Rc::new) else {
            return Ok(None);
        };
        settled.inputs[index] = match lo.shape(id)[..] {
            // It depends on nothing but the batch's size, so it is the same for every image.
            [Dim::Batch(1), ..] => Value::PerImage(PerImage { stride: 0, each: known }),
            ref shape if shape.iter().all(|d| matches!(d, Dim::Fixed(_))) => Value::Known(known),
            _ => return Ok(None),
        };
    }
    Ok(Some(settled))
}

/// Everything that a value is made of, in the order in which it was made; `None` where that is more than parameters and the
/// operations that weights need.
fn made_of_parameters(lo: &Lowering, id: ValueId) -> Option<BTreeSet<ValueId>> {
    let mut found = BTreeSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if !found.insert(id) || lo.is_parameter(id) {
            continue;
        }
        let Made { op, inputs } = lo.made_by(id)?;
        let supported = match op {
            Op::Unary(f) => function(*f).is_some(),
            Op::Binary(_) | Op::Reduce { .. } | Op::Reshape { .. } | Op::Permute { .. } | Op::Expand { .. } => true,
            Op::Slice { .. } | Op::Gather { .. } => true,
            _ => false,
        };
        if !supported || found.len() > MAX_VALUES {
            return None;
        }
        open.extend(inputs);
    }
    Some(found)
}

/// The entries of the last of these values; `None` where they take too much to compute.
fn evaluated(lo: &mut Lowering, values: &BTreeSet<ValueId>) -> Lowered<Option<Known>> {
    let work = values.iter().map(|&id| shape::sample(lo.shape(id)).iter().product::<usize>()).sum();
    if work > MAX_AT_ONCE || !lo.charge_weights(work, MAX_COMPUTED) {
        return Ok(None);
    }
    let mut entries: HashMap<ValueId, Known> = HashMap::new();
    for &id in values {
        let known = match (lo.parameter_entries(id)?, lo.made_by(id)) {
            (Some(known), _) => known,
            (None, Some(Made { op, inputs })) => {
                let operands: Vec<&Known> = inputs.iter().filter_map(|i| entries.get(i)).collect();
                applied(op, &operands, shape::sample(lo.shape(id)))?
            }
            (None, None) => return Ok(None),
        };
        entries.insert(id, known);
    }
    Ok(values.last().and_then(|last| entries.remove(last)))
}

fn applied(op: &Op, operands: &[&Known], out: Vec<usize>) -> Lowered<Known> {
    let (Some(x), y) = (operands.first(), operands.last()) else {
        return invalid("a weight computed without inputs");
    };
    let floats = |entries: Vec<f64>| Known::floats(out.clone(), entries, false);
    Ok(match (op, y) {
        (Op::Unary(f), _) => {
            let Some(f) = function(*f) else {
                return unsupported(format!("a weight computed by {}", f.name()));
            };
            floats(x.numbers()?.into_iter().map(f).collect())
        }
        (Op::Binary(f), Some(y)) => {
            let (left, right) = (broadcast_positions(&x.shape, &out), broadcast_positions(&y.shape, &out));
            let (a, b, f) = (x.numbers()?, y.numbers()?, pair(*f));
            floats(left.into_iter().zip(right).map(|(i, j)| f(a[i], b[j])).collect())
        }
        (Op::Reduce { kind, axes, .. }, _) => floats(reduced(x, *kind, axes)?),
        (Op::Permute { order }, _) => {
            let strides = strides(&x.shape);
            let places = positions(&out, |axis, index| index * strides[order[axis]]);
            x.take(out, &places)
        }
        (Op::Slice { axis, start, step, .. }, _) => picked(x, out, *axis, |index| start + index * step),
        (Op::Gather { axis, indices }, _) => picked(x, out, *axis, |index| indices[index]),
        (Op::Expand { .. }, _) => {
            let places = broadcast_positions(&x.shape, &out);
            x.take(out, &places)
        }
        _ => x.reshaped(out),
    })
}

/// Some indices along one axis.
fn picked(x: &Known, out: Vec<usize>, axis: usize, source: impl Fn(usize) -> usize) -> Known {
    let strides = strides(&x.shape);
    let places = positions(&out, |a, index| if a == axis { source(index) * strides[a] } else { index * strides[a] });
    x.take(out, &places)
}

fn function(function: Unary) -> Option<Box<dyn Fn(f64) -> f64>> {
    Some(match function {
        Unary::Relu => Box::new(|v| larger(v, 0.0)),
        Unary::Clamp(low, high) => {
            Box::new(move |v| smaller(larger(v, low.unwrap_or(f64::NEG_INFINITY)), high.unwrap_or(f64::INFINITY)))
        }
        Unary::Sigmoid => Box::new(|v| 1.0 / (1.0 + (-v).exp())),
        Unary::Tanh => Box::new(f64::tanh),
        Unary::Exp => Box::new(f64::exp),
        Unary::Log => Box::new(f64::ln),
        Unary::Sqrt => Box::new(f64::sqrt),
        Unary::Neg => Box::new(|v| -v),
        Unary::Abs => Box::new(f64::abs),
        Unary::Reciprocal => Box::new(f64::recip),
        Unary::Sign => Box::new(|v| if v == 0.0 { 0.0 } else { v.signum() }),
        Unary::Floor => Box::new(f64::floor),
        Unary::Ceil => Box::new(f64::ceil),
        Unary::Round => Box::new(f64::round_ties_even),
        Unary::Sin => Box::new(f64::sin),
        Unary::Cos => Box::new(f64::cos),
        Unary::AddScalar(c) => Box::new(move |v| v + c),
        Unary::MulScalar(c) => Box::new(move |v| v * c),
        Unary::PowScalar(c) => Box::new(move |v| v.powf(c)),
        _ => return None,
    })
}

fn pair(function: Binary) -> fn(f64, f64) -> f64 {
    match function {
        Binary::Add => |a, b| a + b,
        Binary::Sub => |a, b| a - b,
        Binary::Mul => |a, b| a * b,
        Binary::Div => |a, b| a / b,
        Binary::Max => larger,
        Binary::Min => smaller,
        Binary::Pow => f64::powf,
        Binary::Less => |a, b| f64::from(u8::from(a < b)),
        Binary::LessOrEqual => |a, b| f64::from(u8::from(a <= b)),
        Binary::Equal => |a, b| f64::from(u8::from(a == b)),
    }
}

fn reduced(x: &Known, kind: Reduction, axes: &[usize]) -> Lowered<Vec<f64>> {
    let Entries::Float(entries) = &x.entries else {
        return unsupported("a weight computed from integers");
    };
    let kept: Vec<usize> = x.shape.iter().enumerate().map(|(a, &s)| if axes.contains(&a) { 1 } else { s }).collect();
    let target = strides(&kept);
    let places = positions(&x.shape, |a, index| if axes.contains(&a) { 0 } else { index * target[a] });
    let (start, f): (f64, fn(f64, f64) -> f64) = match kind {
        Reduction::Sum | Reduction::Mean => (0.0, |a, b| a + b),
        Reduction::Max => (f64::NEG_INFINITY, larger),
        Reduction::Min => (f64::INFINITY, smaller),
        Reduction::Product => (1.0, |a, b| a * b),
    };
    let mut results = vec![start; kept.iter().product()];
    for (&place, &entry) in places.iter().zip(entries) {
        results[place] = f(results[place], entry);
    }
    if kind == Reduction::Mean {
        let count = (entries.len() / results.len().max(1)) as f64;
        results.iter_mut().for_each(|r| *r /= count);
    }
    Ok(results)
}

//! Choosing between tensors entry by entry.

use std::rc::Rc;

use eagleeye_graph::compose::arithmetic::{self, Comparison, compare};
use eagleeye_graph::reading::Made;
use eagleeye_graph::{Binary, Compose, Op, Shape, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::invalid;
use crate::import::known::{Known, broadcast, broadcast_positions, size_of};
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "Where",
        becomes: "mul and add with a constant condition, else select; softplus, relu, clamp",
        lower: select,
    },
    Operator { name: "Greater", becomes: "less", lower: greater },
    Operator { name: "Less", becomes: "less", lower: |lo, call| compared(lo, call, Comparison::Less) },
    Operator {
        name: "LessOrEqual",
        becomes: "less_or_equal",
        lower: |lo, call| compared(lo, call, Comparison::LessOrEqual),
    },
    Operator {
        name: "GreaterOrEqual",
        becomes: "less_or_equal",
        lower: |lo, call| compared(lo, call, Comparison::GreaterOrEqual),
    },
    Operator { name: "Equal", becomes: "equal", lower: |lo, call| compared(lo, call, Comparison::Equal) },
    Operator { name: "IsNaN", becomes: "equal, neg and add_scalar", lower: not_a_number },
    Operator { name: "Not", becomes: "neg and add_scalar", lower: negated },
    Operator { name: "And", becomes: "mul", lower: |lo, call| combined(lo, call, Binary::Mul) },
    Operator { name: "Or", becomes: "max", lower: |lo, call| combined(lo, call, Binary::Max) },
    Operator { name: "Xor", becomes: "sub and abs", lower: different },
    Operator { name: "Trilu", becomes: "mul with a mask", lower: triangle },
];

/// With a constant condition: `x * condition + y * (1 - condition)`.
fn select(lo: &mut Lowering, call: &Call) -> Lowered {
    match *call.input(0) {
        Value::Greater { x, than } => return above(lo, call, x, than),
        Value::NotANumber(x) => return numbers_alone(lo, call, x),
        Value::Graph(condition) => return chosen(lo, call, condition),
        _ => {}
    }
    let condition = lo.known(call, 0)?;
    let truths = condition.truths()?;
    if truths.iter().all(|&t| t) || truths.iter().all(|&t| !t) {
        let index = if truths.first() == Some(&true) { 1 } else { 2 };
        return repeated(lo, call, index);
    }
    let taken = side(lo, call, &condition, 1, true)?;
    let other = side(lo, call, &condition, 2, false)?;
    lo.emit(call, Op::Binary(Binary::Add), &[taken, other])
}

fn greater(lo: &mut Lowering, call: &Call) -> Lowered {
    match (call.input(0), lo.number(call.input(1))) {
        (&Value::Graph(x), Some(than)) => Ok(vec![Value::Greater { x, than }]),
        _ => compared(lo, call, Comparison::Greater),
    }
}

fn compared(lo: &mut Lowering, call: &Call, comparison: Comparison) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    Ok(one(compare(&mut lo.composer(call), comparison, a, b)?))
}

/// ONNX's `And`, `Or`, `Xor` and `Not` take truths alone, which are zeros and ones in the graph.
fn combined(lo: &mut Lowering, call: &Call, function: Binary) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    lo.emit(call, Op::Binary(function), &[a, b])
}

fn different(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let difference = lo.binary(call, Binary::Sub, a, b)?;
    lo.emit(call, Op::Unary(Unary::Abs), &[difference])
}

fn negated(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    Ok(one(arithmetic::not(&mut lo.composer(call), x)?))
}

/// Whether every entry is 0 or 1.
pub(super) fn is_mask(lo: &mut Lowering, call: &Call, id: ValueId) -> bool {
    arithmetic::is_mask(&lo.composer(call), id)
}

fn chosen(lo: &mut Lowering, call: &Call, condition: ValueId) -> Lowered {
    let (a, b) = (lo.value(call, 1)?, lo.value(call, 2)?);
    Ok(one(arithmetic::select(&mut lo.composer(call), condition, a, b)?))
}

/// The entries of a matrix on one side of a diagonal.
fn triangle(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let upper = call.int_or("upper", 1)? != 0;
    let diagonal = lo.optional_known(call, 1)?.and_then(|known| known.number()).unwrap_or(0.0) as i64;
    let Some(first) = lo.rank(x).checked_sub(2) else {
        return invalid("needs a tensor of rank 2 or more");
    };
    let (rows, columns) = (lo.fixed(x, first)?, lo.fixed(x, first + 1)?);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| column as i64 - row as i64));
    let kept = places.map(|off| if upper { off >= diagonal } else { off <= diagonal });
    let mask = lo.composer(call).constant(&[rows, columns], kept.map(|k| f64::from(u8::from(k))).collect())?;
    lo.emit(call, Op::Binary(Binary::Mul), &[x, mask])
}

fn not_a_number(lo: &mut Lowering, call: &Call) -> Lowered {
    Ok(vec![Value::NotANumber(lo.value(call, 0)?)])
}

/// `x is no number ? constant : x`. The weights of attention are numbers: exporters guard against everything being masked.
fn numbers_alone(lo: &mut Lowering, call: &Call, x: ValueId) -> Lowered {
    let of_attention = matches!(lo.made_by(x), Some(Made { op: Op::Softmax { log: false, .. }, .. }));
    match (call.input(1), call.input(2)) {
        (Value::Known(_) | Value::Stored(_), Value::Graph(kept)) if *kept == x && of_attention => Ok(one(x)),
        _ => {
            let condition = lo.value(call, 0)?;
            chosen(lo, call, condition)
        }
    }
}

/// `x > than ? x : other`: softplus as PyTorch computes it, and thresholds.
fn above(lo: &mut Lowering, call: &Call, x: ValueId, than: f64) -> Lowered {
    /// From here on, softplus is its argument in `f32`.
    const LINEAR: f64 = 17.0;
    let same = matches!(call.input(1), Value::Graph(id) if *id == x);
    match *call.input(2) {
        Value::Graph(other) if same && than >= LINEAR && is_softplus(lo, other, x) => Ok(one(other)),
        ref other if same && lo.number(other) == Some(than) => {
            let function = if than == 0.0 { Unary::Relu } else { Unary::Clamp(Some(than), None) };
            lo.emit(call, Op::Unary(function), &[x])
        }
        _ => {
            let condition = lo.value(call, 0)?;
            chosen(lo, call, condition)
        }
    }
}

fn is_softplus(lo: &Lowering, id: ValueId, x: ValueId) -> bool {
    matches!(lo.made_by(id), Some(Made { op: Op::Unary(Unary::Softplus), inputs }) if inputs[..] == [x])
}

/// An input as it is, repeated to the shape that all three have together.
fn repeated(lo: &mut Lowering, call: &Call, index: usize) -> Lowered {
    let mut wanted = Shape::new();
    for input in &call.inputs {
        wanted = shape::broadcast(&wanted, &lo.shape_of(input)?).or_else(|error| invalid(error.to_string()))?;
    }
    if lo.shape_of(call.input(index))? == wanted {
        return Ok(vec![call.input(index).clone()]);
    }
    let x = lo.value(call, index)?;
    lo.emit(call, Op::Expand { shape: wanted }, &[x])
}

/// One side of a selection: its entries where the condition is `when`, zero elsewhere.
fn side(lo: &mut Lowering, call: &Call, condition: &Rc<Known>, index: usize, when: bool) -> Lowered<ValueId> {
    let truths = condition.truths()?;
    let name = format!("{}.{}", call.name, if when { "taken" } else { "other" });
    if let Some(constant) = constant_side(lo, call, index)? {
        // Selected and not multiplied: the constant may be infinite.
        let shape = broadcast(&condition.shape, &constant.shape)?;
        lo.charge(size_of(&shape)?)?;
        let numbers = constant.numbers()?;
        let conditions = broadcast_positions(&condition.shape, &shape);
        let entries = broadcast_positions(&constant.shape, &shape);
        let pick = |(&c, &e): (&usize, &usize)| if truths[c] == when { numbers[e] } else { 0.0 };
        let selected = conditions.iter().zip(&entries).map(pick).collect();
        return lo.constant(&name, &Rc::new(Known::floats(shape, selected, constant.double)));
    }
    let x = lo.value(call, index)?;
    let factors = truths.iter().map(|&t| f64::from(u8::from(t == when))).collect();
    let mask = lo.constant(&name, &Rc::new(Known::floats(condition.shape.clone(), factors, false)))?;
    lo.binary(call, Binary::Mul, x, mask)
}

fn constant_side(lo: &mut Lowering, call: &Call, index: usize) -> Lowered<Option<Rc<Known>>> {
    match call.input(index) {
        Value::Known(known) => Ok(Some(Rc::clone(known))),
        Value::Stored(stored) if lo.is_number(*stored) => lo.read(*stored).map(Some),
        _ => Ok(None),
    }
}

//! Choosing between tensors entry by entry.

use std::rc::Rc;

use eagleeye_graph::{Binary, Op, Shape, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, invalid, one, unsupported};
use crate::import::known::{Known, broadcast, broadcast_positions, size_of};
use crate::import::lowering::{Lowering, Made};

pub const OPERATORS: &[Operator] = &[
    Operator { name: "Where", becomes: "mul and add with a constant condition; softplus, relu, clamp", lower: select },
    Operator { name: "Greater", becomes: "the condition of a Where, for an activation and a number", lower: greater },
    Operator {
        name: "IsNaN",
        becomes: "the condition of a Where that replaces what is not a number",
        lower: not_a_number,
    },
];

/// With a constant condition: `x * condition + y * (1 - condition)`.
fn select(lo: &mut Lowering, call: &Call) -> Lowered {
    match *call.input(0) {
        Value::Greater { x, than } => return above(lo, call, x, than),
        Value::NotANumber(x) => return numbers_alone(call, x),
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
        _ => unsupported("of a tensor that depends on the input"),
    }
}

fn not_a_number(lo: &mut Lowering, call: &Call) -> Lowered {
    Ok(vec![Value::NotANumber(lo.value(call, 0)?)])
}

/// `x is no number ? constant : x`, for attention in which everything is masked. Activations are numbers.
fn numbers_alone(call: &Call, x: ValueId) -> Lowered {
    match (call.input(1), call.input(2)) {
        (Value::Known(_) | Value::Stored(_), Value::Graph(kept)) if *kept == x => Ok(one(x)),
        _ => unsupported("a condition that depends on the input"),
    }
}

/// `x > than ? x : other`: softplus as PyTorch computes it, and thresholds.
fn above(lo: &mut Lowering, call: &Call, x: ValueId, than: f64) -> Lowered {
    /// From here on, softplus is its argument in `f32`.
    const LINEAR: f64 = 17.0;
    let same = matches!(call.input(1), Value::Graph(id) if *id == x);
    match *call.input(2) {
        Value::Graph(other) if same && than >= LINEAR => {
            let softplus =
                matches!(lo.made_by(other), Some(Made { op: Op::Unary(Unary::Softplus), inputs }) if inputs[..] == [x]);
            if softplus { Ok(one(other)) } else { unsupported("a condition that depends on the input") }
        }
        ref other if same && lo.number(other) == Some(than) => {
            let function = if than == 0.0 { Unary::Relu } else { Unary::Clamp(Some(than), None) };
            lo.emit(call, Op::Unary(function), &[x])
        }
        _ => unsupported("a condition that depends on the input"),
    }
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

//! Comparisons of activations and choices by them. What PyTorch calls true is 1 in the graph, and false 0.

use eagleeye_graph::compose::arithmetic::{Comparison, compare, not, select};
use eagleeye_graph::{Binary, Compose, Op, Unary, ValueId};
use tch::{Kind, Tensor};

use super::Operator;
use super::masks::{as_mask, is_boolean, is_mask};
use super::pointwise::{Operand, operand, operands};
use crate::call::{Call, as_float};
use crate::fault::{Lowered, unsupported};
use crate::known::{content, known_scalar};
use crate::lowering::{Lowering, fresh};
use crate::value::{Content, TensorRef, Value};

pub const OPERATORS: &[Operator] = &[
    Operator { name: "aten::lt", becomes: "less", lower: |lo, call| compared(lo, call, Comparison::Less) },
    Operator {
        name: "aten::le",
        becomes: "less_or_equal",
        lower: |lo, call| compared(lo, call, Comparison::LessOrEqual),
    },
    Operator { name: "aten::gt", becomes: "less", lower: |lo, call| compared(lo, call, Comparison::Greater) },
    Operator {
        name: "aten::ge",
        becomes: "less_or_equal",
        lower: |lo, call| compared(lo, call, Comparison::GreaterOrEqual),
    },
    Operator { name: "aten::eq", becomes: "equal", lower: |lo, call| compared(lo, call, Comparison::Equal) },
    Operator {
        name: "aten::ne",
        becomes: "equal, neg and add_scalar",
        lower: |lo, call| compared(lo, call, Comparison::NotEqual),
    },
    Operator { name: "aten::isnan", becomes: "equal, neg and add_scalar", lower: is_no_number },
    Operator { name: "aten::logical_not", becomes: "neg and add_scalar", lower: negated },
    Operator { name: "aten::bitwise_not", becomes: "neg and add_scalar; comparisons only", lower: bits_negated },
    Operator { name: "aten::logical_and", becomes: "mul", lower: |lo, call| combined(lo, call, Binary::Mul) },
    Operator {
        name: "aten::bitwise_and",
        becomes: "mul; comparisons only",
        lower: |lo, call| bits_combined(lo, call, Binary::Mul),
    },
    Operator {
        name: "aten::__and__",
        becomes: "mul; comparisons only",
        lower: |lo, call| bits_combined(lo, call, Binary::Mul),
    },
    Operator { name: "aten::logical_or", becomes: "max", lower: |lo, call| combined(lo, call, Binary::Max) },
    Operator {
        name: "aten::bitwise_or",
        becomes: "max; comparisons only",
        lower: |lo, call| bits_combined(lo, call, Binary::Max),
    },
    Operator {
        name: "aten::__or__",
        becomes: "max; comparisons only",
        lower: |lo, call| bits_combined(lo, call, Binary::Max),
    },
    Operator { name: "aten::where", becomes: "select", lower: chosen },
    Operator {
        name: "aten::masked_fill",
        becomes: "mul and add with a constant mask, else select",
        lower: masked_fill,
    },
    Operator { name: "aten::nan_to_num", becomes: "equal, select and clamp", lower: numbers_alone },
    Operator { name: "aten::index_put", becomes: "select, for one mask and one number", lower: filled_by_mask },
];

fn compared(lo: &mut Lowering, call: &Call, comparison: Comparison) -> Lowered {
    let (a, b) = operands(lo, call)?;
    if let (Operand::Graph(mask), Operand::Number(0.0), Comparison::NotEqual) = (&a, &b, comparison)
        && is_mask(lo, call, *mask)
    {
        return Ok(Value::Tensor(call.tensor(0)?));
    }
    let (a, b) = (in_graph(lo, call, a)?, in_graph(lo, call, b)?);
    Ok(fresh(compare(&mut lo.composer(call), comparison, a, b)?))
}

fn in_graph(lo: &mut Lowering, call: &Call, operand: Operand) -> Lowered<ValueId> {
    match operand {
        Operand::Graph(id) => Ok(id),
        Operand::Number(number) => lo.composer(call).number(number),
    }
}

/// An operand of an operator that works on the bits of whole numbers, where these are truths.
fn as_bits(lo: &mut Lowering, call: &Call, index: usize) -> Lowered<ValueId> {
    let Value::Tensor(tensor) = call.at(index) else {
        return unsupported("a bitwise operation on integers");
    };
    let truths = match content(tensor)? {
        Content::Graph(id) => is_mask(lo, call, id),
        constant => is_boolean(&constant),
    };
    if truths { lo.value(call, tensor) } else { unsupported("a bitwise operation on integers") }
}

fn bits_negated(lo: &mut Lowering, call: &Call) -> Lowered {
    let mask = as_bits(lo, call, 0)?;
    Ok(fresh(not(&mut lo.composer(call), mask)?))
}

fn bits_combined(lo: &mut Lowering, call: &Call, function: Binary) -> Lowered {
    let (a, b) = (as_bits(lo, call, 0)?, as_bits(lo, call, 1)?);
    lo.emit(call, Op::Binary(function), &[a, b])
}

fn negated(lo: &mut Lowering, call: &Call) -> Lowered {
    let mask = as_mask(lo, call, &call.tensor(0)?)?;
    Ok(fresh(not(&mut lo.composer(call), mask)?))
}

fn combined(lo: &mut Lowering, call: &Call, function: Binary) -> Lowered {
    let (a, b) = (as_mask(lo, call, &call.tensor(0)?)?, as_mask(lo, call, &call.tensor(1)?)?);
    lo.emit(call, Op::Binary(function), &[a, b])
}

fn is_no_number(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    Ok(fresh(compare(&mut lo.composer(call), Comparison::NotEqual, x, x)?))
}

fn chosen(lo: &mut Lowering, call: &Call) -> Lowered {
    if matches!(call.at(1), Value::None) {
        return unsupported("asks for the positions where an activation is not 0");
    }
    let condition = lo.operand(call, 0)?;
    let (a, b) = (operand(lo, call, call.at(1), call.at(0))?, operand(lo, call, call.at(2), call.at(0))?);
    let (a, b) = (in_graph(lo, call, a)?, in_graph(lo, call, b)?);
    Ok(fresh(select(&mut lo.composer(call), condition, a, b)?))
}

/// With a constant mask: `x * (1 - mask) + value * mask`, unless that would multiply 0 by infinity.
fn masked_fill(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let value = match call.at(2) {
        Value::Tensor(tensor) => known_scalar(tensor),
        other => as_float(other).ok(),
    };
    let mask = call.tensor(1)?;
    if let Some(value) = value.filter(|v| v.is_finite())
        && let Some([kept, filled]) = kept_and_filled(lo, call, &mask, value)?
    {
        let product = lo.binary(call, Binary::Mul, x, kept)?;
        return lo.emit(call, Op::Binary(Binary::Add), &[product, filled]);
    }
    let mask = lo.value(call, &mask)?;
    let filled = operand(lo, call, call.at(2), call.at(0))?;
    let filled = in_graph(lo, call, filled)?;
    Ok(fresh(select(&mut lo.composer(call), mask, filled, x)?))
}

/// What a constant mask leaves, as a factor, and what it fills in, as a summand.
fn kept_and_filled(lo: &mut Lowering, call: &Call, mask: &TensorRef, value: f64) -> Lowered<Option<[ValueId; 2]>> {
    let kept = |mask: &Tensor| -> Lowered<Tensor> { Ok(mask.f_logical_not()?.f_to_kind(Kind::Float)?) };
    let filled = |mask: &Tensor| -> Lowered<Tensor> { Ok(mask.f_to_kind(Kind::Bool)?.f_to_kind(Kind::Float)? * value) };
    Ok(match content(mask)? {
        Content::Graph(_) => None,
        Content::Known(mask) => Some([lo.constant(call, &kept(&mask)?)?, lo.constant(call, &filled(&mask)?)?]),
        Content::Batched([few, many]) => Some([
            lo.repeated(call, &[kept(&few)?, kept(&many)?])?,
            lo.repeated(call, &[filled(&few)?, filled(&many)?])?,
        ]),
    })
}

fn numbers_alone(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let most = f64::from(f32::MAX);
    let (nan, low, high) =
        (call.float_or("nan", 0.0)?, call.float_or("neginf", -most)?, call.float_or("posinf", most)?);
    if low > -most || high < most {
        return unsupported("replaces infinities by numbers within the range of f32");
    }
    let c = &mut lo.composer(call);
    let (number, other) = (compare(c, Comparison::Equal, x, x)?, c.number(nan)?);
    let y = select(c, number, x, other)?;
    Ok(fresh(c.unary(Unary::Clamp(Some(low), Some(high)), y)?))
}

/// `x[mask] = number`
fn filled_by_mask(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let items = call.at(1).items().unwrap_or_default();
    let ([Value::Tensor(mask)], false) = (&items[..], call.flag("accumulate")) else {
        return unsupported("assigns to positions along more than one axis");
    };
    let boolean = match content(mask)? {
        Content::Graph(id) => is_mask(lo, call, id),
        constant => is_boolean(&constant),
    };
    let value = match call.at(2) {
        Value::Tensor(tensor) => known_scalar(tensor),
        number => as_float(number).ok(),
    };
    let (Some(value), true) = (value, boolean && lo.shape_of(mask)?.len() == lo.shape(x).len()) else {
        return unsupported("assigns anything but one number to the entries that a mask selects");
    };
    let mask = lo.value(call, mask)?;
    let c = &mut lo.composer(call);
    let value = c.number(value)?;
    Ok(fresh(select(c, mask, value, x)?))
}

//! Arithmetic on numbers and sizes, and questions about tensors whose answer is a number.
//!
//! Traced code wraps sizes in tensors without axes (`aten::size`, `prim::NumToTensor`, `aten::Int`); here they stay numbers.

use std::cmp::Ordering;

use eagleeye_graph::{Count, ElementType};
use tch::{Kind, Tensor};

use super::{folded, truth};
use crate::call::{Call, as_float};
use crate::fault::{Fault, Lowered, unsupported};
use crate::known::{known, known_entries, known_scalar, known_whole};
use crate::lowering::Lowering;
use crate::tensors::is_float;
use crate::value::{Content, TensorRef, Value};

pub const OPERATORS: &[&str] = &[
    "aten::size",
    "aten::dim",
    "aten::numel",
    "aten::is_floating_point",
    "aten::is_grad_enabled",
    "aten::Int",
    "aten::IntImplicit",
    "aten::Float",
    "aten::FloatImplicit",
    "aten::Bool",
    "aten::ScalarImplicit",
    "aten::item",
    "aten::scalar_tensor",
    "aten::add",
    "aten::sub",
    "aten::rsub",
    "aten::mul",
    "aten::div",
    "aten::floordiv",
    "aten::floor_divide",
    "aten::remainder",
    "aten::fmod",
    "aten::pow",
    "aten::neg",
    "aten::abs",
    "aten::sqrt",
    "aten::exp",
    "aten::log",
    "aten::ceil",
    "aten::floor",
    "aten::round",
    "aten::trunc",
    "aten::eq",
    "aten::ne",
    "aten::lt",
    "aten::le",
    "aten::gt",
    "aten::ge",
    "aten::__not__",
    "aten::__and__",
    "aten::__or__",
    "aten::__is__",
    "aten::__isnot__",
    "aten::__range_length",
    "aten::__derive_index",
    "aten::warn",
    "aten::manual_seed",
    "prim::NumToTensor",
    "prim::unchecked_cast",
    "prim::unchecked_unwrap_optional",
    "prim::Uninitialized",
    "prim::Print",
    "prim::device",
    "prim::dtype",
    "prim::layout",
    "prim::is_cuda",
    "prim::is_mkldnn",
    "prim::is_quantized",
    "prim::is_sparse",
    "prim::is_nested",
    "aten::is_nested",
    "prim::requires_grad",
    "prim::max",
    "prim::min",
    "aten::is_autocast_enabled",
    "aten::is_autocast_cpu_enabled",
    "aten::_get_tracing_state",
    "aten::has_torch_function",
];

/// PyTorch's number for `torch.float32`, the type that every activation has.
const FLOAT32: i64 = 6;

/// Computes the call, or `None` where it is about tensors.
pub fn evaluate(lowering: &Lowering, call: &Call) -> Option<Lowered> {
    about_anything(call).or_else(|| about_tensors(lowering, call)).or_else(|| arithmetic(call))
}

/// Whether the call asks whether a value is there, or hands it on.
pub fn looks_at_nothing(call: &Call) -> bool {
    let hands_on = matches!(
        call.operator,
        "aten::__is__" | "aten::__isnot__" | "prim::unchecked_cast" | "prim::unchecked_unwrap_optional"
    );
    hands_on && !call.arguments.iter().any(|argument| matches!(argument, Value::Unknown))
}

/// Operators that do not look into their arguments.
fn about_anything(call: &Call) -> Option<Lowered> {
    Some(Ok(match call.operator {
        "aten::__is__" => Value::Bool(call.at(0).same(call.at(1))),
        "aten::__isnot__" => Value::Bool(!call.at(0).same(call.at(1))),
        "prim::unchecked_cast" | "prim::unchecked_unwrap_optional" => call.at(0).clone(),
        "prim::Uninitialized" | "prim::Print" | "aten::warn" | "aten::manual_seed" => Value::None,
        // What `eval()` under `torch.no_grad()` would say, but with gradients, so that the code takes its plain path and
        // not a fused one.
        "aten::is_grad_enabled" | "prim::requires_grad" => Value::Bool(true),
        "prim::is_cuda" | "prim::is_mkldnn" | "prim::is_quantized" | "prim::is_sparse" => Value::Bool(false),
        "prim::is_nested" | "aten::is_nested" => Value::Bool(false),
        "aten::is_autocast_enabled" | "aten::is_autocast_cpu_enabled" => Value::Bool(false),
        "aten::_get_tracing_state" | "aten::has_torch_function" => Value::Bool(false),
        _ => return None,
    }))
}

/// PyTorch's number of a floating-point type.
fn type_number(element: ElementType) -> Option<i64> {
    match element {
        ElementType::F16 => Some(5),
        ElementType::F32 => Some(FLOAT32),
        ElementType::F64 => Some(7),
        ElementType::Bf16 => Some(15),
        _ => None,
    }
}

fn about_tensors(lowering: &Lowering, call: &Call) -> Option<Lowered> {
    let Value::Tensor(tensor) = call.at(0) else {
        return None;
    };
    let shape = || lowering.shape_of(tensor);
    Some(match call.operator {
        "aten::size" => shape().and_then(|shape| match call.at(1) {
            Value::None => Ok(Value::list(shape.iter().map(|&d| Value::Int(Count::of(d))).collect())),
            _ => {
                let axis = lowering.axis(call.int("dim")?, shape.len())?;
                Ok(Value::Int(Count::of(shape[axis])))
            }
        }),
        "aten::dim" => shape().map(|shape| Value::int(shape.len() as i64)),
        "aten::len" => shape().map(|shape| shape.first().map_or(Value::int(0), |&d| Value::Int(Count::of(d)))),
        "aten::numel" => shape().and_then(|shape| {
            let product = shape.iter().try_fold(Count::fixed(1), |n, &d| n.multiply(Count::of(d)));
            product.map(Value::Int).ok_or_else(|| Fault::Invalid("the tensor has too many elements".into()))
        }),
        "aten::is_floating_point" => Ok(Value::Bool(kind(tensor).is_none_or(is_float))),
        "prim::device" => Ok(Value::String("cpu".into())),
        "prim::dtype" => {
            let number = kind(tensor).and_then(folded::number_of);
            Ok(Value::int(number.or_else(|| lowering.element_of(tensor).and_then(type_number)).unwrap_or(FLOAT32)))
        }
        "prim::layout" => Ok(Value::int(0)),
        "aten::Int"
        | "aten::IntImplicit"
        | "aten::Float"
        | "aten::FloatImplicit"
        | "aten::Bool"
        | "aten::ScalarImplicit"
        | "aten::item" => match known_scalar(tensor) {
            Some(number) => Ok(converted(call.operator, tensor, number)),
            None if kind(tensor).is_some() => {
                unsupported("takes a number that depends on the batch size but is not a multiple of it")
            }
            None => unsupported("reads a number from an activation"),
        },
        _ => return None,
    })
}

/// The element type of a constant.
fn kind(tensor: &TensorRef) -> Option<Kind> {
    match tensor.content()? {
        Content::Known(known) | Content::Batched([known, _]) => Some(known.kind()),
        Content::Graph(_) => None,
    }
}

fn converted(operator: &str, tensor: &TensorRef, number: f64) -> Value {
    let whole = known_whole(tensor);
    match (operator, whole) {
        ("aten::Int" | "aten::IntImplicit", _) => Value::int(whole.unwrap_or(number as i64)),
        ("aten::Bool", _) => Value::Bool(number != 0.0),
        ("aten::ScalarImplicit" | "aten::item", Some(whole)) => Value::int(whole),
        ("aten::ScalarImplicit" | "aten::item", None) if kind(tensor) == Some(Kind::Bool) => Value::Bool(number != 0.0),
        _ => Value::Float(number),
    }
}

fn depends_on_batch(value: &Value) -> bool {
    matches!(value, Value::Int(count) if count.known().is_none())
}

/// The whole number in a known tensor without axes.
fn whole_number(value: &Value) -> Option<Value> {
    let Value::Tensor(tensor) = value else { return None };
    let number = known_scalar(tensor).filter(|number| number.fract() == 0.0)?;
    (known_entries(tensor)?.dim() == 0).then(|| Value::int(number as i64))
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_))
}

fn arithmetic(call: &Call) -> Option<Lowered> {
    let (a, b) = (call.at(0), call.at(1));
    // A size that depends on the batch with a number that tracing wrote as a tensor without axes.
    if let Some(a) = whole_number(a).filter(|_| depends_on_batch(b)) {
        return two_numbers(call.operator, call, &a, b);
    }
    if let Some(b) = whole_number(b).filter(|_| depends_on_batch(a)) {
        return two_numbers(call.operator, call, a, &b);
    }
    if !is_number(a) {
        return None;
    }
    let two = is_number(b);
    Some(match call.operator {
        // A number that depends on the batch stays one, whatever wraps it: it is calculated with exactly.
        "prim::NumToTensor" | "aten::scalar_tensor" | "aten::tensor" | "aten::as_tensor" if depends_on_batch(a) => {
            Ok(a.clone())
        }
        "prim::NumToTensor" => wrapped(a).map(known),
        "aten::ScalarImplicit" | "aten::item" => Ok(a.clone()),
        "aten::detach" | "aten::to" | "aten::clone" | "aten::contiguous" | "aten::cpu" => Ok(a.clone()),
        "aten::Int" | "aten::IntImplicit" => match a {
            Value::Float(number) => Ok(Value::int(number.trunc() as i64)),
            Value::Bool(flag) => Ok(Value::int(i64::from(*flag))),
            other => Ok(other.clone()),
        },
        "aten::Float" | "aten::FloatImplicit" => as_float(a).map(Value::Float),
        "aten::Bool" => known_truth(a),
        "aten::neg" => combine(&Value::int(0), a, Count::subtract, |x, y| x - y),
        "aten::abs" => one(a, f64::abs),
        "aten::ceil" | "aten::floor" | "aten::round" | "aten::trunc" => rounded(call.operator, a),
        "aten::sqrt" => as_float(a).map(|x| Value::Float(x.sqrt())),
        "aten::exp" => as_float(a).map(|x| Value::Float(x.exp())),
        "aten::log" => as_float(a).map(|x| Value::Float(x.ln())),
        "aten::__not__" => known_truth(a).map(|v| Value::Bool(truth(&v) != Some(true))),
        "prim::max" | "prim::min" if two => larger(call.operator == "prim::max", a, b),
        "aten::__range_length" => range_length(call),
        "aten::__derive_index" => derive_index(call),
        _ if two => return two_numbers(call.operator, call, a, b),
        _ => return None,
    })
}

fn two_numbers(operator: &str, call: &Call, a: &Value, b: &Value) -> Option<Lowered> {
    Some(match operator {
        "aten::add" => combine(a, b, Count::add, |x, y| x + y),
        "aten::sub" => combine(a, b, Count::subtract, |x, y| x - y),
        "aten::rsub" => combine(b, a, Count::subtract, |x, y| x - y),
        "aten::mul" => combine(a, b, Count::multiply, |x, y| x * y),
        "aten::div" => match call.text("rounding_mode").as_deref() {
            Some("floor") => combine(a, b, Count::floor_divide, |x, y| (x / y).floor()),
            Some("trunc") => as_float(a).and_then(|x| Ok(Value::int((x / as_float(b)?).trunc() as i64))),
            _ => true_division(a, b),
        },
        "aten::floordiv" | "aten::floor_divide" => combine(a, b, Count::floor_divide, |x, y| (x / y).floor()),
        "aten::remainder" => combine(a, b, Count::remainder, |x, y| x - y * (x / y).floor()),
        "aten::fmod" => as_float(a).and_then(|x| Ok(Value::Float(x % as_float(b)?))),
        "aten::pow" => as_float(a).and_then(|x| Ok(Value::Float(x.powf(as_float(b)?)))),
        "aten::eq" => compare(a, b, Ordering::is_eq),
        "aten::ne" => compare(a, b, Ordering::is_ne),
        "aten::lt" => compare(a, b, Ordering::is_lt),
        "aten::le" => compare(a, b, Ordering::is_le),
        "aten::gt" => compare(a, b, Ordering::is_gt),
        "aten::ge" => compare(a, b, Ordering::is_ge),
        "aten::__and__" => Ok(Value::Bool(truth(a)? && truth(b)?)),
        "aten::__or__" => Ok(Value::Bool(truth(a)? || truth(b)?)),
        _ => return None,
    })
}

fn known_truth(value: &Value) -> Lowered {
    match truth(value) {
        Some(flag) => Ok(Value::Bool(flag)),
        None => unsupported("depends on the batch size"),
    }
}

fn one(a: &Value, float: impl Fn(f64) -> f64) -> Lowered {
    let result = float(as_float(a)?);
    Ok(if matches!(a, Value::Float(_)) { Value::Float(result) } else { Value::int(result as i64) })
}

/// Whole numbers stay whole and may depend on the batch; with a float among them the result is a float.
fn combine(
    a: &Value,
    b: &Value,
    whole: impl Fn(Count, Count) -> Option<Count>,
    float: impl Fn(f64, f64) -> f64,
) -> Lowered {
    match (as_count(a), as_count(b)) {
        (Some(x), Some(y)) => match whole(x, y) {
            Some(result) => Ok(Value::Int(result)),
            None => unsupported("computes a size that is not a whole multiple of the batch size"),
        },
        _ => Ok(Value::Float(float(as_float(a)?, as_float(b)?))),
    }
}

fn as_count(value: &Value) -> Option<Count> {
    match value {
        Value::Int(count) => Some(*count),
        Value::Bool(flag) => Some(Count::fixed(i64::from(*flag))),
        _ => None,
    }
}

/// `a / b` is a float in Python; a size that depends on the batch stays exact instead.
fn true_division(a: &Value, b: &Value) -> Lowered {
    let (Some(x), Some(y)) = (as_count(a), as_count(b)) else {
        return Ok(Value::Float(as_float(a)? / as_float(b)?));
    };
    match (x.known(), y.known()) {
        (Some(x), Some(y)) => Ok(Value::Float(x as f64 / y as f64)),
        _ => combine(a, b, Count::floor_divide, |x, y| x / y),
    }
}

fn rounded(operator: &str, a: &Value) -> Lowered {
    if let Value::Int(count) = a {
        return Ok(Value::Int(*count));
    }
    let number = as_float(a)?;
    Ok(Value::int(match operator {
        "aten::ceil" => number.ceil(),
        "aten::floor" => number.floor(),
        "aten::round" => number.round_ties_even(),
        _ => number.trunc(),
    } as i64))
}

fn compare(a: &Value, b: &Value, holds: impl Fn(Ordering) -> bool) -> Lowered {
    let outcome = match (as_count(a), as_count(b)) {
        (Some(x), Some(y)) => x.compare(y, holds),
        _ => as_float(a)?.partial_cmp(&as_float(b)?).map(holds).or(Some(false)),
    };
    match outcome {
        Some(flag) => Ok(Value::Bool(flag)),
        None => unsupported("a comparison whose result depends on the batch size"),
    }
}

fn larger(maximum: bool, a: &Value, b: &Value) -> Lowered {
    let greater = compare(a, b, Ordering::is_gt)?;
    Ok(if (truth(&greater) == Some(true)) == maximum { a.clone() } else { b.clone() })
}

fn range_length(call: &Call) -> Lowered {
    let (low, high, step) = (integer(call.at(0))?, integer(call.at(1))?, integer(call.at(2))?);
    let length = match step {
        0 => return Err(Fault::Invalid("the step of the range is zero".into())),
        1.. => high.saturating_sub(low).max(0).saturating_add(step - 1) / step,
        _ => {
            let step = step.saturating_neg();
            low.saturating_sub(high).max(0).saturating_add(step - 1) / step
        }
    };
    Ok(Value::int(length))
}

fn derive_index(call: &Call) -> Lowered {
    let (index, start, step) = (integer(call.at(0))?, integer(call.at(1))?, integer(call.at(2))?);
    let value = index.checked_mul(step).and_then(|v| v.checked_add(start));
    value.map(Value::int).ok_or_else(|| Fault::Invalid("the range exceeds 64 bits".into()))
}

fn integer(value: &Value) -> Lowered<i64> {
    crate::call::as_int(value)
}

/// A number as tracing keeps it: a tensor without axes.
fn wrapped(number: &Value) -> Lowered<Tensor> {
    Ok(match number {
        Value::Float(number) => Tensor::f_from_slice(&[*number])?,
        Value::Bool(flag) => Tensor::f_from_slice(&[*flag])?,
        other => Tensor::f_from_slice(&[integer(other)?])?,
    }
    .f_reshape([0i64; 0])?)
}

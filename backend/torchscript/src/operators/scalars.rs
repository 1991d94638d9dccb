//! Arithmetic on numbers and sizes, and questions about tensors whose answer is a number.
//!
//! Traced code wraps sizes in tensors without axes (`aten::size`, `prim::NumToTensor`, `aten::Int`); here they stay numbers.

use std::cmp::Ordering;

use eagleeye_graph::Count;
use tch::{Kind, Tensor};

use super::folding::{Folded, FoldedFamily};
use super::truth;
use crate::call::{Call, as_float, as_int};
use crate::fault::{Fault, Lowered, unsupported};
use crate::known::{known, known_entries, known_scalar, known_whole};
use crate::lowering::Lowering;
use crate::tensors::{self, is_float, number_of};
use crate::value::{Content, TensorRef, Value};

pub const FAMILIES: [FoldedFamily; 5] = [
    FoldedFamily { title: "Values of any kind", applies: |_| true, operators: ANYTHING },
    FoldedFamily {
        title: "Sizes and types of tensors, and numbers in them",
        applies: |call| matches!(call.at(0), Value::Tensor(_)),
        operators: TENSORS,
    },
    FoldedFamily {
        title: "Sizes that depend on the batch",
        applies: |call| depends_on_batch(call.at(0)),
        operators: BATCH_SIZES,
    },
    FoldedFamily { title: "A number or a size", applies: |call| is_number(call.at(0)), operators: NUMBERS },
    FoldedFamily { title: "Two numbers or sizes", applies: |call| pair(call).is_some(), operators: PAIRS },
];

/// Operators that do not look into their arguments.
const ANYTHING: &[Folded] = &[
    Folded::of_parts("aten::__is__", |_, call| Ok(Value::Bool(call.at(0).same(call.at(1))))),
    Folded::of_parts("aten::__isnot__", |_, call| Ok(Value::Bool(!call.at(0).same(call.at(1))))),
    Folded::of_parts("prim::unchecked_cast", |_, call| Ok(call.at(0).clone())),
    Folded::of_parts("prim::unchecked_unwrap_optional", |_, call| Ok(call.at(0).clone())),
    Folded::new("prim::Uninitialized", |_, _| Ok(Value::None)),
    Folded::new("prim::Print", |_, _| Ok(Value::None)),
    Folded::new("aten::warn", |_, _| Ok(Value::None)),
    Folded::new("aten::manual_seed", |_, _| Ok(Value::None)),
    // What `eval()` under `torch.no_grad()` would say, but with gradients, so that the code takes its plain path and not a fused
    // one.
    Folded::new("aten::is_grad_enabled", |_, _| Ok(Value::Bool(true))),
    Folded::new("prim::requires_grad", |_, _| Ok(Value::Bool(true))),
    Folded::new("prim::is_cuda", |_, _| Ok(Value::Bool(false))),
    Folded::new("prim::is_mkldnn", |_, _| Ok(Value::Bool(false))),
    Folded::new("prim::is_quantized", |_, _| Ok(Value::Bool(false))),
    Folded::new("prim::is_sparse", |_, _| Ok(Value::Bool(false))),
    Folded::new("prim::is_nested", |_, _| Ok(Value::Bool(false))),
    Folded::new("aten::is_nested", |_, _| Ok(Value::Bool(false))),
    Folded::new("aten::is_autocast_enabled", |_, _| Ok(Value::Bool(false))),
    Folded::new("aten::is_autocast_cpu_enabled", |_, _| Ok(Value::Bool(false))),
    Folded::new("aten::_get_tracing_state", |_, _| Ok(Value::Bool(false))),
    Folded::new("aten::has_torch_function", |_, _| Ok(Value::Bool(false))),
];

const TENSORS: &[Folded] = &[
    Folded::new("aten::size", |lo, call| size(lo, call)),
    Folded::new("aten::dim", |lo, call| Ok(Value::int(lo.shape_of(&call.tensor(0)?)?.len() as i64))),
    Folded::new("aten::len", |lo, call| {
        let shape = lo.shape_of(&call.tensor(0)?)?;
        Ok(shape.first().map_or(Value::int(0), |&dim| Value::Int(Count::of(dim))))
    }),
    Folded::new("aten::numel", |lo, call| elements(lo, call)),
    Folded::new("aten::is_floating_point", |_, call| {
        Ok(Value::Bool(constant_kind(&call.tensor(0)?).is_none_or(is_float)))
    }),
    Folded::new("prim::device", |_, _| Ok(Value::String("cpu".into()))),
    Folded::new("prim::dtype", |lo, call| element_type(lo, call)),
    Folded::new("prim::layout", |_, _| Ok(Value::int(0))),
    Folded::new("aten::Int", |_, call| in_tensor(call, whole)),
    Folded::new("aten::IntImplicit", |_, call| in_tensor(call, whole)),
    Folded::new("aten::Float", |_, call| in_tensor(call, |_, number| Value::Float(number))),
    Folded::new("aten::FloatImplicit", |_, call| in_tensor(call, |_, number| Value::Float(number))),
    Folded::new("aten::Bool", |_, call| in_tensor(call, |_, number| Value::Bool(number != 0.0))),
    Folded::new("aten::ScalarImplicit", |_, call| in_tensor(call, of_its_kind)),
    Folded::new("aten::item", |_, call| in_tensor(call, of_its_kind)),
];

/// A number that depends on the batch stays one, whatever wraps it: it is calculated with exactly.
const BATCH_SIZES: &[Folded] = &[
    Folded::new("prim::NumToTensor", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::scalar_tensor", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::tensor", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::as_tensor", |_, call| Ok(call.at(0).clone())),
];

const NUMBERS: &[Folded] = &[
    Folded::new("prim::NumToTensor", |_, call| wrapped(call.at(0)).map(known)),
    Folded::new("aten::ScalarImplicit", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::item", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::detach", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::to", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::clone", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::contiguous", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::cpu", |_, call| Ok(call.at(0).clone())),
    Folded::new("aten::Int", |_, call| Ok(truncated(call.at(0)))),
    Folded::new("aten::IntImplicit", |_, call| Ok(truncated(call.at(0)))),
    Folded::new("aten::Float", |_, call| as_float(call.at(0)).map(Value::Float)),
    Folded::new("aten::FloatImplicit", |_, call| as_float(call.at(0)).map(Value::Float)),
    Folded::new("aten::Bool", |_, call| known_truth(call.at(0)).map(Value::Bool)),
    Folded::new("aten::__not__", |_, call| known_truth(call.at(0)).map(|flag| Value::Bool(!flag))),
    Folded::new("aten::neg", |_, call| combine(&Value::int(0), call.at(0), Count::subtract, |x, y| x - y)),
    Folded::new("aten::abs", |_, call| absolute(call.at(0))),
    Folded::new("aten::ceil", |_, call| rounded(call.at(0), f64::ceil)),
    Folded::new("aten::floor", |_, call| rounded(call.at(0), f64::floor)),
    Folded::new("aten::round", |_, call| rounded(call.at(0), f64::round_ties_even)),
    Folded::new("aten::trunc", |_, call| rounded(call.at(0), f64::trunc)),
    Folded::new("aten::sqrt", |_, call| as_float(call.at(0)).map(|x| Value::Float(x.sqrt()))),
    Folded::new("aten::exp", |_, call| as_float(call.at(0)).map(|x| Value::Float(x.exp()))),
    Folded::new("aten::log", |_, call| as_float(call.at(0)).map(|x| Value::Float(x.ln()))),
    Folded::new("aten::__range_length", |_, call| range_length(call)),
    Folded::new("aten::__derive_index", |_, call| derive_index(call)),
];

/// An operator on two numbers.
macro_rules! on_two {
    ($name:literal, $compute:expr) => {
        Folded::new($name, |_, call| match pair(call) {
            Some((a, b)) => {
                let compute: fn(&Value, &Value) -> Lowered = $compute;
                compute(&a, &b)
            }
            None => Err(Fault::Unknown),
        })
    };
}

const PAIRS: &[Folded] = &[
    Folded::new("aten::add", |_, call| sum(call, Count::add, |x, y| x + y)),
    Folded::new("aten::sub", |_, call| sum(call, Count::subtract, |x, y| x - y)),
    Folded::new("aten::rsub", |_, call| sum(call, |x, y| y.subtract(x), |x, y| y - x)),
    on_two!("aten::mul", |a, b| combine(a, b, Count::multiply, |x, y| x * y)),
    Folded::new("aten::div", |_, call| divided(call)),
    on_two!("aten::floordiv", floor_divided),
    on_two!("aten::floor_divide", floor_divided),
    on_two!("aten::remainder", |a, b| combine(a, b, Count::remainder, |x, y| x - y * (x / y).floor())),
    on_two!("aten::fmod", |a, b| Ok(Value::Float(as_float(a)? % as_float(b)?))),
    on_two!("aten::pow", |a, b| Ok(Value::Float(as_float(a)?.powf(as_float(b)?)))),
    on_two!("aten::eq", |a, b| compare(a, b, Ordering::is_eq).map(Value::Bool)),
    on_two!("aten::ne", |a, b| compare(a, b, Ordering::is_ne).map(Value::Bool)),
    on_two!("aten::lt", |a, b| compare(a, b, Ordering::is_lt).map(Value::Bool)),
    on_two!("aten::le", |a, b| compare(a, b, Ordering::is_le).map(Value::Bool)),
    on_two!("aten::gt", |a, b| compare(a, b, Ordering::is_gt).map(Value::Bool)),
    on_two!("aten::ge", |a, b| compare(a, b, Ordering::is_ge).map(Value::Bool)),
    on_two!("aten::__and__", |a, b| bitwise(a, b, |x, y| x && y, |x, y| x & y)),
    on_two!("aten::__or__", |a, b| bitwise(a, b, |x, y| x || y, |x, y| x | y)),
    on_two!("prim::max", |a, b| Ok(if compare(a, b, Ordering::is_gt)? { a.clone() } else { b.clone() })),
    on_two!("prim::min", |a, b| Ok(if compare(a, b, Ordering::is_gt)? { b.clone() } else { a.clone() })),
];

/// PyTorch's number for `torch.float32`, the type that every activation has.
const FLOAT32: i64 = 6;

fn size(lo: &Lowering, call: &Call) -> Lowered {
    let shape = lo.shape_of(&call.tensor(0)?)?;
    if matches!(call.at(1), Value::None) {
        return Ok(Value::list(shape.iter().map(|&dim| Value::Int(Count::of(dim))).collect()));
    }
    let axis = call.axis("dim", shape.len())?;
    Ok(Value::Int(Count::of(shape[axis])))
}

fn elements(lo: &Lowering, call: &Call) -> Lowered {
    let shape = lo.shape_of(&call.tensor(0)?)?;
    let product = shape.iter().try_fold(Count::fixed(1), |n, &dim| n.multiply(Count::of(dim)));
    product.map(Value::Int).ok_or_else(|| Fault::Invalid("the tensor has too many elements".into()))
}

fn element_type(lo: &Lowering, call: &Call) -> Lowered {
    let tensor = call.tensor(0)?;
    let cast = || lo.element_of(&tensor).filter(|element| element.is_float()).map(tensors::kind);
    let number = constant_kind(&tensor).and_then(number_of).or_else(|| cast().and_then(number_of));
    Ok(Value::int(number.unwrap_or(FLOAT32)))
}

/// The element type of a constant.
fn constant_kind(tensor: &TensorRef) -> Option<Kind> {
    match tensor.content()? {
        Content::Known(known) | Content::Batched([known, _]) => Some(known.kind()),
        Content::Graph(_) => None,
    }
}

/// The number in a tensor of one element.
fn in_tensor(call: &Call, converted: impl Fn(&TensorRef, f64) -> Value) -> Lowered {
    let tensor = call.tensor(0)?;
    match known_scalar(&tensor) {
        Some(number) => Ok(converted(&tensor, number)),
        None if constant_kind(&tensor).is_some() => {
            unsupported("takes a number that depends on the batch size but is not a multiple of it")
        }
        None => unsupported("reads a number from an activation"),
    }
}

fn whole(tensor: &TensorRef, number: f64) -> Value {
    Value::int(known_whole(tensor).unwrap_or(number as i64))
}

fn of_its_kind(tensor: &TensorRef, number: f64) -> Value {
    match known_whole(tensor) {
        Some(whole) => Value::int(whole),
        None if constant_kind(tensor) == Some(Kind::Bool) => Value::Bool(number != 0.0),
        None => Value::Float(number),
    }
}

fn depends_on_batch(value: &Value) -> bool {
    matches!(value, Value::Int(count) if count.known().is_none())
}

fn is_number(value: &Value) -> bool {
    matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_))
}

/// The two numbers that a call is about. One that tracing wrote as a tensor without axes is taken for a number where the other is
/// a size that depends on the batch.
fn pair(call: &Call) -> Option<(Value, Value)> {
    let (a, b) = (call.at(0), call.at(1));
    if depends_on_batch(b)
        && let Some(a) = whole_number(a)
    {
        return Some((a, b.clone()));
    }
    if depends_on_batch(a)
        && let Some(b) = whole_number(b)
    {
        return Some((a.clone(), b));
    }
    (is_number(a) && is_number(b)).then(|| (a.clone(), b.clone()))
}

/// The whole number in a known tensor without axes.
fn whole_number(value: &Value) -> Option<Value> {
    let Value::Tensor(tensor) = value else { return None };
    let number = known_scalar(tensor).filter(|number| number.fract() == 0.0)?;
    (known_entries(tensor)?.dim() == 0).then(|| Value::int(number as i64))
}

fn known_truth(value: &Value) -> Lowered<bool> {
    match truth(value) {
        Some(flag) => Ok(flag),
        None => unsupported("depends on the batch size"),
    }
}

fn truncated(number: &Value) -> Value {
    match number {
        Value::Float(number) => Value::int(number.trunc() as i64),
        Value::Bool(flag) => Value::int(i64::from(*flag)),
        other => other.clone(),
    }
}

fn absolute(a: &Value) -> Lowered {
    let result = as_float(a)?.abs();
    Ok(if matches!(a, Value::Float(_)) { Value::Float(result) } else { Value::int(result as i64) })
}

fn rounded(a: &Value, round: impl Fn(f64) -> f64) -> Lowered {
    match a {
        Value::Int(count) => Ok(Value::Int(*count)),
        other => Ok(Value::int(round(as_float(other)?) as i64)),
    }
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

/// A sum or a difference, which tracing writes with a factor of 1.
fn sum(call: &Call, whole: impl Fn(Count, Count) -> Option<Count>, float: impl Fn(f64, f64) -> f64) -> Lowered {
    let (a, b) = pair(call).ok_or(Fault::Unknown)?;
    if call.float_or("alpha", 1.0)? != 1.0 {
        return unsupported("adds a multiple of a size");
    }
    combine(&a, &b, whole, float)
}

fn divided(call: &Call) -> Lowered {
    let (a, b) = pair(call).ok_or(Fault::Unknown)?;
    match call.text("rounding_mode").as_deref() {
        Some("floor") => floor_divided(&a, &b),
        Some("trunc") => Ok(Value::int((as_float(&a)? / as_float(&b)?).trunc() as i64)),
        _ => true_division(&a, &b),
    }
}

fn floor_divided(a: &Value, b: &Value) -> Lowered {
    combine(a, b, Count::floor_divide, |x, y| (x / y).floor())
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

fn compare(a: &Value, b: &Value, holds: impl Fn(Ordering) -> bool) -> Lowered<bool> {
    let outcome = match (as_count(a), as_count(b)) {
        (Some(x), Some(y)) => x.compare(y, holds),
        _ => as_float(a)?.partial_cmp(&as_float(b)?).map(holds).or(Some(false)),
    };
    match outcome {
        Some(flag) => Ok(flag),
        None => unsupported("a comparison whose result depends on the batch size"),
    }
}

/// Python's `&` and `|`: of two truths a truth, of whole numbers bit by bit.
fn bitwise(a: &Value, b: &Value, truths: impl Fn(bool, bool) -> bool, bits: impl Fn(i64, i64) -> i64) -> Lowered {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(Value::Bool(truths(*a, *b))),
        _ => Ok(Value::int(bits(as_int(a)?, as_int(b)?))),
    }
}

fn range_length(call: &Call) -> Lowered {
    let (low, high, step) = (as_int(call.at(0))?, as_int(call.at(1))?, as_int(call.at(2))?);
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
    let (index, start, step) = (as_int(call.at(0))?, as_int(call.at(1))?, as_int(call.at(2))?);
    let value = index.checked_mul(step).and_then(|v| v.checked_add(start));
    value.map(Value::int).ok_or_else(|| Fault::Invalid("the range exceeds 64 bits".into()))
}

/// A number as tracing keeps it: a tensor without axes.
fn wrapped(number: &Value) -> Lowered<Tensor> {
    Ok(match number {
        Value::Float(number) => Tensor::f_from_slice(&[*number])?,
        Value::Bool(flag) => Tensor::f_from_slice(&[*flag])?,
        other => Tensor::f_from_slice(&[as_int(other)?])?,
    }
    .f_reshape([0i64; 0])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_two(name: &str, a: Value, b: Value) -> Value {
        let operator = PAIRS.iter().find(|operator| operator.name == name).unwrap();
        let call = Call { operator: name, overload: "int", name: "n".into(), arguments: vec![a, b], names: &[] };
        (operator.compute)(&mut Lowering::new("net"), &call).unwrap()
    }

    #[test]
    fn whole_numbers_are_combined_bit_by_bit_and_truths_as_truths() {
        assert!(matches!(on_two("aten::__and__", Value::int(6), Value::int(3)), Value::Int(n) if n.known() == Some(2)));
        assert!(matches!(on_two("aten::__or__", Value::int(4), Value::int(1)), Value::Int(n) if n.known() == Some(5)));
        assert!(matches!(on_two("aten::__and__", Value::Bool(true), Value::Bool(false)), Value::Bool(false)));
    }
}

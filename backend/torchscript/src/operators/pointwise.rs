//! Arithmetic of each entry.

use eagleeye_graph::compose::arithmetic;
use eagleeye_graph::{Binary, Compose, Dim, ElementType, Op, Unary, ValueId};
use tch::Kind;

use super::Operator;
use super::convolution::{fixed, scaled};
use super::masks::{as_mask, is_mask};
use crate::batched::{self, OneImage};
use crate::call::{Call, as_float, training};
use crate::fault::{Lowered, unsupported};
use crate::known::{content, known_scalar};
use crate::lowering::{Lowering, fresh};
use crate::tensors::{by_number, element};
use crate::value::{Content, TensorRef, Value};

macro_rules! same {
    ($name:literal) => {
        Operator { name: $name, becomes: "nothing: the same tensor", lower: same_tensor }
    };
}

pub const OPERATORS: &[Operator] = &[
    unary!("aten::rsqrt", "pow_scalar", Unary::PowScalar(-0.5)),
    unary!("aten::square", "pow_scalar", Unary::PowScalar(2.0)),
    composed!("aten::trunc", "sign, abs, floor and mul", arithmetic::truncated),
    composed!("aten::fix", "sign, abs, floor and mul", arithmetic::truncated),
    Operator { name: "aten::frac", becomes: "as trunc, then sub", lower: fraction },
    unary!("aten::sgn", "sign", Unary::Sign),
    unary!("aten::absolute", "abs", Unary::Abs),
    unary!("aten::negative", "neg", Unary::Neg),
    Operator { name: "aten::clamp", becomes: "clamp, or max and min with tensors", lower: clamp },
    Operator { name: "aten::clip", becomes: "clamp, or max and min with tensors", lower: clamp },
    Operator { name: "aten::clamp_min", becomes: "clamp", lower: clamp },
    Operator { name: "aten::clamp_max", becomes: "clamp", lower: clamp },
    Operator { name: "aten::pow", becomes: "pow_scalar or pow", lower: pow },
    Operator { name: "aten::add", becomes: "add or add_scalar", lower: add },
    Operator { name: "aten::sub", becomes: "sub or add_scalar", lower: sub },
    Operator { name: "aten::rsub", becomes: "sub or mul_scalar and add_scalar", lower: rsub },
    Operator { name: "aten::mul", becomes: "mul or mul_scalar", lower: mul },
    Operator { name: "aten::div", becomes: "div or mul_scalar; floor, or as trunc, if it rounds", lower: div },
    Operator { name: "aten::floor_divide", becomes: "div or mul_scalar, and floor", lower: div },
    Operator { name: "aten::remainder", becomes: "div, floor, mul and sub", lower: remainder },
    Operator { name: "aten::fmod", becomes: "div, as trunc, mul and sub", lower: remainder },
    Operator { name: "aten::addcmul", becomes: "mul, mul_scalar and add", lower: add_combined },
    Operator { name: "aten::addcdiv", becomes: "div, mul_scalar and add", lower: add_combined },
    Operator { name: "aten::lerp", becomes: "sub, mul or mul_scalar, and add", lower: interpolate },
    Operator { name: "aten::logaddexp", becomes: "sub, softplus and add", lower: log_add_exp },
    Operator { name: "aten::multiply", becomes: "mul or mul_scalar", lower: mul },
    Operator { name: "aten::divide", becomes: "div or mul_scalar; floor, or as trunc, if it rounds", lower: div },
    Operator { name: "aten::subtract", becomes: "sub or add_scalar", lower: sub },
    Operator { name: "aten::true_divide", becomes: "div or mul_scalar", lower: div },
    Operator { name: "aten::maximum", becomes: "max", lower: maximum },
    Operator { name: "aten::minimum", becomes: "min", lower: minimum },
    Operator { name: "aten::fmax", becomes: "max", lower: maximum },
    Operator { name: "aten::fmin", becomes: "min", lower: minimum },
    Operator {
        name: "aten::fake_quantize_per_tensor_affine",
        becomes: "div, round, add, clamp, sub and mul",
        lower: fake_quantise,
    },
    Operator {
        name: "aten::fake_quantize_per_channel_affine",
        becomes: "div, round, add, clamp, sub and mul",
        lower: fake_quantise,
    },
    Operator { name: "aten::native_dropout", becomes: "nothing: the same tensor; not in training", lower: dropout },
    Operator { name: "aten::dropout", becomes: "nothing: the same tensor; not in training", lower: dropout },
    Operator { name: "aten::feature_dropout", becomes: "nothing: the same tensor; not in training", lower: dropout },
    Operator { name: "aten::alpha_dropout", becomes: "nothing: the same tensor; not in training", lower: dropout },
    Operator {
        name: "aten::feature_alpha_dropout",
        becomes: "nothing: the same tensor; not in training",
        lower: dropout,
    },
    same!("aten::detach"),
    same!("aten::contiguous"),
    Operator {
        name: "aten::to",
        becomes: "nothing between float types; a comparison with 0 for bool, as trunc for ints",
        lower: converted,
    },
    Operator { name: "aten::type_as", becomes: "as to", lower: converted },
    Operator { name: "aten::float", becomes: "nothing between float types", lower: converted },
    same!("aten::cpu"),
    same!("aten::cuda"),
    same!("aten::alias"),
    same!("aten::positive"),
    same!("aten::requires_grad"),
    Operator { name: "aten::clone", becomes: "nothing: a copy", lower: copied },
    Operator { name: "aten::copy", becomes: "nothing: the copied tensor", lower: overwritten },
];

/// Dropout does nothing in `eval()`.
fn dropout(lo: &mut Lowering, call: &Call) -> Lowered {
    let by_default = call.operator == "aten::native_dropout" && !call.has("train");
    let trains = by_default || call.flag("train");
    if trains && call.float_or("p", 0.5)? > 0.0 { training(call) } else { same_tensor(lo, call) }
}

/// A cast. Every activation is `f32` in this engine, and an export casts between float types where the file did; casts to
/// other types are functions of the entries.
fn converted(lo: &mut Lowering, call: &Call) -> Lowered {
    let tensor = call.tensor(0)?;
    let Content::Graph(id) = content(&tensor)? else {
        return Ok(Value::Tensor(tensor));
    };
    let wanted = match (call.operator, call.get("dtype"), call.get("other")) {
        ("aten::float", _, _) => Some(ElementType::F32),
        (_, Value::Int(number), _) => match number.known().and_then(by_number).and_then(element) {
            Some(wanted) => Some(wanted),
            None => return unsupported("casts an activation to an unsupported element type"),
        },
        (_, _, Value::Tensor(other)) => lo.element_of(other),
        _ => None,
    };
    match wanted {
        Some(ElementType::Bool) => Ok(fresh(as_mask(lo, call, &tensor)?)),
        Some(wanted) if !wanted.is_float() && is_mask(lo, call, id) => Ok(Value::Tensor(tensor)),
        Some(wanted) if !wanted.is_float() => {
            let id = lo.value(call, &tensor)?;
            Ok(fresh(arithmetic::truncated(&mut lo.composer(call), id)?))
        }
        Some(wanted) if lo.element_of(&tensor) != Some(wanted) => {
            Ok(Value::Tensor(TensorRef::cast(Content::Graph(id), wanted)))
        }
        _ => Ok(Value::Tensor(tensor)),
    }
}

fn same_tensor(_: &mut Lowering, call: &Call) -> Lowered {
    Ok(Value::Tensor(call.tensor(0)?))
}

fn copied(_: &mut Lowering, call: &Call) -> Lowered {
    Ok(Value::Tensor(TensorRef::new(content(&call.tensor(0)?)?)))
}

/// `a.copy_(b)`: all of `a` becomes `b`, repeated where it is smaller.
fn overwritten(lo: &mut Lowering, call: &Call) -> Lowered {
    let (target, source) = (call.tensor(0)?, call.tensor(1)?);
    let wanted = lo.shape_of(&target)?;
    let same = lo.shape_of(&source)? == wanted;
    if matches!(content(&target)?, Content::Known(_)) && same {
        return Ok(Value::Tensor(TensorRef::new(content(&source)?)));
    }
    let source = lo.value(call, &source)?;
    if same { Ok(fresh(source)) } else { lo.emit(call, Op::Expand { shape: wanted }, &[source]) }
}

fn fraction(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let whole = arithmetic::truncated(&mut lo.composer(call), x)?;
    lo.emit(call, Op::Binary(Binary::Sub), &[x, whole])
}

fn clamp(lo: &mut Lowering, call: &Call) -> Lowered {
    let bound = |name: &str| match call.get(name) {
        Value::Tensor(tensor) => Ok(known_scalar(tensor)),
        _ => call.optional_float(name),
    };
    let (low, high) = (bound("min")?, bound("max")?);
    let by_tensor = |name: &str, number: Option<f64>| call.has(name) && number.is_none();
    if !by_tensor("min", low) && !by_tensor("max", high) {
        return lo.emit_unary(call, Unary::Clamp(low, high));
    }
    let mut x = lo.operand(call, 0)?;
    for (name, number, function) in [("min", low, Binary::Max), ("max", high, Binary::Min)] {
        if let Some(number) = number {
            let bounds = if function == Binary::Max { (Some(number), None) } else { (None, Some(number)) };
            x = lo.unary(call, Unary::Clamp(bounds.0, bounds.1), x)?;
        } else if let Some(bound) = lo.optional_operand(call, name)? {
            x = lo.binary(call, function, x, bound)?;
        }
    }
    Ok(fresh(x))
}

/// An operand: a number (also as a constant tensor of one entry), or a tensor of the graph.
pub(super) enum Operand {
    Number(f64),
    Graph(ValueId),
}

pub(super) fn operand(lo: &mut Lowering, call: &Call, value: &Value, other: &Value) -> Lowered<Operand> {
    let Value::Tensor(tensor) = value else {
        return as_float(value).map(Operand::Number);
    };
    let OneImage { entries, batch } = match content(tensor)? {
        Content::Graph(id) => return Ok(Operand::Graph(id)),
        Content::Known(entries) => OneImage { entries, batch: None },
        Content::Batched(samples) => batched::one_image(&samples)?,
    };
    let partner = match other {
        Value::Tensor(other) => lo.shape_of(other)?,
        _ => Vec::new(),
    };
    // What broadcasting gives anyhow is left to it: then a constant for every channel takes no part in what is pruned.
    let own = lo.shape_of(tensor)?;
    let Some(missing) = partner.len().checked_sub(own.len()) else { return lo.value(call, tensor).map(Operand::Graph) };
    let alike: Vec<usize> = (0..own.len()).filter(|&axis| own[axis] == partner[missing + axis]).collect();
    let small = lo.collapsed(&entries, &alike)?;
    let stays = batch.filter(|&(axis, _)| small.size()[axis] != 1 || partner[missing + axis] != own[axis]);
    match small.numel() {
        _ if stays.is_some() => lo.value(call, tensor).map(Operand::Graph),
        1 => Ok(Operand::Number(small.f_double_value(&vec![0; small.dim()])?)),
        _ => lo.constant(call, &small.f_to_kind(Kind::Float)?).map(Operand::Graph),
    }
}

pub(super) fn operands(lo: &mut Lowering, call: &Call) -> Lowered<(Operand, Operand)> {
    Ok((operand(lo, call, call.at(0), call.at(1))?, operand(lo, call, call.at(1), call.at(0))?))
}

fn add(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = operands(lo, call)?;
    sum(lo, call, a, b, call.float_or("alpha", 1.0)?)
}

fn sub(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = operands(lo, call)?;
    difference(lo, call, a, b, call.float_or("alpha", 1.0)?)
}

/// `b - alpha * a`
fn rsub(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = operands(lo, call)?;
    difference(lo, call, b, a, call.float_or("alpha", 1.0)?)
}

/// `a + alpha * b`
fn sum(lo: &mut Lowering, call: &Call, a: Operand, b: Operand, alpha: f64) -> Lowered {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => {
            let b = scaled(lo, call, b, alpha)?;
            lo.emit(call, Op::Binary(Binary::Add), &[a, b])
        }
        (Operand::Graph(a), Operand::Number(b)) => lo.emit(call, Op::Unary(Unary::AddScalar(alpha * b)), &[a]),
        (Operand::Number(a), Operand::Graph(b)) => {
            let b = scaled(lo, call, b, alpha)?;
            lo.emit(call, Op::Unary(Unary::AddScalar(a)), &[b])
        }
        (Operand::Number(a), Operand::Number(b)) => Ok(Value::Float(a + alpha * b)),
    }
}

/// `a - alpha * b`
fn difference(lo: &mut Lowering, call: &Call, a: Operand, b: Operand, alpha: f64) -> Lowered {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => {
            let b = scaled(lo, call, b, alpha)?;
            lo.emit(call, Op::Binary(Binary::Sub), &[a, b])
        }
        (a, b) => sum(lo, call, a, b, -alpha),
    }
}

fn mul(lo: &mut Lowering, call: &Call) -> Lowered {
    match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.emit(call, Op::Binary(Binary::Mul), &[a, b]),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            lo.emit(call, Op::Unary(Unary::MulScalar(c)), &[x])
        }
        (Operand::Number(a), Operand::Number(b)) => Ok(Value::Float(a * b)),
    }
}

fn div(lo: &mut Lowering, call: &Call) -> Lowered {
    let rounding = call.text("rounding_mode");
    let rounding = rounding.as_deref().or((call.operator == "aten::floor_divide").then_some("floor"));
    let quotient = match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Div, a, b)?,
        (Operand::Graph(a), Operand::Number(b)) => lo.unary(call, Unary::MulScalar(1.0 / b), a)?,
        (Operand::Number(a), Operand::Graph(b)) => {
            let inverse = lo.unary(call, Unary::Reciprocal, b)?;
            scaled(lo, call, inverse, a)?
        }
        (Operand::Number(a), Operand::Number(b)) if rounding.is_none() => return Ok(Value::Float(a / b)),
        (Operand::Number(_), Operand::Number(_)) => return unsupported("division of two numbers with rounding"),
    };
    Ok(fresh(match rounding {
        None => quotient,
        Some("floor") => lo.unary(call, Unary::Floor, quotient)?,
        Some("trunc") => arithmetic::truncated(&mut lo.composer(call), quotient)?,
        Some(other) => return unsupported(format!("division with rounding `{other}`")),
    }))
}

fn remainder(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = operands(lo, call)?;
    let c = &mut lo.composer(call);
    let mut graph = |operand| match operand {
        Operand::Graph(id) => Ok(id),
        Operand::Number(number) => c.number(number),
    };
    let (a, b) = (graph(a)?, graph(b)?);
    Ok(fresh(arithmetic::remainder(&mut lo.composer(call), a, b, call.operator == "aten::fmod")?))
}

/// `x + value * a * b` or `x + value * a / b`
fn add_combined(lo: &mut Lowering, call: &Call) -> Lowered {
    let function = if call.operator == "aten::addcdiv" { Binary::Div } else { Binary::Mul };
    let (x, a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?, lo.operand(call, 2)?);
    let both = lo.binary(call, function, a, b)?;
    let both = scaled(lo, call, both, call.float_or("value", 1.0)?)?;
    lo.emit(call, Op::Binary(Binary::Add), &[x, both])
}

fn interpolate(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    match operand(lo, call, call.at(2), call.at(0))? {
        Operand::Number(weight) => Ok(fresh(arithmetic::interpolated(&mut lo.composer(call), a, b, weight)?)),
        Operand::Graph(weight) => {
            let difference = lo.binary(call, Binary::Sub, b, a)?;
            let step = lo.binary(call, Binary::Mul, weight, difference)?;
            lo.emit(call, Op::Binary(Binary::Add), &[a, step])
        }
    }
}

/// `log(exp(a) + exp(b)) = a + softplus(b - a)`
fn log_add_exp(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let difference = lo.binary(call, Binary::Sub, b, a)?;
    let rest = lo.unary(call, Unary::Softplus, difference)?;
    lo.emit(call, Op::Binary(Binary::Add), &[a, rest])
}

fn fake_quantise(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let mut side = |index: usize| match operand(lo, call, call.at(index), &Value::None)? {
        Operand::Graph(id) => Ok(id),
        Operand::Number(number) => lo.composer(call).number(number),
    };
    let (mut scale, mut zero_point) = (side(1)?, side(2)?);
    if call.has("axis") {
        let rank = lo.shape(x).len();
        let axis = call.axis("axis", rank)?;
        let column = |size: usize| (axis..rank).map(|a| Dim::Fixed(if a == axis { size } else { 1 })).collect();
        let size = fixed(lo, x, axis)?;
        scale = lo.reshape(call, scale, column(size))?;
        zero_point = lo.reshape(call, zero_point, column(size))?;
    }
    let bounds = (call.float("quant_min")?, call.float("quant_max")?);
    Ok(fresh(arithmetic::fake_quantised(&mut lo.composer(call), x, scale, zero_point, bounds)?))
}

fn pow(lo: &mut Lowering, call: &Call) -> Lowered {
    match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.emit(call, Op::Binary(Binary::Pow), &[a, b]),
        (Operand::Graph(a), Operand::Number(b)) => lo.emit(call, Op::Unary(Unary::PowScalar(b)), &[a]),
        (Operand::Number(a), Operand::Graph(b)) if a > 0.0 => {
            let exponent = lo.unary(call, Unary::MulScalar(a.ln()), b)?;
            lo.emit(call, Op::Unary(Unary::Exp), &[exponent])
        }
        (Operand::Number(_), Operand::Graph(_)) => {
            unsupported("raises a number that is not positive to the power of an activation")
        }
        (Operand::Number(a), Operand::Number(b)) => Ok(Value::Float(a.powf(b))),
    }
}

fn maximum(lo: &mut Lowering, call: &Call) -> Lowered {
    extreme(lo, call, Binary::Max)
}

fn minimum(lo: &mut Lowering, call: &Call) -> Lowered {
    extreme(lo, call, Binary::Min)
}

pub(super) fn extreme(lo: &mut Lowering, call: &Call, function: Binary) -> Lowered {
    match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.emit(call, Op::Binary(function), &[a, b]),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            let bounds = if function == Binary::Max { (Some(c), None) } else { (None, Some(c)) };
            lo.emit(call, Op::Unary(Unary::Clamp(bounds.0, bounds.1)), &[x])
        }
        (Operand::Number(a), Operand::Number(b)) => {
            Ok(Value::Float(if function == Binary::Max { a.max(b) } else { a.min(b) }))
        }
    }
}

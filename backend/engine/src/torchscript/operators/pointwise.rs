//! Functions of each entry: activations and arithmetic.

use eagleeye_graph::{Binary, ElementType, Op, Unary, ValueId};
use tch::Kind;

use super::Operator;
use super::convolution::{fixed, scaled};
use crate::torchscript::batched::{self, OneImage};
use crate::torchscript::call::{Call, Lowered, as_float, training, unsupported};
use crate::torchscript::lowering::{Lowering, content, fresh, known_scalar};
use crate::torchscript::value::{Content, TensorRef, Value};

macro_rules! unary {
    ($name:literal, $becomes:literal, $function:expr) => {
        Operator { name: $name, becomes: $becomes, lower: |lo, call| lo.emit_unary(call, $function) }
    };
}

macro_rules! same {
    ($name:literal) => {
        Operator { name: $name, becomes: "nothing: the same tensor", lower: same_tensor }
    };
}

pub const OPERATORS: &[Operator] = &[
    unary!("aten::relu", "relu", Unary::Relu),
    unary!("aten::relu6", "clamp", Unary::Clamp(Some(0.0), Some(6.0))),
    unary!("aten::sigmoid", "sigmoid", Unary::Sigmoid),
    unary!("aten::hardsigmoid", "hard_sigmoid", Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }),
    unary!("aten::hardswish", "hard_swish", Unary::HardSwish),
    unary!("aten::silu", "silu", Unary::Silu),
    unary!("aten::selu", "selu", Unary::Selu),
    unary!("aten::mish", "mish", Unary::Mish),
    unary!("aten::tanh", "tanh", Unary::Tanh),
    unary!("aten::erf", "erf", Unary::Erf),
    unary!("aten::exp", "exp", Unary::Exp),
    unary!("aten::log", "log", Unary::Log),
    unary!("aten::sqrt", "sqrt", Unary::Sqrt),
    unary!("aten::rsqrt", "pow_scalar", Unary::PowScalar(-0.5)),
    unary!("aten::square", "pow_scalar", Unary::PowScalar(2.0)),
    unary!("aten::neg", "neg", Unary::Neg),
    unary!("aten::abs", "abs", Unary::Abs),
    unary!("aten::reciprocal", "reciprocal", Unary::Reciprocal),
    Operator { name: "aten::gelu", becomes: "gelu, exact or tanh", lower: gelu },
    Operator { name: "aten::leaky_relu", becomes: "leaky_relu", lower: leaky_relu },
    Operator { name: "aten::elu", becomes: "elu with scale 1", lower: elu },
    Operator { name: "aten::celu", becomes: "elu with alpha 1", lower: elu },
    Operator { name: "aten::softplus", becomes: "softplus with beta 1", lower: softplus },
    Operator { name: "aten::log_sigmoid", becomes: "neg and softplus", lower: log_sigmoid },
    Operator { name: "aten::threshold", becomes: "relu, for threshold and value 0", lower: threshold },
    Operator { name: "aten::hardtanh", becomes: "clamp", lower: hardtanh },
    Operator { name: "aten::clamp", becomes: "clamp with constant bounds", lower: clamp },
    Operator { name: "aten::clip", becomes: "clamp with constant bounds", lower: clamp },
    Operator { name: "aten::clamp_min", becomes: "clamp", lower: clamp },
    Operator { name: "aten::clamp_max", becomes: "clamp", lower: clamp },
    Operator { name: "aten::prelu", becomes: "prelu", lower: prelu },
    Operator { name: "aten::glu", becomes: "split, sigmoid and mul", lower: glu },
    Operator { name: "aten::pow", becomes: "pow_scalar or pow", lower: pow },
    Operator { name: "aten::add", becomes: "add or add_scalar", lower: add },
    Operator { name: "aten::sub", becomes: "sub or add_scalar", lower: sub },
    Operator { name: "aten::rsub", becomes: "sub or mul_scalar and add_scalar", lower: rsub },
    Operator { name: "aten::mul", becomes: "mul or mul_scalar", lower: mul },
    Operator { name: "aten::div", becomes: "div or mul_scalar; without rounding", lower: div },
    Operator { name: "aten::true_divide", becomes: "div or mul_scalar", lower: div },
    Operator { name: "aten::maximum", becomes: "max", lower: maximum },
    Operator { name: "aten::minimum", becomes: "min", lower: minimum },
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
    Operator { name: "aten::to", becomes: "nothing between float types", lower: converted },
    Operator { name: "aten::type_as", becomes: "nothing between float types", lower: converted },
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
    if call.flag("train") && call.float_or("p", 0.5)? > 0.0 { training(call) } else { same_tensor(lo, call) }
}

/// A cast: every activation is `f32` in this engine, and an export casts where the file did.
fn converted(lo: &mut Lowering, call: &Call) -> Lowered {
    let tensor = call.tensor(0)?;
    let wanted = match (call.operator, call.get("dtype"), call.get("other")) {
        ("aten::float", _, _) => Some(ElementType::F32),
        (_, Value::Int(number), _) => match number.known() {
            Some(5) => Some(ElementType::F16),
            Some(6) => Some(ElementType::F32),
            Some(7) => Some(ElementType::F64),
            Some(15) => Some(ElementType::Bf16),
            _ if !matches!(content(&tensor)?, Content::Graph(_)) => None,
            _ => return unsupported("of an activation to whole numbers"),
        },
        (_, _, Value::Tensor(other)) => lo.element_of(other).filter(|element| element.is_float()),
        _ => None,
    };
    match (wanted, content(&tensor)?) {
        (Some(wanted), Content::Graph(id)) if lo.element_of(&tensor) != Some(wanted) => {
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

/// `a.copy_(b)`: all of `a` becomes `b`.
fn overwritten(lo: &mut Lowering, call: &Call) -> Lowered {
    let (target, source) = (call.tensor(0)?, call.tensor(1)?);
    if lo.shape_of(&target)? != lo.shape_of(&source)? {
        return unsupported("copies into a tensor of another shape");
    }
    Ok(Value::Tensor(TensorRef::new(content(&source)?)))
}

fn gelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let tanh = call.text("approximate").as_deref() == Some("tanh");
    lo.emit_unary(call, Unary::Gelu { tanh })
}

fn leaky_relu(lo: &mut Lowering, call: &Call) -> Lowered {
    lo.emit_unary(call, Unary::LeakyRelu(call.float_or("negative_slope", 0.01)?))
}

fn elu(lo: &mut Lowering, call: &Call) -> Lowered {
    let alpha = call.float_or("alpha", 1.0)?;
    if call.float_or("scale", 1.0)? != 1.0 || call.float_or("input_scale", 1.0)? != 1.0 {
        return unsupported("elu with a scale");
    }
    if call.operator == "aten::celu" && alpha != 1.0 {
        return unsupported("celu with an alpha other than 1");
    }
    lo.emit_unary(call, Unary::Elu(alpha))
}

fn softplus(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.float_or("beta", 1.0)? != 1.0 {
        return unsupported("softplus with a beta other than 1");
    }
    lo.emit_unary(call, Unary::Softplus)
}

fn log_sigmoid(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let negated = lo.unary(call, Unary::Neg, x)?;
    let softplus = lo.unary(call, Unary::Softplus, negated)?;
    lo.emit(call, Op::Unary(Unary::Neg), &[softplus])
}

fn threshold(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.float("threshold")? != 0.0 || call.float("value")? != 0.0 {
        return unsupported("a threshold other than 0");
    }
    lo.emit_unary(call, Unary::Relu)
}

fn hardtanh(lo: &mut Lowering, call: &Call) -> Lowered {
    let (low, high) = (call.float_or("min_val", -1.0)?, call.float_or("max_val", 1.0)?);
    lo.emit_unary(call, Unary::Clamp(Some(low), Some(high)))
}

fn clamp(lo: &mut Lowering, call: &Call) -> Lowered {
    let bound = |name: &str| match call.get(name) {
        Value::Tensor(tensor) => match known_scalar(tensor) {
            Some(number) => Ok(Some(number)),
            None => unsupported("clamps by a tensor"),
        },
        _ => call.optional_float(name),
    };
    let (low, high) = (bound("min")?, bound("max")?);
    lo.emit_unary(call, Unary::Clamp(low, high))
}

fn prelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let slope = lo.value(call, &call.tensor(1)?)?;
    lo.emit(call, Op::PRelu, &[x, slope])
}

fn glu(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, &call.tensor(0)?)?;
    let axis = lo.axis(call.int_or("dim", -1)?, lo.shape(x).len())?;
    let half = fixed(lo, x, axis)? / 2;
    let halves = lo.builder.node(&call.name, Op::Split { axis, sizes: vec![half, half] }, &[x])?;
    let gate = lo.unary(call, Unary::Sigmoid, halves[1])?;
    lo.emit(call, Op::Binary(Binary::Mul), &[halves[0], gate])
}

/// An operand: a number (also as a constant tensor of one entry), or a tensor of the graph.
enum Operand {
    Number(f64),
    Graph(ValueId),
}

fn operand(lo: &mut Lowering, call: &Call, value: &Value, other: &Value) -> Lowered<Operand> {
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
    let small = batched::collapsed(lo, &entries, &alike)?;
    let stays = batch.filter(|&(axis, _)| small.size()[axis] != 1 || partner[missing + axis] != own[axis]);
    match small.numel() {
        _ if stays.is_some() => lo.value(call, tensor).map(Operand::Graph),
        1 => Ok(Operand::Number(small.f_double_value(&vec![0; small.dim()])?)),
        _ => lo.constant(call, &small.f_to_kind(Kind::Float)?).map(Operand::Graph),
    }
}

fn operands(lo: &mut Lowering, call: &Call) -> Lowered<(Operand, Operand)> {
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
    if call.has("rounding_mode") {
        return unsupported("division with rounding");
    }
    match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.emit(call, Op::Binary(Binary::Div), &[a, b]),
        (Operand::Graph(a), Operand::Number(b)) => lo.emit(call, Op::Unary(Unary::MulScalar(1.0 / b)), &[a]),
        (Operand::Number(a), Operand::Graph(b)) => {
            let inverse = lo.unary(call, Unary::Reciprocal, b)?;
            Ok(fresh(scaled(lo, call, inverse, a)?))
        }
        (Operand::Number(a), Operand::Number(b)) => Ok(Value::Float(a / b)),
    }
}

fn pow(lo: &mut Lowering, call: &Call) -> Lowered {
    match operands(lo, call)? {
        (Operand::Graph(a), Operand::Graph(b)) => lo.emit(call, Op::Binary(Binary::Pow), &[a, b]),
        (Operand::Graph(a), Operand::Number(b)) => lo.emit(call, Op::Unary(Unary::PowScalar(b)), &[a]),
        (Operand::Number(a), Operand::Graph(b)) if a > 0.0 => {
            let exponent = lo.unary(call, Unary::MulScalar(a.ln()), b)?;
            lo.emit(call, Op::Unary(Unary::Exp), &[exponent])
        }
        (Operand::Number(_), Operand::Graph(_)) => unsupported("a power of a negative number"),
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

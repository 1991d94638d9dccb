//! Functions of each entry: activations and arithmetic.

use eagleeye_graph::compose::arithmetic;
use eagleeye_graph::{Binary, Op, Shape, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::{invalid, unsupported};
use crate::import::lowering::Lowering;

macro_rules! unary {
    ($name:literal, $becomes:literal, $function:expr) => {
        Operator { name: $name, becomes: $becomes, lower: |lo, call| unary(lo, call, $function) }
    };
}

pub const OPERATORS: &[Operator] = &[
    unary!("Mish", "mish", Unary::Mish),
    Operator { name: "LeakyRelu", becomes: "leaky_relu", lower: leaky_relu },
    Operator { name: "Elu", becomes: "elu", lower: elu },
    Operator { name: "Celu", becomes: "elu; with mul_scalar before and after it where alpha is not 1", lower: celu },
    Operator { name: "Selu", becomes: "selu with the standard constants", lower: selu },
    Operator { name: "HardSigmoid", becomes: "hard_sigmoid", lower: hard_sigmoid },
    Operator { name: "Gelu", becomes: "gelu, exact or tanh", lower: gelu },
    Operator { name: "Swish", becomes: "silu, or sigmoid and mul", lower: swish },
    Operator { name: "Softsign", becomes: "abs, add_scalar and div", lower: softsign },
    Operator { name: "Shrink", becomes: "clamp and sub, or abs, less_or_equal and select", lower: shrink },
    Operator { name: "ThresholdedRelu", becomes: "relu, or less and select", lower: thresholded_relu },
    Operator {
        name: "PRelu",
        becomes: "prelu with a slope for each channel or one, else relu, neg, mul and sub",
        lower: prelu,
    },
    Operator { name: "Clip", becomes: "clamp, or max and min with activations", lower: clip },
    Operator { name: "Mod", becomes: "div, floor or sign, abs and floor, mul and sub", lower: remainder },
    Operator { name: "Add", becomes: "add or add_scalar", lower: |lo, call| pairwise(lo, call, sum) },
    Operator {
        name: "Sub",
        becomes: "sub, or mul_scalar and add_scalar",
        lower: |lo, call| pairwise(lo, call, difference),
    },
    Operator { name: "Mul", becomes: "mul or mul_scalar", lower: |lo, call| pairwise(lo, call, multiplied) },
    Operator { name: "Div", becomes: "div, mul_scalar or reciprocal", lower: |lo, call| pairwise(lo, call, quotient) },
    Operator { name: "Pow", becomes: "pow_scalar or pow", lower: |lo, call| pairwise(lo, call, power) },
    Operator { name: "Max", becomes: "max or clamp", lower: |lo, call| variadic(lo, call, maximum) },
    Operator { name: "Min", becomes: "min or clamp", lower: |lo, call| variadic(lo, call, minimum) },
    Operator { name: "Sum", becomes: "add", lower: |lo, call| variadic(lo, call, sum) },
    Operator { name: "Mean", becomes: "add and mul_scalar", lower: mean },
];

fn unary(lo: &mut Lowering, call: &Call, function: Unary) -> Lowered {
    let x = lo.value(call, 0)?;
    lo.emit(call, Op::Unary(function), &[x])
}

fn leaky_relu(lo: &mut Lowering, call: &Call) -> Lowered {
    unary(lo, call, Unary::LeakyRelu(call.float_or("alpha", 0.01)?))
}

fn elu(lo: &mut Lowering, call: &Call) -> Lowered {
    unary(lo, call, Unary::Elu(call.float_or("alpha", 1.0)?))
}

fn celu(lo: &mut Lowering, call: &Call) -> Lowered {
    let alpha = call.float_or("alpha", 1.0)?;
    let x = lo.value(call, 0)?;
    Ok(one(arithmetic::celu(&mut lo.composer(call), x, alpha)?))
}

fn selu(lo: &mut Lowering, call: &Call) -> Lowered {
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const GAMMA: f64 = 1.050_700_987_355_480_5;
    let near = |value: f64, usual: f64| (value - usual).abs() < 1e-5;
    if !near(call.float_or("alpha", ALPHA)?, ALPHA) || !near(call.float_or("gamma", GAMMA)?, GAMMA) {
        return unsupported("selu with non-standard constants");
    }
    unary(lo, call, Unary::Selu)
}

fn hard_sigmoid(lo: &mut Lowering, call: &Call) -> Lowered {
    let alpha = call.float_or("alpha", 0.2)?;
    // The attribute has the digits of `f32`; PyTorch's 1/6 is recognised.
    let alpha = if (alpha - 1.0 / 6.0).abs() < 1e-6 { 1.0 / 6.0 } else { alpha };
    unary(lo, call, Unary::HardSigmoid { alpha, beta: call.float_or("beta", 0.5)? })
}

fn gelu(lo: &mut Lowering, call: &Call) -> Lowered {
    match call.text("approximate")? {
        "" | "none" => unary(lo, call, Unary::Gelu { tanh: false }),
        "tanh" => unary(lo, call, Unary::Gelu { tanh: true }),
        other => unsupported(format!("the approximation `{other}`")),
    }
}

fn swish(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let scaled = lo.times(call, x, call.float_or("alpha", 1.0)?)?;
    let gate = lo.unary(call, Unary::Sigmoid, scaled)?;
    Ok(one(lo.binary(call, Binary::Mul, x, gate)?))
}

fn softsign(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    Ok(one(arithmetic::softsign(&mut lo.composer(call), x)?))
}

/// `x + bias` below `-lambd`, `x - bias` above `lambd`, else 0.
fn shrink(lo: &mut Lowering, call: &Call) -> Lowered {
    let (bound, bias) = (call.float_or("lambd", 0.5)?, call.float_or("bias", 0.0)?);
    let x = lo.value(call, 0)?;
    let c = &mut lo.composer(call);
    Ok(one(if bound == bias {
        arithmetic::soft_shrink(c, x, bound)?
    } else {
        arithmetic::hard_shrink(c, x, bound, bias)?
    }))
}

fn thresholded_relu(lo: &mut Lowering, call: &Call) -> Lowered {
    let bound = call.float_or("alpha", 1.0)?;
    let x = lo.value(call, 0)?;
    Ok(one(arithmetic::threshold(&mut lo.composer(call), x, bound, 0.0)?))
}

fn remainder(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let towards_zero = call.flag("fmod")?;
    Ok(one(arithmetic::remainder(&mut lo.composer(call), a, b, towards_zero)?))
}

/// The slope broadcasts to the input: `[C, 1, 1]` for channels at axis 1.
fn prelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, slope) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let sizes = shape::sample(lo.shape(slope));
    let count: usize = sizes.iter().product();
    let channels = lo.rank(x).checked_sub(sizes.len()).and_then(|missing| 1usize.checked_sub(missing));
    let per_channel = channels.and_then(|axis| sizes.get(axis)) == Some(&count);
    if count != 1 && !per_channel {
        // relu(x) - slope * relu(-x)
        let (positive, negated) = (lo.unary(call, Unary::Relu, x)?, lo.unary(call, Unary::Neg, x)?);
        let negative = lo.unary(call, Unary::Relu, negated)?;
        let sloped = lo.binary(call, Binary::Mul, slope, negative)?;
        return Ok(one(lo.binary(call, Binary::Sub, positive, sloped)?));
    }
    let slope = lo.reshape(call, slope, shape::fixed(&[count]))?;
    lo.emit(call, Op::PRelu, &[x, slope])
}

fn clip(lo: &mut Lowering, call: &Call) -> Lowered {
    let by_activation = |index: usize| matches!(call.input(index), Value::Graph(_));
    if by_activation(1) || by_activation(2) {
        return clip_by_activations(lo, call);
    }
    let mut bound = |index: usize, name: &str| {
        if !call.has(index) {
            return call.optional_float(name);
        }
        match lo.known(call, index)?.number() {
            Some(number) => Ok(Some(number)),
            None => invalid(format!("{name} is not a single number")),
        }
    };
    let (low, high) = (bound(1, "min")?, bound(2, "max")?);
    let low = low.filter(|&l| l > f64::from(f32::MIN));
    let high = high.filter(|&h| h < f64::from(f32::MAX));
    let x = lo.value(call, 0)?;
    match (low, high) {
        (None, None) => Ok(one(x)),
        (Some(0.0), None) => lo.emit(call, Op::Unary(Unary::Relu), &[x]),
        _ => lo.emit(call, Op::Unary(Unary::Clamp(low, high)), &[x]),
    }
}

fn clip_by_activations(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut x = lo.value(call, 0)?;
    for (index, function) in [(1, Binary::Max), (2, Binary::Min)] {
        if call.has(index) {
            let bound = lo.value(call, index)?;
            x = lo.binary(call, function, x, bound)?;
        }
    }
    Ok(one(x))
}

/// An operand: a number of the code, or a tensor of the graph.
#[derive(Clone, Copy)]
enum Operand {
    Number(f64),
    Graph(ValueId),
}

fn operand(lo: &mut Lowering, call: &Call, index: usize, other: Option<&Shape>) -> Lowered<Operand> {
    let value: &Value = call.input(index);
    let merged = lo.merged_number(value);
    if let (Some(number), Some(other)) = (merged.or_else(|| lo.number(value)), other) {
        // It may not change the shape of its partner.
        let shape = lo.shape_of(value)?;
        if shape::broadcast(other, &shape).is_ok_and(|both| both == *other) {
            return Ok(Operand::Number(number));
        }
    }
    lo.value(call, index).map(Operand::Graph)
}

type Pair = fn(&mut Lowering, &Call, Operand, Operand) -> Lowered<ValueId>;

fn pairwise(lo: &mut Lowering, call: &Call, apply: Pair) -> Lowered {
    let shapes = [lo.shape_of(call.input(0))?, lo.shape_of(call.input(1))?];
    let a = operand(lo, call, 0, Some(&shapes[1]))?;
    // One of two numbers has to be a tensor; both are only seen here where folding does not have the operator.
    let b = if matches!(a, Operand::Number(_)) {
        Operand::Graph(lo.value(call, 1)?)
    } else {
        operand(lo, call, 1, Some(&shapes[0]))?
    };
    Ok(one(apply(lo, call, a, b)?))
}

fn variadic(lo: &mut Lowering, call: &Call, apply: Pair) -> Lowered {
    if call.inputs.len() == 2 {
        return pairwise(lo, call, apply);
    }
    let mut result = lo.value(call, 0)?;
    for index in 1..call.inputs.len() {
        let shape = lo.shape(result).clone();
        let next = operand(lo, call, index, Some(&shape))?;
        result = apply(lo, call, Operand::Graph(result), next)?;
    }
    Ok(one(result))
}

fn mean(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut total = lo.value(call, 0)?;
    for index in 1..call.inputs.len() {
        let next = lo.value(call, index)?;
        total = lo.binary(call, Binary::Add, total, next)?;
    }
    Ok(one(lo.times(call, total, 1.0 / call.inputs.len() as f64)?))
}

fn sum(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Add, a, b),
        (Operand::Graph(x), Operand::Number(0.0)) | (Operand::Number(0.0), Operand::Graph(x)) => Ok(x),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            lo.unary(call, Unary::AddScalar(c), x)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

fn difference(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Sub, a, b),
        (Operand::Graph(x), Operand::Number(c)) => lo.unary(call, Unary::AddScalar(-c), x),
        (Operand::Number(c), Operand::Graph(x)) => {
            let negated = lo.unary(call, Unary::Neg, x)?;
            lo.unary(call, Unary::AddScalar(c), negated)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

fn multiplied(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) if a == b => lo.unary(call, Unary::PowScalar(2.0), a),
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Mul, a, b),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => lo.times(call, x, c),
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

fn quotient(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Div, a, b),
        (Operand::Graph(x), Operand::Number(c)) => lo.unary(call, Unary::MulScalar(1.0 / c), x),
        (Operand::Number(c), Operand::Graph(x)) => {
            let inverse = lo.unary(call, Unary::Reciprocal, x)?;
            lo.times(call, inverse, c)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

fn power(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Pow, a, b),
        (Operand::Graph(x), Operand::Number(c)) => lo.unary(call, Unary::PowScalar(c), x),
        (Operand::Number(c), Operand::Graph(x)) if c > 0.0 => {
            let exponent = lo.unary(call, Unary::MulScalar(c.ln()), x)?;
            lo.unary(call, Unary::Exp, exponent)
        }
        (Operand::Number(_), _) => unsupported("a power of a negative number"),
    }
}

fn maximum(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Max, a, b),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            lo.unary(call, Unary::Clamp(Some(c), None), x)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

fn minimum(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Min, a, b),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            lo.unary(call, Unary::Clamp(None, Some(c)), x)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("on two constants"),
    }
}

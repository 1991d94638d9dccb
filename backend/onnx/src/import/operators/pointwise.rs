//! Functions of each entry: activations and arithmetic.

use eagleeye_graph::{Binary, Op, Shape, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, invalid, one, unsupported};
use crate::import::lowering::Lowering;

macro_rules! unary {
    ($name:literal, $becomes:literal, $function:expr) => {
        Operator { name: $name, becomes: $becomes, lower: |lo, call| unary(lo, call, $function) }
    };
}

pub const OPERATORS: &[Operator] = &[
    unary!("Relu", "relu", Unary::Relu),
    unary!("Sigmoid", "sigmoid", Unary::Sigmoid),
    unary!("HardSwish", "hard_swish", Unary::HardSwish),
    unary!("Mish", "mish", Unary::Mish),
    unary!("Softplus", "softplus", Unary::Softplus),
    unary!("Tanh", "tanh", Unary::Tanh),
    unary!("Erf", "erf", Unary::Erf),
    unary!("Exp", "exp", Unary::Exp),
    unary!("Log", "log", Unary::Log),
    unary!("Sqrt", "sqrt", Unary::Sqrt),
    unary!("Neg", "neg", Unary::Neg),
    unary!("Abs", "abs", Unary::Abs),
    unary!("Reciprocal", "reciprocal", Unary::Reciprocal),
    Operator { name: "LeakyRelu", becomes: "leaky_relu", lower: leaky_relu },
    Operator { name: "Elu", becomes: "elu", lower: elu },
    Operator { name: "Celu", becomes: "elu, between mul_scalar where alpha is not 1", lower: celu },
    Operator { name: "Selu", becomes: "selu with the usual constants", lower: selu },
    Operator { name: "HardSigmoid", becomes: "hard_sigmoid", lower: hard_sigmoid },
    Operator { name: "Gelu", becomes: "gelu, exact or tanh", lower: gelu },
    Operator { name: "Swish", becomes: "silu, or sigmoid and mul", lower: swish },
    Operator { name: "Softsign", becomes: "abs, add_scalar and div", lower: softsign },
    Operator { name: "ThresholdedRelu", becomes: "relu, for alpha 0", lower: thresholded_relu },
    Operator { name: "PRelu", becomes: "prelu with a slope for each channel or one", lower: prelu },
    Operator { name: "Clip", becomes: "clamp with constant bounds", lower: clip },
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

/// `celu(x) = alpha * elu(x / alpha)`
fn celu(lo: &mut Lowering, call: &Call) -> Lowered {
    let alpha = call.float_or("alpha", 1.0)?;
    if alpha == 0.0 {
        return invalid("alpha is 0");
    }
    let x = lo.value(call, 0)?;
    let x = lo.times(call, x, 1.0 / alpha)?;
    let y = lo.unary(call, Unary::Elu(1.0), x)?;
    Ok(one(lo.times(call, y, alpha)?))
}

fn selu(lo: &mut Lowering, call: &Call) -> Lowered {
    const ALPHA: f64 = 1.673_263_242_354_377_2;
    const GAMMA: f64 = 1.050_700_987_355_480_5;
    let near = |value: f64, usual: f64| (value - usual).abs() < 1e-5;
    if !near(call.float_or("alpha", ALPHA)?, ALPHA) || !near(call.float_or("gamma", GAMMA)?, GAMMA) {
        return unsupported("selu with other constants than the usual ones");
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
    let size = lo.unary(call, Unary::Abs, x)?;
    let divisor = lo.unary(call, Unary::AddScalar(1.0), size)?;
    Ok(one(lo.binary(call, Binary::Div, x, divisor)?))
}

fn thresholded_relu(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.float_or("alpha", 1.0)? != 0.0 {
        return unsupported("a threshold other than 0");
    }
    unary(lo, call, Unary::Relu)
}

/// The slope broadcasts to the input: `[C, 1, 1]` for channels at axis 1.
fn prelu(lo: &mut Lowering, call: &Call) -> Lowered {
    let (x, slope) = (lo.value(call, 0)?, lo.value(call, 1)?);
    let sizes = shape::sample(lo.shape(slope));
    let count: usize = sizes.iter().product();
    let channels = lo.rank(x).checked_sub(sizes.len()).and_then(|missing| 1usize.checked_sub(missing));
    let per_channel = channels.and_then(|axis| sizes.get(axis)) == Some(&count);
    if count != 1 && !per_channel {
        return unsupported("a slope that varies along other axes than the channels");
    }
    let slope = lo.reshape(call, slope, shape::fixed(&[count]))?;
    lo.emit(call, Op::PRelu, &[x, slope])
}

fn clip(lo: &mut Lowering, call: &Call) -> Lowered {
    let mut bound = |index: usize, name: &str| {
        if !call.has(index) {
            return call.optional_float(name);
        }
        match lo.known(call, index)?.number() {
            Some(number) => Ok(Some(number)),
            None => invalid(format!("{name} is no single number")),
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
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
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
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
    }
}

fn multiplied(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) if a == b => lo.unary(call, Unary::PowScalar(2.0), a),
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Mul, a, b),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => lo.times(call, x, c),
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
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
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
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
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
    }
}

fn minimum(lo: &mut Lowering, call: &Call, a: Operand, b: Operand) -> Lowered<ValueId> {
    match (a, b) {
        (Operand::Graph(a), Operand::Graph(b)) => lo.binary(call, Binary::Min, a, b),
        (Operand::Graph(x), Operand::Number(c)) | (Operand::Number(c), Operand::Graph(x)) => {
            lo.unary(call, Unary::Clamp(None, Some(c)), x)
        }
        (Operand::Number(_), Operand::Number(_)) => unsupported("of two numbers"),
    }
}

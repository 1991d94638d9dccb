//! Functions of single elements, and of two tensors with broadcasting.

use std::f64::consts::{FRAC_2_PI, SQRT_2};

use eagleeye_graph::{Binary, Node, Unary};

use super::attribute::{float, int};
use super::error::ExportError;
use super::norm::per_channel;
use super::writer::{Tensor, Writer};
use crate::functions;
use crate::proto::tensor_proto::DataType;

/// Coefficient of the cube in the approximation of GELU by a hyperbolic tangent.
const GELU_CUBE: f64 = 0.044715;

pub(super) fn unary(writer: &mut Writer, function: Unary, x: Tensor) -> Result<Tensor, ExportError> {
    Ok(match function {
        Unary::HardSwish => {
            writer.needs(14, "HardSwish")?;
            writer.call("HardSwish", &[x], vec![])
        }
        Unary::Clamp(None, None) => x,
        Unary::Clamp(low, high) => {
            let low = low.map_or(Tensor::NONE, |v| writer.scalar("min", v));
            let high = high.map_or(Tensor::NONE, |v| writer.scalar("max", v));
            writer.call("Clip", &[x, low, high], vec![])
        }
        Unary::LeakyRelu(slope) => writer.call("LeakyRelu", &[x], vec![float("alpha", slope)]),
        Unary::Elu(alpha) => writer.call("Elu", &[x], vec![float("alpha", alpha)]),
        Unary::Selu => writer.call("Selu", &[x], vec![]),
        Unary::HardSigmoid { alpha, beta } => {
            writer.call("HardSigmoid", &[x], vec![float("alpha", alpha), float("beta", beta)])
        }
        Unary::Silu => {
            let gate = writer.call("Sigmoid", &[x], vec![]);
            writer.call("Mul", &[x, gate], vec![])
        }
        Unary::Gelu { tanh: false } => gelu(writer, x),
        Unary::Gelu { tanh: true } => gelu_by_tanh(writer, x),
        // ONNX's own Mish came with opset 18.
        Unary::Mish => {
            let softplus = writer.call("Softplus", &[x], vec![]);
            let gate = writer.call("Tanh", &[softplus], vec![]);
            writer.call("Mul", &[x, gate], vec![])
        }
        Unary::AddScalar(value) => with_scalar(writer, "Add", x, value),
        Unary::MulScalar(value) => with_scalar(writer, "Mul", x, value),
        Unary::PowScalar(exponent) => with_scalar(writer, "Pow", x, exponent),
        plain => writer.call(functions::name(plain).unwrap_or("Identity"), &[x], vec![]),
    })
}

fn with_scalar(writer: &mut Writer, operator: &'static str, x: Tensor, value: f64) -> Tensor {
    let value = writer.scalar("scalar", value);
    writer.call(operator, &[x, value], vec![])
}

/// `x / 2 * (1 + erf(x / sqrt(2)))`; ONNX's own Gelu came with opset 20.
fn gelu(writer: &mut Writer, x: Tensor) -> Tensor {
    let scaled = with_scalar(writer, "Div", x, SQRT_2);
    let erf = writer.call("Erf", &[scaled], vec![]);
    gelu_gate(writer, x, erf)
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))`
fn gelu_by_tanh(writer: &mut Writer, x: Tensor) -> Tensor {
    let cube = with_scalar(writer, "Pow", x, 3.0);
    let cube = with_scalar(writer, "Mul", cube, GELU_CUBE);
    let sum = writer.call("Add", &[x, cube], vec![]);
    let scaled = with_scalar(writer, "Mul", sum, FRAC_2_PI.sqrt());
    let tanh = writer.call("Tanh", &[scaled], vec![]);
    gelu_gate(writer, x, tanh)
}

/// `x * (1 + curve) / 2`, in the order of torch.onnx.
fn gelu_gate(writer: &mut Writer, x: Tensor, curve: Tensor) -> Tensor {
    let gate = with_scalar(writer, "Add", curve, 1.0);
    let gated = writer.call("Mul", &[x, gate], vec![]);
    with_scalar(writer, "Mul", gated, 0.5)
}

/// `inputs` are `x [N, C, ...]` and slope `[C]` or `[1]`, which ONNX aligns at the last axis.
pub(super) fn prelu(writer: &mut Writer, node: &Node, inputs: &[Tensor]) -> Tensor {
    let shared = writer.graph.shape(node.inputs[1])[0].sample() == 1;
    let rank = writer.graph.shape(node.inputs[0]).len();
    let slope = if shared { inputs[1] } else { per_channel(writer, inputs[1], rank) };
    writer.call("PRelu", &[inputs[0], slope], vec![])
}

/// Both sides broadcast as in PyTorch. Comparisons give truths, which are zeros and ones in the graph.
pub(super) fn binary(writer: &mut Writer, function: Binary, inputs: &[Tensor]) -> Tensor {
    let operator = match function {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Max => "Max",
        Binary::Min => "Min",
        Binary::Pow => "Pow",
        Binary::Less => "Less",
        Binary::LessOrEqual => "LessOrEqual",
        Binary::Equal => "Equal",
    };
    let y = writer.call(operator, inputs, vec![]);
    match function {
        Binary::Less | Binary::LessOrEqual | Binary::Equal => writer.numbers(y),
        _ => y,
    }
}

/// `condition`, and what is taken where it is not 0 and where it is.
pub(super) fn select(writer: &mut Writer, inputs: &[Tensor]) -> Tensor {
    let condition = writer.call("Cast", &[inputs[0]], vec![int("to", DataType::Bool as i64)]);
    writer.call("Where", &[condition, inputs[1], inputs[2]], vec![])
}

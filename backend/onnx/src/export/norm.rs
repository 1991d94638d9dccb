//! Normalisation layers. Where a layer has no scale or shift and ONNX demands one, it gets ones or zeros.

use eagleeye_graph::{Dim, Node};

use super::attribute::{float, int};
use super::error::ExportError;
use super::writer::{Tensor, Writer};

/// `inputs` as [`eagleeye_graph::Op::BatchNorm`] orders them: with affine five, without three.
pub(super) fn batch_norm(writer: &mut Writer, node: &Node, epsilon: f64, inputs: &[Tensor]) -> Tensor {
    let epsilon = vec![float("epsilon", epsilon)];
    match *inputs {
        [x, mean, variance] => {
            let channels = writer.graph.shape(node.inputs[0])[1].sample();
            let (ones, zeros) = (filled(writer, "scale", &[channels], 1.0), filled(writer, "shift", &[channels], 0.0));
            writer.call("BatchNormalization", &[x, ones, zeros, mean, variance], epsilon)
        }
        _ => writer.call("BatchNormalization", inputs, epsilon),
    }
}

/// `inputs` are `x`, scale and shift, the latter two optional.
pub(super) fn layer_norm(
    writer: &mut Writer,
    node: &Node,
    axes: usize,
    epsilon: f64,
    inputs: &[Tensor],
) -> Result<Tensor, ExportError> {
    writer.needs(17, "LayerNormalization")?;
    let attributes = vec![int("axis", -(axes as i64)), float("epsilon", epsilon)];
    let &[x] = inputs else { return Ok(writer.call("LayerNormalization", inputs, attributes)) };
    let shape = writer.graph.shape(node.inputs[0]);
    let normalised: Vec<usize> = shape[shape.len() - axes..].iter().map(|d| d.sample()).collect();
    let ones = filled(writer, "scale", &normalised, 1.0);
    Ok(writer.call("LayerNormalization", &[x, ones], attributes))
}

/// `inputs` are `x`, scale and shift, the latter two optional.
///
/// ONNX has group normalisation with a usable scale since opset 21; before, instance normalisation of the groups is the
/// common form.
pub(super) fn group_norm(writer: &mut Writer, node: &Node, groups: usize, epsilon: f64, inputs: &[Tensor]) -> Tensor {
    let shape = writer.graph.shape(node.inputs[0]).clone();
    let channels = shape[1].sample();
    let epsilon = vec![float("epsilon", epsilon)];
    if groups == channels && shape.len() > 2 {
        let scale = inputs.get(1).copied().unwrap_or_else(|| filled(writer, "scale", &[channels], 1.0));
        let shift = inputs.get(2).copied().unwrap_or_else(|| filled(writer, "shift", &[channels], 0.0));
        return writer.call("InstanceNormalization", &[inputs[0], scale, shift], epsilon);
    }
    let grouped = [shape[0], Dim::Fixed(groups), group_size(&shape, groups)];
    let x = writer.reshape(inputs[0], &grouped);
    let (ones, zeros) = (filled(writer, "ones", &[groups], 1.0), filled(writer, "zeros", &[groups], 0.0));
    let x = writer.call("InstanceNormalization", &[x, ones, zeros], epsilon);
    let mut x = writer.reshape(x, &shape);
    if let Some(&scale) = inputs.get(1) {
        let scale = per_channel(writer, scale, shape.len());
        x = writer.call("Mul", &[x, scale], vec![]);
    }
    if let Some(&shift) = inputs.get(2) {
        let shift = per_channel(writer, shift, shape.len());
        x = writer.call("Add", &[x, shift], vec![]);
    }
    x
}

/// Entries of one group, where any axis behind the channels may be the batch's.
fn group_size(shape: &[Dim], groups: usize) -> Dim {
    let size = shape[1..].iter().map(|d| d.sample()).product::<usize>() / groups;
    let fixed = shape[1..].iter().all(|d| matches!(d, Dim::Fixed(_)));
    if fixed { Dim::Fixed(size) } else { Dim::Batch(size) }
}

/// A `[C]` tensor that broadcasts against `[N, C, ...]` of the given rank.
pub(super) fn per_channel(writer: &mut Writer, tensor: Tensor, rank: usize) -> Tensor {
    let axes: Vec<i64> = (1..rank as i64 - 1).collect();
    if axes.is_empty() {
        return tensor;
    }
    let axes = writer.int64s("axes", &axes);
    writer.call("Unsqueeze", &[tensor, axes], vec![])
}

fn filled(writer: &mut Writer, what: &str, shape: &[usize], value: f32) -> Tensor {
    writer.floats(what, shape, &vec![value; shape.iter().product()])
}

//! Convolutions over one to three axes, plain, grouped and transposed.

use eagleeye_graph::{Conv, Node};

use super::attribute::{int, ints};
use super::writer::{Tensor, Writer};

/// `inputs` are `x`, weight and bias as [`eagleeye_graph::Op::Conv`] orders them, which is ONNX's order too.
pub(super) fn conv(writer: &mut Writer, node: &Node, conv: &Conv, inputs: &[Tensor]) -> Tensor {
    let kernel = writer.graph.shape(node.inputs[1]).iter().skip(2).map(|d| d.sample());
    let mut attributes = vec![
        ints("dilations", conv.dilation.iter().copied()),
        int("group", conv.groups as i64),
        ints("kernel_shape", kernel),
        ints("pads", begins_and_ends(&conv.padding)),
        ints("strides", conv.stride.iter().copied()),
    ];
    match &conv.transposed {
        None => writer.call("Conv", inputs, attributes),
        Some(extra) => {
            attributes.push(ints("output_padding", extra.iter().copied()));
            writer.call("ConvTranspose", inputs, attributes)
        }
    }
}

/// Pads in ONNX's order: before every axis, then behind every axis.
pub(super) fn begins_and_ends(padding: &[(usize, usize)]) -> impl Iterator<Item = usize> {
    padding.iter().map(|p| p.0).chain(padding.iter().map(|p| p.1))
}

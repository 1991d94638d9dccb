//! One arm per operation of the graph.

use eagleeye_graph::{Graph, Node, Op, Precision, TensorData};

use super::attribute::{int, ints};
use super::error::ExportError;
use super::opset::Opset;
use super::writer::{Lowered, Tensor, Writer};
use super::{adaptive, convolution, elementwise, layout, linear, norm, pooling, reduction, resize};

/// Lowers every node, in execution order. `weights` are the tensors of the graph's parameters.
pub(super) fn lower<'a>(
    opset: Opset,
    graph: &'a Graph,
    weights: &'a [TensorData],
    precision: &Precision,
) -> Result<Lowered<'a>, ExportError> {
    let mut writer = Writer::new(opset, graph, weights, precision);
    for node in &graph.nodes {
        writer.begin(node);
        let since = writer.mark();
        let outputs = outputs(&mut writer, node)?;
        writer.bind(node, &outputs, since);
    }
    Ok(writer.finish())
}

fn outputs(writer: &mut Writer, node: &Node) -> Result<Vec<Tensor>, ExportError> {
    let inputs = writer.inputs(node);
    let x = inputs[0];
    let one = match &node.op {
        Op::Split { axis, sizes } => return Ok(layout::split(writer, *axis, sizes, x)),
        Op::Conv(conv) => convolution::conv(writer, node, conv, &inputs),
        Op::Linear { transposed } => linear::linear(writer, node, *transposed, &inputs),
        Op::BatchNorm { epsilon } => norm::batch_norm(writer, node, *epsilon, &inputs),
        Op::LayerNorm { axes, epsilon } => norm::layer_norm(writer, node, *axes, *epsilon, &inputs)?,
        Op::GroupNorm { groups, epsilon } => norm::group_norm(writer, node, *groups, *epsilon, &inputs),
        Op::Unary(function) => elementwise::unary(writer, *function, x)?,
        Op::PRelu => elementwise::prelu(writer, node, &inputs),
        Op::Binary(function) => elementwise::binary(writer, *function, &inputs),
        Op::Select => elementwise::select(writer, &inputs),
        Op::MatMul => writer.call("MatMul", &inputs, vec![]),
        Op::Softmax { axis, log: false } => writer.call("Softmax", &[x], vec![int("axis", *axis as i64)]),
        Op::Softmax { axis, log: true } => writer.call("LogSoftmax", &[x], vec![int("axis", *axis as i64)]),
        Op::Pool(pool) => pooling::pool(writer, node, pool, x)?,
        Op::AdaptivePool { max, output } => adaptive::adaptive(writer, node, *max, output, x),
        Op::Reduce { kind, axes, keep_dims } => reduction::reduce(writer, *kind, axes, *keep_dims, x),
        Op::Resize { mode, output } => resize::resize(writer, node, *mode, output, x),
        Op::GridSample { mode, padding, align_corners } => {
            resize::grid_sample(writer, *mode, *padding, *align_corners, &inputs)?
        }
        Op::Reshape { shape } => layout::reshape(writer, shape, x)?,
        Op::Permute { order } => writer.call("Transpose", &[x], vec![ints("perm", order.iter().copied())]),
        Op::Expand { shape } => layout::expand(writer, node, shape, x)?,
        Op::Cat { axis } => writer.call("Concat", &inputs, vec![int("axis", *axis as i64)]),
        Op::Slice { axis, start, end, step } => layout::slice(writer, x, *axis, [*start, *end, *step]),
        Op::Gather { axis, indices } => layout::gather(writer, x, *axis, indices),
        Op::Pad { pads, mode } => layout::pad(writer, node, pads, *mode, x)?,
        Op::Roll { shifts } => layout::roll(writer, node, shifts, x),
    };
    Ok(vec![one])
}

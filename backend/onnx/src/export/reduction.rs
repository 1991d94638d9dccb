//! Reductions along axes.

use eagleeye_graph::Reduction;

use super::attribute::{int, ints};
use super::writer::{Tensor, Writer};

/// The axes of a sum are a tensor, those of the other reductions an attribute until opset 18.
pub(super) fn reduce(writer: &mut Writer, kind: Reduction, axes: &[usize], keep_dims: bool, x: Tensor) -> Tensor {
    let operator = match kind {
        // Without axes ONNX would reduce over all of them.
        _ if axes.is_empty() => return x,
        Reduction::Mean => "ReduceMean",
        Reduction::Sum => "ReduceSum",
        Reduction::Max => "ReduceMax",
        Reduction::Min => "ReduceMin",
        Reduction::Product => "ReduceProd",
    };
    let keep_dims = int("keepdims", i64::from(keep_dims));
    if kind == Reduction::Sum || writer.has(18) {
        let axes: Vec<i64> = axes.iter().map(|&a| a as i64).collect();
        let axes = writer.int64s("axes", &axes);
        return writer.call(operator, &[x, axes], vec![keep_dims]);
    }
    writer.call(operator, &[x], vec![ints("axes", axes.iter().copied()), keep_dims])
}

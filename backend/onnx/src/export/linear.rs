//! Products with a weight. The weight is stored as it is in the graph, so that its name and axes survive.

use eagleeye_graph::Node;

use super::attribute::{int, ints};
use super::writer::{Tensor, Writer};

/// `inputs` are `x [..., in]`, weight `[out, in]` (`[in, out]` when `transposed`) and bias, which may be missing.
pub(super) fn linear(writer: &mut Writer, node: &Node, transposed: bool, inputs: &[Tensor]) -> Tensor {
    if writer.graph.shape(node.inputs[0]).len() == 2 {
        return writer.call("Gemm", inputs, vec![int("transB", i64::from(!transposed))]);
    }
    let weight =
        if transposed { inputs[1] } else { writer.call("Transpose", &[inputs[1]], vec![ints("perm", [1, 0])]) };
    let product = writer.call("MatMul", &[inputs[0], weight], vec![]);
    match inputs.get(2) {
        Some(&bias) => writer.call("Add", &[product, bias], vec![]),
        None => product,
    }
}

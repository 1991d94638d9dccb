//! Parameters that stand below a fraction bar, such as the periods of rotary position embeddings.
//!
//! Their slices go with the channels like any other's. But where zeroed slices stand for removed ones, these must stay as they
//! are: a zero would make an infinity of a channel that is zero without it.

use std::collections::BTreeSet;

use eagleeye_graph::{Binary, Graph, Op, ParameterId, Unary, ValueId};

/// The parameters that the graph divides by, or takes logarithms of.
pub(crate) fn divisors(graph: &Graph) -> BTreeSet<ParameterId> {
    let mut found = BTreeSet::new();
    for node in &graph.nodes {
        let divisor = match &node.op {
            Op::Binary(Binary::Div) => node.inputs[1],
            Op::Unary(Unary::Reciprocal | Unary::Log) => node.inputs[0],
            Op::Unary(Unary::PowScalar(exponent)) if *exponent < 0.0 => node.inputs[0],
            _ => continue,
        };
        collect(graph, divisor, &mut found);
    }
    found
}

/// The parameters whose entries come to a value one by one, changed or moved but not summed.
fn collect(graph: &Graph, value: ValueId, found: &mut BTreeSet<ParameterId>) {
    let (mut open, mut seen) = (vec![value], BTreeSet::new());
    while let Some(value) = open.pop() {
        if !seen.insert(value) {
            continue;
        }
        if let Some(parameter) = graph.parameter_of(value) {
            found.insert(parameter);
        } else if let Some(node) = graph.producer(value).map(|id| graph.node(id)).filter(|node| is_entrywise(&node.op))
        {
            open.extend(&node.inputs);
        }
    }
}

fn is_entrywise(op: &Op) -> bool {
    let changes = matches!(op, Op::Unary(_) | Op::Binary(_));
    let moves = matches!(op, Op::Reshape { .. } | Op::Permute { .. } | Op::Expand { .. } | Op::Cat { .. });
    changes || moves || matches!(op, Op::Split { .. } | Op::Slice { .. } | Op::Gather { .. } | Op::Roll { .. })
}

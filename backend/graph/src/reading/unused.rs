//! Drops what no output needs: parts of fused operations, code that only asked for sizes, constants of branches that were not
//! taken.

use crate::builder::{BuildError, GraphBuilder};
use crate::ir::{Graph, Parameter, Source, ValueId};

/// The graph without unused nodes, and without unused parameters but those that stay in any case; and for every parameter of the
/// old graph whether it was kept. Kept ones stay in order.
///
/// # Errors
/// A graph that cannot be built again: one that does not hold together.
pub fn drop_unused(graph: &Graph, stays: impl Fn(&Parameter) -> bool) -> Result<(Graph, Vec<bool>), BuildError> {
    let needed = needed(graph);
    let mut builder = GraphBuilder::new(graph.name.clone());
    let mut renamed: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    let mut kept = vec![false; graph.parameters.len()];
    for &input in &graph.inputs {
        let value = graph.value(input);
        renamed[input.index()] = Some(builder.input(&value.name, value.shape.clone())?);
    }
    for (index, value) in graph.values.iter().enumerate() {
        let Source::Parameter(id) = value.source else { continue };
        let parameter = graph.parameter(id);
        if needed[index] || stays(parameter) {
            let (new, value) =
                builder.parameter(&parameter.name, &parameter.shape, parameter.element, parameter.kind)?;
            for alias in &parameter.aliases {
                builder.alias(new, alias)?;
            }
            kept[id.index()] = true;
            renamed[index] = Some(value);
        }
    }
    for node in graph.nodes.iter().filter(|node| node.outputs.iter().any(|o| needed[o.index()])) {
        let inputs: Vec<ValueId> = node.inputs.iter().filter_map(|i| renamed[i.index()]).collect();
        let outputs = builder.node(&node.name, node.op.clone(), &inputs)?;
        for (old, new) in node.outputs.iter().zip(outputs) {
            renamed[old.index()] = Some(new);
        }
    }
    let outputs: Vec<ValueId> = graph.outputs.iter().filter_map(|o| renamed[o.index()]).collect();
    Ok((builder.finish(&outputs)?, kept))
}

/// Which values an output depends on.
fn needed(graph: &Graph) -> Vec<bool> {
    let mut needed = vec![false; graph.values.len()];
    for output in &graph.outputs {
        needed[output.index()] = true;
    }
    for node in graph.nodes.iter().rev() {
        if node.outputs.iter().any(|o| needed[o.index()]) {
            for input in &node.inputs {
                needed[input.index()] = true;
            }
        }
    }
    needed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ParameterKind;
    use crate::ops::{Op, Unary};
    use crate::shape::Dim;
    use crate::tensor::ElementType;

    #[test]
    fn nodes_and_parameters_that_no_output_needs_are_dropped_unless_they_stay() {
        let mut builder = GraphBuilder::new("net");
        let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(4)]).unwrap();
        builder.parameter("mask", &[4], ElementType::F32, ParameterKind::Constant).unwrap();
        let (_, w) = builder.parameter("w", &[3, 4], ElementType::F32, ParameterKind::Parameter).unwrap();
        builder.parameter("spare", &[4], ElementType::F32, ParameterKind::Parameter).unwrap();
        builder.push("unused", Op::Unary(Unary::Relu), &[x]).unwrap();
        let y = builder.push("fc", Op::Linear { transposed: false }, &[x, w]).unwrap();
        let graph = builder.finish(&[y]).unwrap();
        let names = |graph: &Graph| graph.parameters.iter().map(|p| p.name.clone()).collect::<Vec<_>>();

        let (least, kept) = drop_unused(&graph, |_| false).unwrap();
        assert_eq!((names(&least), kept), (vec!["w".into()], vec![false, true, false]));
        assert_eq!(least.nodes.iter().map(|node| &node.name).collect::<Vec<_>>(), ["fc"]);

        let (stored, kept) = drop_unused(&graph, |parameter| parameter.kind != ParameterKind::Constant).unwrap();
        assert_eq!((names(&stored), kept), (vec!["w".into(), "spare".into()], vec![false, true, true]));
        assert_eq!(stored.outputs.len(), 1);
    }
}

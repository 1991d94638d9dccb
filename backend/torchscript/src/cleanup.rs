//! Drops what no output needs: code that only asked for sizes, constants of branches that were not taken.

use eagleeye_graph::{BuildError, Graph, GraphBuilder, ParameterKind, Source, ValueId};
use tch::Tensor;

/// The graph without unused nodes and constants. Stored tensors stay, used or not.
pub(super) fn drop_unused(graph: &Graph, weights: &[Tensor]) -> Result<(Graph, Vec<Tensor>), BuildError> {
    let needed = needed(graph);
    let mut builder = GraphBuilder::new(graph.name.clone());
    let mut renamed: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    let mut kept_weights = Vec::with_capacity(weights.len());
    for &input in &graph.inputs {
        let value = graph.value(input);
        renamed[input.index()] = Some(builder.input(&value.name, value.shape.clone())?);
    }
    let parameters = graph.values.iter().enumerate().filter_map(|(index, value)| match value.source {
        Source::Parameter(id) => Some((index, id)),
        _ => None,
    });
    for (index, id) in parameters {
        let parameter = graph.parameter(id);
        if needed[index] || parameter.kind != ParameterKind::Constant {
            let (new, value) =
                builder.parameter(&parameter.name, &parameter.shape, parameter.element, parameter.kind)?;
            for alias in &parameter.aliases {
                builder.alias(new, alias)?;
            }
            renamed[index] = Some(value);
            kept_weights.extend(weights.get(id.index()).map(Tensor::shallow_clone));
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
    Ok((builder.finish(&outputs)?, kept_weights))
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

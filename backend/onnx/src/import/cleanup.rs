//! Drops what no output needs: parts of fused operations, code that only asked for sizes.

use std::collections::HashSet;

use eagleeye_graph::{BuildError, Graph, GraphBuilder, ParameterId, Source, ValueId};

/// The graph without unused nodes and parameters, its outputs named as in the file, and for every parameter of the old graph
/// whether it was kept. Kept ones stay in order.
pub(super) fn drop_unused(graph: &Graph, output_names: &[String]) -> Result<(Graph, Vec<bool>), BuildError> {
    let needed = needed(graph);
    let mut builder = GraphBuilder::new(graph.name.clone());
    let mut renamed: Vec<Option<ValueId>> = vec![None; graph.values.len()];
    let mut kept = vec![false; graph.parameters.len()];
    for &input in &graph.inputs {
        let value = graph.value(input);
        renamed[input.index()] = Some(builder.input(&value.name, value.shape.clone())?);
    }
    for (index, value) in graph.values.iter().enumerate() {
        if let Source::Parameter(ParameterId(id)) = value.source
            && needed[index]
        {
            let parameter = graph.parameter(ParameterId(id));
            let (new, value) =
                builder.parameter(&parameter.name, &parameter.shape, parameter.element, parameter.kind)?;
            for alias in &parameter.aliases {
                builder.alias(new, alias)?;
            }
            kept[id as usize] = true;
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
    let mut graph = builder.finish(&outputs)?;
    name_outputs(&mut graph, output_names);
    Ok((graph, kept))
}

/// Gives the outputs their names, where no other value has them.
fn name_outputs(graph: &mut Graph, names: &[String]) {
    let mut taken: HashSet<String> = graph.values.iter().map(|value| value.name.clone()).collect();
    for (id, name) in graph.outputs.clone().into_iter().zip(names) {
        let value = &mut graph.values[id.index()];
        if matches!(value.source, Source::Node(..)) && taken.insert(name.clone()) {
            value.name.clone_from(name);
        }
    }
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

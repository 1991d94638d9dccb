//! Names the outputs as the file does, once what none of them needs is gone.

use std::collections::HashSet;

use eagleeye_graph::reading::drop_unused;
use eagleeye_graph::{BuildError, Graph, Source};

/// The graph without unused nodes and parameters, its outputs named as in the file, and for every parameter of the old graph
/// whether it was kept. Kept ones stay in order.
pub(super) fn cleaned(graph: &Graph, output_names: &[String]) -> Result<(Graph, Vec<bool>), BuildError> {
    let (mut graph, kept) = drop_unused(graph, |_| false)?;
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

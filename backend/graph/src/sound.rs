//! Whether a graph that came from another process is one that [`crate::GraphBuilder`] could have built.

use std::collections::HashSet;

use crate::infer::output_shapes;
use crate::ir::{Graph, NodeId, ParameterId, Source, ValueId};
use crate::shape::{self, ShapeError};

/// What is wrong with a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphFault {
    #[error("the graph has no {0}")]
    Without(&'static str),
    #[error("value {0} is referenced, but does not exist")]
    NoValue(u32),
    #[error("value `{0}` does not come from its stated source")]
    Source(String),
    #[error("node `{node}` reads `{value}`, which is not computed before it")]
    Order { node: String, value: String },
    #[error("value `{value}`: {error}")]
    Size { value: String, error: ShapeError },
    #[error("node `{node}`: {error}")]
    Shape { node: String, error: ShapeError },
    #[error("node `{0}` makes shapes that differ from those of its outputs")]
    Output(String),
    #[error("parameter `{0}` is not computed from its stated sources")]
    Computed(String),
    #[error("{what} `{name}` occurs twice")]
    Twice { what: &'static str, name: String },
}

impl Graph {
    /// Checks everything that [`crate::GraphBuilder`] guarantees: ids, sources and names are consistent, nodes stand in
    /// execution order, and every shape is the one that its operation makes.
    pub fn check(&self) -> Result<(), GraphFault> {
        if self.inputs.is_empty() {
            return Err(GraphFault::Without("input"));
        }
        if self.outputs.is_empty() {
            return Err(GraphFault::Without("output"));
        }
        self.check_names()?;
        self.check_sources()?;
        self.check_computed()?;
        self.check_nodes()
    }

    fn check_names(&self) -> Result<(), GraphFault> {
        unique("value", self.values.iter().map(|value| &value.name))?;
        unique("node", self.nodes.iter().map(|node| &node.name))?;
        unique("parameter", self.parameters.iter().flat_map(|p| std::iter::once(&p.name).chain(&p.aliases)))
    }

    /// Every value is where its source says, and nothing else claims it.
    fn check_sources(&self) -> Result<(), GraphFault> {
        let mut stored = vec![false; self.parameters.len()];
        for (id, value) in (0..).map(ValueId).zip(&self.values) {
            let wrong = || GraphFault::Source(value.name.clone());
            shape::elements(&value.shape).map_err(|error| GraphFault::Size { value: value.name.clone(), error })?;
            let claimed = match value.source {
                Source::Input(n) => self.inputs.get(n) == Some(&id),
                Source::Node(node, n) => {
                    self.nodes.get(node.index()).is_some_and(|node| node.outputs.get(n) == Some(&id))
                }
                Source::Parameter(ParameterId(p)) => {
                    let first = stored.get_mut(p as usize).is_some_and(|seen| !std::mem::replace(seen, true));
                    first && value.shape == shape::fixed(&self.parameters[p as usize].shape)
                }
            };
            if !claimed {
                return Err(wrong());
            }
        }
        if !stored.iter().all(|&seen| seen) {
            return Err(GraphFault::Without("value for one of its parameters"));
        }
        for (n, &id) in self.inputs.iter().enumerate() {
            self.comes_from(id, Source::Input(n))?;
        }
        self.outputs.iter().try_for_each(|&id| self.known(id))
    }

    /// Whatever a weight was computed from has indices for each of its slices.
    fn check_computed(&self) -> Result<(), GraphFault> {
        for parameter in &self.parameters {
            let slices = parameter.computed.iter().flat_map(|computed| &computed.slices);
            let mut sizes = slices.map(|slices| (parameter.shape.get(slices.axis), slices.indices.len()));
            if sizes.any(|(size, indices)| size != Some(&indices)) {
                return Err(GraphFault::Computed(parameter.name.clone()));
            }
        }
        Ok(())
    }

    fn check_nodes(&self) -> Result<(), GraphFault> {
        for (id, node) in (0..).map(NodeId).zip(&self.nodes) {
            for &input in &node.inputs {
                self.known(input)?;
                if self.producer(input).is_some_and(|producer| producer >= id) {
                    let value = self.value(input).name.clone();
                    return Err(GraphFault::Order { node: node.name.clone(), value });
                }
            }
            for (n, &output) in node.outputs.iter().enumerate() {
                self.comes_from(output, Source::Node(id, n))?;
            }
            let inputs: Vec<_> = node.inputs.iter().map(|&input| self.shape(input)).collect();
            let inferred = output_shapes(&node.op, &inputs)
                .map_err(|error| GraphFault::Shape { node: node.name.clone(), error })?;
            if !inferred.iter().eq(node.outputs.iter().map(|&output| self.shape(output))) {
                return Err(GraphFault::Output(node.name.clone()));
            }
        }
        Ok(())
    }

    fn known(&self, id: ValueId) -> Result<(), GraphFault> {
        if id.index() < self.values.len() { Ok(()) } else { Err(GraphFault::NoValue(id.0)) }
    }

    fn comes_from(&self, id: ValueId, source: Source) -> Result<(), GraphFault> {
        self.known(id)?;
        let value = self.value(id);
        if value.source == source { Ok(()) } else { Err(GraphFault::Source(value.name.clone())) }
    }
}

fn unique<'a>(what: &'static str, names: impl Iterator<Item = &'a String>) -> Result<(), GraphFault> {
    let mut seen = HashSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(GraphFault::Twice { what, name: name.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::GraphBuilder;
    use crate::ir::{Computed, ParameterKind, SourceSlices};
    use crate::ops::{Op, Unary};
    use crate::shape::Dim;
    use crate::tensor::ElementType;

    fn graph() -> Graph {
        let mut builder = GraphBuilder::new("net");
        let x = builder.input("x", vec![Dim::Batch(1), Dim::Fixed(4)]).unwrap();
        let (_, w) = builder.parameter("fc.weight", &[3, 4], ElementType::F32, ParameterKind::Parameter).unwrap();
        let y = builder.push("fc", Op::Linear { transposed: false }, &[x, w]).unwrap();
        let z = builder.push("relu", Op::Unary(Unary::Relu), &[y]).unwrap();
        builder.finish(&[z]).unwrap()
    }

    fn fault(change: impl FnOnce(&mut Graph)) -> GraphFault {
        let mut graph = graph();
        change(&mut graph);
        graph.check().unwrap_err()
    }

    #[test]
    fn what_the_builder_made_is_sound() {
        graph().check().unwrap();
        let mut graph = graph();
        graph.parameters[0].computed = Some(computed(0, 3));
        graph.check().unwrap();
    }

    #[test]
    fn every_way_to_be_inconsistent_is_found() {
        use GraphFault::*;
        assert_eq!(fault(|g| g.inputs.clear()), Without("input"));
        assert_eq!(fault(|g| g.outputs.clear()), Without("output"));
        assert_eq!(fault(|g| g.outputs[0] = ValueId(99)), NoValue(99));
        assert_eq!(fault(|g| g.nodes[0].inputs[1] = ValueId(99)), NoValue(99));
        assert!(matches!(fault(|g| g.inputs.push(ValueId(2))), Source(name) if name == "fc"));
        assert!(matches!(fault(|g| g.nodes[1].outputs[0] = ValueId(2)), Source(name) if name == "relu"));
        assert!(matches!(fault(|g| g.parameters[0].shape[0] = 5), Source(name) if name == "fc.weight"));
        assert!(matches!(fault(|g| g.values[1].source = crate::ir::Source::Parameter(ParameterId(7))), Source(_)));
        assert!(matches!(fault(|g| g.parameters.push(parameter("spare"))), Without(_)));
        for (axis, indices) in [(0, 2), (2, 3)] {
            let computed = || computed(axis, indices);
            assert!(
                matches!(fault(|g| g.parameters[0].computed = Some(computed())), Computed(name) if name == "fc.weight")
            );
        }
        assert!(matches!(fault(|g| g.nodes[0].inputs[0] = ValueId(3)), Order { node, .. } if node == "fc"));
        assert!(matches!(fault(|g| g.values[0].shape[1] = Dim::Fixed(5)), Shape { node, .. } if node == "fc"));
        assert!(matches!(fault(|g| g.values[0].shape[1] = Dim::Fixed(usize::MAX)), Size { value, .. } if value == "x"));
        assert!(matches!(fault(|g| g.values[3].shape[1] = Dim::Fixed(2)), Output(node) if node == "relu"));
        assert!(matches!(fault(|g| g.values[3].name = "x".to_owned()), Twice { what: "value", .. }));
        assert!(matches!(fault(|g| g.nodes[1].name = "fc".to_owned()), Twice { what: "node", .. }));
        assert!(matches!(
            fault(|g| g.parameters[0].aliases.push("fc.weight".to_owned())),
            Twice { what: "parameter", .. }
        ));
    }

    fn computed(axis: usize, indices: usize) -> Computed {
        let indices = (0..indices as u32).map(|index| vec![index]).collect();
        let slices = SourceSlices { axis, tensor: "fc.gain".to_owned(), tensor_axis: 0, indices };
        Computed { from: vec!["fc.gain".to_owned()], slices: vec![slices] }
    }

    fn parameter(name: &str) -> crate::ir::Parameter {
        let (shape, element) = (vec![1], ElementType::F32);
        let (name, aliases, kind) = (name.to_owned(), Vec::new(), ParameterKind::Buffer);
        crate::ir::Parameter { name, aliases, shape, element, kind, computed: None }
    }
}

//! Builds a [`Graph`] node by node, inferring shapes on the way, so that no graph with a misfit can exist.

use std::collections::{HashMap, HashSet};

use crate::infer::output_shapes;
use crate::ir::{Computed, Graph, Node, NodeId, Parameter, ParameterId, ParameterKind, Source, Value, ValueId};
use crate::ops::Op;
use crate::precision::{self, Precision};
use crate::shape::{self, Shape, ShapeError};
use crate::tensor::ElementType;

/// Why a graph cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    #[error("{operator} at node `{node}`: {error}")]
    Shape { node: String, operator: &'static str, error: ShapeError },
    #[error("tensor `{name}`: {error}")]
    Tensor { name: String, error: ShapeError },
    #[error("parameter `{0}` is stored twice")]
    DuplicateParameter(String),
    #[error("the network has no input")]
    NoInput,
    #[error("the network has no output")]
    NoOutput,
}

/// Builds a graph. Guarantees of the result: nodes stand in execution order, every value has a unique name and a shape that
/// its operation really makes, parameters have unique names.
#[derive(Debug, Default)]
pub struct GraphBuilder {
    name: String,
    inputs: Vec<ValueId>,
    nodes: Vec<Node>,
    values: Vec<Value>,
    parameters: Vec<Parameter>,
    parameter_values: Vec<ValueId>,
    value_names: HashSet<String>,
    node_names: HashMap<String, usize>,
    parameter_names: HashSet<String>,
    /// The element type that each value has in the file.
    elements: Vec<Option<ElementType>>,
    /// The type that a value was last seen in, where the file casts it.
    seen: HashMap<ValueId, ElementType>,
    /// What each node computes in.
    computed: Vec<Option<ElementType>>,
}

impl GraphBuilder {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// Adds a network input.
    pub fn input(&mut self, name: &str, shape: Shape) -> Result<ValueId, BuildError> {
        self.check_size(name, &shape)?;
        let id = self.value(name, shape, Source::Input(self.inputs.len()));
        self.inputs.push(id);
        Ok(id)
    }

    /// Adds a stored tensor. Also used for tensors that no node reads, so that an export keeps them.
    pub fn parameter(
        &mut self,
        name: &str,
        sizes: &[usize],
        element: ElementType,
        kind: ParameterKind,
    ) -> Result<(ParameterId, ValueId), BuildError> {
        let shape = shape::fixed(sizes);
        self.check_size(name, &shape)?;
        if !self.parameter_names.insert(name.to_owned()) {
            return Err(BuildError::DuplicateParameter(name.to_owned()));
        }
        let id = ParameterId(self.parameters.len() as u32);
        self.parameters.push(Parameter {
            name: name.to_owned(),
            aliases: Vec::new(),
            shape: sizes.to_vec(),
            element,
            kind,
            computed: None,
        });
        let value = self.value(name, shape, Source::Parameter(id));
        self.parameter_values.push(value);
        if element.is_float() && kind != ParameterKind::Constant {
            self.elements[value.index()] = Some(element);
        }
        Ok((id, value))
    }

    /// Says what a parameter was computed from that the file does not store.
    pub fn computed(&mut self, id: ParameterId, from: Computed) {
        self.parameters[id.index()].computed = Some(from);
    }

    /// Gives a stored tensor a further name.
    pub fn alias(&mut self, id: ParameterId, name: &str) -> Result<(), BuildError> {
        if !self.parameter_names.insert(name.to_owned()) {
            return Err(BuildError::DuplicateParameter(name.to_owned()));
        }
        self.parameters[id.index()].aliases.push(name.to_owned());
        Ok(())
    }

    /// Adds a node and returns its outputs, named `name` (or `name.0`, `name.1`, ... where there are several).
    pub fn node(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> Result<Vec<ValueId>, BuildError> {
        let name = self.unique_node_name(name);
        let shapes: Vec<&Shape> = inputs.iter().map(|i| &self.values[i.index()].shape).collect();
        let rank = shapes.first().map_or(0, |s| s.len());
        let inferred = output_shapes(&op, &shapes);
        let shapes =
            inferred.map_err(|error| BuildError::Shape { node: name.clone(), operator: op.name(rank), error })?;
        let of = |id: &ValueId| (self.element(*id), matches!(self.source(*id), Source::Parameter(_)));
        let computed = precision::computed_in(&op, &inputs.iter().map(of).collect::<Vec<_>>());
        self.computed.push(computed);
        let id = NodeId(self.nodes.len() as u32);
        let several = shapes.len() > 1;
        let outputs: Vec<ValueId> = shapes
            .into_iter()
            .enumerate()
            .map(|(i, shape)| {
                let value = if several { format!("{name}.{i}") } else { name.clone() };
                let output = self.value(&value, shape, Source::Node(id, i));
                self.elements[output.index()] = computed;
                output
            })
            .collect();
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), outputs: outputs.clone() });
        Ok(outputs)
    }

    /// Adds a node with one output.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> Result<ValueId, BuildError> {
        Ok(self.node(name, op, inputs)?[0])
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        &self.values[id.index()].shape
    }

    pub fn source(&self, id: ValueId) -> Source {
        self.values[id.index()].source
    }

    /// The value of a stored tensor.
    pub fn parameter_value(&self, id: ParameterId) -> ValueId {
        self.parameter_values[id.index()]
    }

    /// Says what a value is stored in, where that is another type than the one that the engine computes in.
    pub fn stored_as(&mut self, id: ValueId, element: ElementType) {
        self.elements[id.index()] = Some(element);
    }

    /// Says as what a value is read next: cast to a type, or as it is.
    pub fn seen_as(&mut self, id: ValueId, element: Option<ElementType>) {
        match element {
            Some(element) => self.seen.insert(id, element),
            None => self.seen.remove(&id),
        };
    }

    /// The element type that a value has in the file, as it was last seen.
    pub fn element(&self, id: ValueId) -> Option<ElementType> {
        self.seen.get(&id).copied().or(self.elements[id.index()])
    }

    /// The element types of the file, with these outputs as they were last seen.
    pub fn precision(&self, outputs: &[ValueId]) -> Precision {
        let stored = self.parameters.iter().zip(&self.parameter_values);
        let precision = Precision {
            parameters: stored
                .filter_map(|(parameter, id)| Some((parameter.name.clone(), self.elements[id.index()]?)))
                .collect(),
            nodes: self.nodes.iter().zip(&self.computed).filter_map(|(n, e)| Some((n.name.clone(), (*e)?))).collect(),
            inputs: self.inputs.iter().map(|id| self.elements[id.index()]).collect(),
            outputs: outputs.iter().map(|id| self.element(*id)).collect(),
        };
        if precision.is_single() { Precision::default() } else { precision }
    }

    /// Ends the graph with its outputs.
    pub fn finish(self, outputs: &[ValueId]) -> Result<Graph, BuildError> {
        if self.inputs.is_empty() {
            return Err(BuildError::NoInput);
        }
        if outputs.is_empty() {
            return Err(BuildError::NoOutput);
        }
        Ok(Graph {
            name: self.name,
            inputs: self.inputs,
            outputs: outputs.to_vec(),
            nodes: self.nodes,
            values: self.values,
            parameters: self.parameters,
        })
    }

    fn check_size(&self, name: &str, shape: &Shape) -> Result<(), BuildError> {
        let checked = shape::elements(shape);
        checked.map(|_| ()).map_err(|error| BuildError::Tensor { name: name.to_owned(), error })
    }

    fn value(&mut self, name: &str, shape: Shape, source: Source) -> ValueId {
        let id = ValueId(self.values.len() as u32);
        let mut unique = name.to_owned();
        while !self.value_names.insert(unique.clone()) {
            unique = format!("{name}#{}", id.0);
        }
        self.values.push(Value { name: unique, shape, source });
        self.elements.push(None);
        id
    }

    fn unique_node_name(&mut self, name: &str) -> String {
        let seen = self.node_names.entry(name.to_owned()).or_insert(0);
        *seen += 1;
        match *seen {
            1 => name.to_owned(),
            n => self.unique_node_name(&format!("{name}_{n}")),
        }
    }
}

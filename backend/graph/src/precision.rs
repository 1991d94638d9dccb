//! In which element types a file stores and computes. The engine computes in `f32`; what it writes comes out as it came.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ir::{Graph, ParameterId, Source, ValueId};
use crate::ops::Op;
use crate::tensor::ElementType;

/// The element types of a network's file. Everything is by name, so that it holds for every network that is made from it.
/// Nothing is listed for a network that is `f32` throughout.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precision {
    /// Every parameter of floating point, by its name.
    pub parameters: BTreeMap<String, ElementType>,
    /// What a node computes in, by its name; absent where the file leaves it open.
    pub nodes: BTreeMap<String, ElementType>,
    /// By input; `None` where the file leaves it open.
    pub inputs: Vec<Option<ElementType>>,
    /// By output.
    pub outputs: Vec<Option<ElementType>>,
}

impl Precision {
    /// Whether the file is `f32` throughout.
    pub fn is_single(&self) -> bool {
        self.elements().all(|element| element == ElementType::F32)
    }

    /// All element types that are listed.
    pub fn elements(&self) -> impl Iterator<Item = ElementType> {
        let named = self.parameters.values().chain(self.nodes.values()).copied();
        named.chain(self.inputs.iter().chain(&self.outputs).flatten().copied())
    }

    /// The element type of most parameters.
    pub fn main(&self) -> ElementType {
        let mut counts: BTreeMap<&str, (usize, ElementType)> = BTreeMap::new();
        for element in self.parameters.values() {
            counts.entry(element.name()).or_insert((0, *element)).0 += 1;
        }
        counts.into_values().max_by_key(|(count, _)| *count).map_or(ElementType::F32, |(_, element)| element)
    }

    /// What a parameter of floating point is stored in; one that the file did not have goes with the others.
    pub fn stored(&self, parameter: &str) -> ElementType {
        self.parameters.get(parameter).copied().unwrap_or_else(|| self.main())
    }
}

/// The narrowest type that holds all of these; `None` for nothing.
pub fn promoted(elements: impl IntoIterator<Item = ElementType>) -> Option<ElementType> {
    elements.into_iter().reduce(|a, b| match (a, b) {
        (a, b) if a == b => a,
        (ElementType::F64, _) | (_, ElementType::F64) => ElementType::F64,
        _ => ElementType::F32,
    })
}

/// What an operation computes in, by the types of its inputs and whether they are parameters. Both formats agree where a file
/// is valid: activations decide, a layer's weight where the file does not say what its input is, and where two tensors are
/// combined entry by entry the wider one.
pub fn computed_in(op: &Op, inputs: &[(Option<ElementType>, bool)]) -> Option<ElementType> {
    let activations = || inputs.iter().filter(|(_, parameter)| !parameter).filter_map(|(element, _)| *element);
    match op {
        Op::Binary(_) | Op::PRelu | Op::Cat { .. } => promoted(inputs.iter().filter_map(|(element, _)| *element)),
        // The condition is of its own type.
        Op::Select => promoted(inputs.iter().skip(1).filter_map(|(element, _)| *element)).or_else(|| inputs.first()?.0),
        Op::Conv(_) | Op::Linear { .. } | Op::MatMul => {
            promoted(activations()).or_else(|| inputs.get(1).and_then(|(element, _)| *element))
        }
        _ => promoted(activations()),
    }
}

/// The types in which a graph is written.
#[derive(Debug)]
pub struct Written {
    /// By value; `None` for whole numbers and where the file leaves it open.
    pub values: Vec<Option<ElementType>>,
    /// By node.
    nodes: BTreeMap<String, Option<ElementType>>,
}

impl Written {
    /// `stored` is the type that a parameter is stored in, `native` what the format computes in for a type.
    pub fn new(
        graph: &Graph,
        precision: &Precision,
        stored: impl Fn(ParameterId) -> ElementType,
        native: impl Fn(ElementType) -> ElementType,
    ) -> Self {
        let mut values: Vec<Option<ElementType>> = graph
            .values
            .iter()
            .map(|value| match value.source {
                Source::Input(index) => precision.inputs.get(index).copied().flatten(),
                Source::Parameter(parameter) => Some(stored(parameter)).filter(|element| element.is_float()),
                Source::Node(..) => None,
            })
            .collect();
        let mut nodes = BTreeMap::new();
        for node in &graph.nodes {
            let of = |id: &ValueId| (values[id.index()], graph.parameter_of(*id).is_some());
            let inputs: Vec<_> = node.inputs.iter().map(of).collect();
            let computed = precision.nodes.get(&node.name).copied().or_else(|| computed_in(&node.op, &inputs));
            // Statistics that are wider than the activations are not squeezed into their type.
            let is_norm = matches!(node.op, Op::BatchNorm { .. } | Op::LayerNorm { .. } | Op::GroupNorm { .. });
            let parameters = inputs.iter().filter(|(_, parameter)| is_norm && *parameter).filter_map(|(e, _)| *e);
            let computed = computed.map(|element| promoted(parameters.chain([element])).unwrap_or(element));
            let computed = computed.map(&native);
            for output in &node.outputs {
                values[output.index()] = computed;
            }
            nodes.insert(node.name.clone(), computed);
        }
        Self { values, nodes }
    }

    /// What a node is computed in.
    pub fn node(&self, name: &str) -> Option<ElementType> {
        self.nodes.get(name).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Unary;
    use ElementType::{Bf16, F16, F32, F64};

    #[test]
    fn two_half_types_meet_in_single_precision() {
        assert_eq!(promoted([F16, F16]), Some(F16));
        assert_eq!(promoted([F16, Bf16]), Some(F32));
        assert_eq!(promoted([F16, F32]), Some(F32));
        assert_eq!(promoted([Bf16, F64]), Some(F64));
        assert_eq!(promoted([]), None);
    }

    #[test]
    fn a_layer_computes_in_its_inputs_type_or_where_that_is_open_in_its_weights() {
        let linear = Op::Linear { transposed: false };
        assert_eq!(computed_in(&linear, &[(Some(F16), false), (Some(F32), true)]), Some(F16));
        assert_eq!(computed_in(&linear, &[(None, false), (Some(F16), true)]), Some(F16));
        assert_eq!(computed_in(&Op::Unary(Unary::Relu), &[(Some(Bf16), false)]), Some(Bf16));
    }

    #[test]
    fn a_parameter_that_the_file_did_not_have_goes_with_the_others() {
        let names = [("a", F16), ("b", F16), ("c", F32)];
        let precision = Precision {
            parameters: names.iter().map(|(name, element)| ((*name).to_owned(), *element)).collect(),
            ..Precision::default()
        };
        assert_eq!((precision.stored("c"), precision.stored("new")), (F32, F16));
        assert!(!precision.is_single());
        assert_eq!(Precision::default().stored("any"), F32);
    }
}

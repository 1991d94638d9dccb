//! The graph as far as it is built, with what made each value.

use std::collections::HashMap;

use crate::builder::{BuildError, GraphBuilder};
use crate::ir::{Source, ValueId};
use crate::ops::Op;
use crate::shape::Shape;

/// The operation that made a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    pub op: Op,
    pub inputs: Vec<ValueId>,
}

/// A graph under construction that can be asked what made a value: operations that exporters take apart are recognised from
/// their last part.
#[derive(Debug)]
pub struct Draft {
    pub builder: GraphBuilder,
    made_by: HashMap<ValueId, Made>,
}

impl Draft {
    pub fn new(name: &str) -> Self {
        Self { builder: GraphBuilder::new(name), made_by: HashMap::new() }
    }

    /// Adds a node with one output.
    ///
    /// # Errors
    /// Those of [`GraphBuilder::push`]; nothing is added then.
    pub fn push(&mut self, name: &str, op: Op, inputs: &[ValueId]) -> Result<ValueId, BuildError> {
        let id = self.builder.push(name, op.clone(), inputs)?;
        self.made_by.insert(id, Made { op, inputs: inputs.to_vec() });
        Ok(id)
    }

    pub fn shape(&self, id: ValueId) -> &Shape {
        self.builder.shape(id)
    }

    pub fn rank(&self, id: ValueId) -> usize {
        self.shape(id).len()
    }

    pub fn is_parameter(&self, id: ValueId) -> bool {
        matches!(self.builder.source(id), Source::Parameter(_))
    }

    /// The operation that made a value; `None` for inputs, parameters and parts of a split.
    pub fn made_by(&self, id: ValueId) -> Option<&Made> {
        self.made_by.get(&id)
    }

    /// The input of the transposition that made a matrix, if one did.
    pub fn untransposed(&self, id: ValueId) -> Option<ValueId> {
        match self.made_by(id)? {
            Made { op: Op::Permute { order }, inputs } if *order == [1, 0] => inputs.first().copied(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::ParameterKind;
    use crate::ops::Unary;
    use crate::shape::Dim;
    use crate::tensor::ElementType;

    #[test]
    fn a_value_tells_what_made_it() {
        let mut draft = Draft::new("net");
        let x = draft.builder.input("x", vec![Dim::Batch(1), Dim::Fixed(4)]).unwrap();
        let (_, w) = draft.builder.parameter("w", &[4, 3], ElementType::F32, ParameterKind::Parameter).unwrap();
        let turned = draft.push("turn", Op::Permute { order: vec![1, 0] }, &[w]).unwrap();
        let y = draft.push("relu", Op::Unary(Unary::Relu), &[x]).unwrap();
        assert_eq!(draft.made_by(y), Some(&Made { op: Op::Unary(Unary::Relu), inputs: vec![x] }));
        assert_eq!((draft.made_by(x), draft.made_by(w)), (None, None));
        assert_eq!((draft.untransposed(turned), draft.untransposed(y)), (Some(w), None));
        assert_eq!((draft.is_parameter(w), draft.is_parameter(turned), draft.rank(turned)), (true, false, 2));
        assert!(draft.push("bad", Op::Permute { order: vec![0] }, &[x]).is_err());
    }
}

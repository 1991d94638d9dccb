//! Operators that are compositions of the graph's operations, said once for both importers.
//!
//! An importer implements [`Compose`]; the functions in these modules then add nodes through it.

pub mod arithmetic;
pub mod attention;
pub mod einsum;
pub mod patches;
pub mod reductions;
pub mod sampling;

use crate::builder::BuildError;
use crate::count::in_words;
use crate::ir::ValueId;
use crate::ops::{Binary, Op, Reduction, Unary};
use crate::shape::{Dim, Shape};

/// A graph under construction, as compositions see it.
pub trait Compose {
    /// Why a composition cannot be made.
    type Fault: From<BuildError>;

    fn shape(&self, id: ValueId) -> &Shape;

    /// Adds a node with one output.
    fn push(&mut self, op: Op, inputs: &[ValueId]) -> Result<ValueId, Self::Fault>;

    /// Adds a stored tensor that the code makes, row-major.
    fn constant(&mut self, sizes: &[usize], entries: Vec<f64>) -> Result<ValueId, Self::Fault>;

    /// `a [..., n, k]` by `b [..., k, m]`: a linear layer where `b` is a stored matrix, else a matrix product.
    fn product(&mut self, a: ValueId, b: ValueId) -> Result<ValueId, Self::Fault>;

    fn is_parameter(&self, id: ValueId) -> bool;

    /// The operation that made a value, with its inputs; `None` for the network's inputs, stored tensors and parts of a split.
    fn made_by(&self, id: ValueId) -> Option<(&Op, &[ValueId])>;

    /// Whether a value is a stored tensor of truths, which are zeros and ones in the graph.
    fn holds_truths(&self, id: ValueId) -> bool;

    /// This form of the operator is not supported.
    fn unsupported(reason: String) -> Self::Fault;

    /// The operator is wrong for its inputs.
    fn invalid(reason: String) -> Self::Fault;

    fn unary(&mut self, function: Unary, x: ValueId) -> Result<ValueId, Self::Fault> {
        self.push(Op::Unary(function), &[x])
    }

    fn binary(&mut self, function: Binary, a: ValueId, b: ValueId) -> Result<ValueId, Self::Fault> {
        self.push(Op::Binary(function), &[a, b])
    }

    /// `x * factor`, unless the factor is 1.
    fn times(&mut self, x: ValueId, factor: f64) -> Result<ValueId, Self::Fault> {
        if factor == 1.0 { Ok(x) } else { self.unary(Unary::MulScalar(factor), x) }
    }

    /// `x + summand`, unless the summand is 0.
    fn plus(&mut self, x: ValueId, summand: f64) -> Result<ValueId, Self::Fault> {
        if summand == 0.0 { Ok(x) } else { self.unary(Unary::AddScalar(summand), x) }
    }

    /// Over axes that do not depend on the batch.
    fn reduce(&mut self, kind: Reduction, axes: &[usize], keep_dims: bool, x: ValueId) -> Result<ValueId, Self::Fault> {
        if axes.is_empty() {
            return Ok(x);
        }
        let mut axes = axes.to_vec();
        axes.sort_unstable();
        if axes.iter().any(|&axis| matches!(self.shape(x).get(axis), Some(Dim::Batch(_)))) {
            return Err(Self::unsupported("reduces over the batch".into()));
        }
        self.push(Op::Reduce { kind, axes, keep_dims }, &[x])
    }

    /// Reshapes unless the shape is there already.
    fn reshape(&mut self, x: ValueId, shape: Shape) -> Result<ValueId, Self::Fault> {
        if *self.shape(x) == shape {
            return Ok(x);
        }
        let batch_axes = |shape: &Shape| shape.iter().filter(|dim| matches!(dim, Dim::Batch(_))).count();
        if batch_axes(&shape) > 1 {
            return Err(Self::unsupported("makes a shape in which more than one axis depends on the batch".into()));
        }
        // They have as many entries where the batch is one, and nowhere else.
        if batch_axes(&shape) != batch_axes(self.shape(x)) {
            return Err(Self::invalid(format!("cannot view {} as {}", in_words(self.shape(x)), in_words(&shape))));
        }
        self.push(Op::Reshape { shape }, &[x])
    }

    fn permute(&mut self, x: ValueId, order: Vec<usize>) -> Result<ValueId, Self::Fault> {
        if order.iter().copied().eq(0..self.shape(x).len()) {
            return Ok(x);
        }
        self.push(Op::Permute { order }, &[x])
    }

    /// `x` with two axes swapped.
    fn swapped(&mut self, x: ValueId, a: usize, b: usize) -> Result<ValueId, Self::Fault> {
        let mut order: Vec<usize> = (0..self.shape(x).len()).collect();
        order.swap(a, b);
        self.permute(x, order)
    }

    /// Number of entries along an axis that must not depend on the batch.
    fn fixed(&self, x: ValueId, axis: usize) -> Result<usize, Self::Fault> {
        match self.shape(x).get(axis) {
            Some(Dim::Fixed(size)) => Ok(*size),
            Some(Dim::Batch(_)) => Err(Self::unsupported("works along the batch axis".into())),
            None => {
                let rank = self.shape(x).len();
                Err(Self::invalid(format!("axis {axis} is out of range for a tensor of rank {rank}")))
            }
        }
    }

    /// A number as a tensor of one entry.
    fn number(&mut self, value: f64) -> Result<ValueId, Self::Fault> {
        self.constant(&[1], vec![value])
    }

    /// The given indices along an axis: all of them in order are the tensor itself, the first ones a slice.
    fn take(&mut self, x: ValueId, axis: usize, indices: Vec<usize>) -> Result<ValueId, Self::Fault> {
        let size = self.fixed(x, axis)?;
        let in_order = indices.iter().enumerate().all(|(i, &index)| i == index);
        match indices.len() {
            count if in_order && count == size => Ok(x),
            count if in_order && (1..size).contains(&count) => {
                self.push(Op::Slice { axis, start: 0, end: count, step: 1 }, &[x])
            }
            _ => self.push(Op::Gather { axis, indices }, &[x]),
        }
    }
}

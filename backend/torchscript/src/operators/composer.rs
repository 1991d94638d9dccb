//! The graph under construction, as the compositions of [`eagleeye_graph::compose`] see it.

use eagleeye_graph::{Compose, Op, Shape, ValueId};
use tch::Tensor;

use super::convolution::product;
use crate::call::Call;
use crate::fault::{Fault, Lowered};
use crate::lowering::Lowering;
use crate::tensors::signed;

/// Adds the nodes that one call becomes.
pub(crate) struct Composer<'a, 'c> {
    lo: &'a mut Lowering,
    call: &'a Call<'c>,
}

impl Compose for Composer<'_, '_> {
    type Fault = Fault;

    fn shape(&self, id: ValueId) -> &Shape {
        self.lo.shape(id)
    }

    fn push(&mut self, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        self.lo.push(self.call, op, inputs)
    }

    fn constant(&mut self, sizes: &[usize], entries: Vec<f64>) -> Lowered<ValueId> {
        let entries: Vec<f32> = entries.into_iter().map(|v| v as f32).collect();
        self.lo.constant(self.call, &Tensor::f_from_slice(&entries)?.f_reshape(signed(sizes))?)
    }

    fn product(&mut self, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        product(self.lo, self.call, a, b, None)
    }

    fn is_parameter(&self, id: ValueId) -> bool {
        self.lo.draft.is_parameter(id)
    }

    fn made_by(&self, id: ValueId) -> Option<(&Op, &[ValueId])> {
        self.lo.draft.made_by(id).map(|made| (&made.op, &made.inputs[..]))
    }

    fn holds_truths(&self, id: ValueId) -> bool {
        self.lo.holds_truths(id)
    }

    fn unsupported(reason: String) -> Fault {
        Fault::Unsupported(reason)
    }

    fn invalid(reason: String) -> Fault {
        Fault::Invalid(reason)
    }
}

impl Lowering {
    /// This graph for compositions that belong to a call.
    pub(crate) fn composer<'a, 'c>(&'a mut self, call: &'a Call<'c>) -> Composer<'a, 'c> {
        Composer { lo: self, call }
    }

    /// A tensor argument as a value of the graph.
    pub(super) fn operand(&mut self, call: &Call, index: usize) -> Lowered<ValueId> {
        let tensor = call.tensor(index)?;
        self.value(call, &tensor)
    }

    /// The same of an argument that may be left out.
    pub(super) fn optional_operand(&mut self, call: &Call, name: &str) -> Lowered<Option<ValueId>> {
        if !call.has(name) {
            return Ok(None);
        }
        let tensor = call.tensor_named(name)?;
        self.value(call, &tensor).map(Some)
    }
}

//! The graph under construction, as the compositions of [`eagleeye_graph::compose`] see it.

use std::rc::Rc;

use eagleeye_graph::{Compose, Op, Shape, ValueId};

use super::convolution::product;
use crate::import::call::{Call, Lowered};
use crate::import::fault::Fault;
use crate::import::known::Known;
use crate::import::lowering::Lowering;
use crate::import::settle;

/// Adds the nodes that one node of the file becomes.
pub(in crate::import) struct Composer<'l, 'a, 'c> {
    lo: &'l mut Lowering<'a>,
    call: &'l Call<'c>,
}

impl<'a> Lowering<'a> {
    /// This graph for compositions that belong to a node.
    pub(in crate::import) fn composer<'l, 'c>(&'l mut self, call: &'l Call<'c>) -> Composer<'l, 'a, 'c> {
        Composer { lo: self, call }
    }
}

impl Compose for Composer<'_, '_, '_> {
    type Fault = Fault;

    fn shape(&self, id: ValueId) -> &Shape {
        self.lo.shape(id)
    }

    fn push(&mut self, op: Op, inputs: &[ValueId]) -> Lowered<ValueId> {
        self.lo.push(self.call, op, inputs)
    }

    fn constant(&mut self, sizes: &[usize], entries: Vec<f64>) -> Lowered<ValueId> {
        self.lo.charge(entries.len())?;
        let known = Known::floats(sizes.to_vec(), entries, false);
        self.lo.constant(&format!("{}.constant", self.call.name), &Rc::new(known))
    }

    fn product(&mut self, a: ValueId, b: ValueId) -> Lowered<ValueId> {
        product(self.lo, self.call, a, b)
    }

    fn is_parameter(&self, id: ValueId) -> bool {
        settle::is_weight(self.lo, id)
    }

    fn made_by(&self, id: ValueId) -> Option<(&Op, &[ValueId])> {
        self.lo.made_by(id).map(|made| (&made.op, &made.inputs[..]))
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

//! Expansion: one entry for many, written out. It acts as broadcasting does, which has the same for every channel.

use std::sync::Arc;

use super::tensor::Labels;
use super::{GroupError, Propagation, reason};
use crate::ir::{Node, ValueId};
use crate::ops::{Op, Reduction};
use crate::shape;

impl Propagation<'_> {
    /// What is the same for all channels gets a label of its own for each copy: they become the labels of whatever the copies
    /// are combined with, and there are as many copies as channels stay.
    pub(super) fn expand(&mut self, node: &Node) -> Result<(), GroupError> {
        let out = self.output_shape(node);
        let Some(axis) = self.axis_of_copies(node, &out) else {
            let labels = self.movable(node, 0)?.expand(out);
            return self.set(node, Arc::new(labels));
        };
        let x = self.labels(node, 0);
        self.lock_all(&x, &reason(node, "expands this channel to all others"));
        self.count(node, out[axis])?;
        let labels = self.atoms.fresh(out[axis]);
        self.copies.insert(node.outputs[0]);
        self.set(node, Arc::new(Labels::along(out, axis, labels)))
    }

    /// The axis of channels along which an expansion writes copies, if it does.
    fn axis_of_copies(&self, node: &Node, out: &[usize]) -> Option<usize> {
        let x = node.inputs[0];
        let sizes = shape::sample(self.graph.shape(x));
        let missing = out.len() - sizes.len();
        let copied = |axis: usize| out[axis] > 1 && (axis < missing || sizes[axis - missing] == 1);
        let labels = self.values[x.index()].as_deref();
        if labels.is_some_and(|labels| !labels.varying().is_empty()) {
            return None;
        }
        if let Some(channels) = self.channels_beside(node.outputs[0], out) {
            return channels.into_iter().find(|&axis| copied(axis));
        }
        // Nothing says where the channels are: along the usual axes, if that is the only one.
        let mut axes = (0..out.len()).filter(|&axis| copied(axis));
        let usual = |axis: usize| axis == 1 || (axis + 1 == out.len() && out.len() < 4);
        match (axes.next(), axes.next()) {
            (Some(axis), None) if labels.is_some() && usual(axis) => Some(axis),
            _ => None,
        }
    }

    /// The axes along which the labels of a tensor vary that a value is combined with entry by entry; `None` where there is no
    /// such tensor, or not yet.
    fn channels_beside(&self, value: ValueId, out: &[usize]) -> Option<Vec<usize>> {
        let mut value = value;
        loop {
            let mut next = None;
            for &reader in &self.consumers[value.index()] {
                let node = self.graph.node(reader);
                match node.op {
                    Op::Binary(_) | Op::Select => {
                        let others = node.inputs.iter().filter(|&&input| input != value);
                        let labels = others.filter_map(|input| self.values[input.index()].as_deref());
                        let mut fitting = labels.filter(|labels| labels.shape() == out && !labels.varying().is_empty());
                        if let Some(labels) = fitting.next() {
                            return Some(labels.varying());
                        }
                    }
                    Op::Unary(_) => next = next.or(node.outputs.first().copied()),
                    _ => {}
                }
            }
            value = next?;
        }
    }

    /// A function of copies alone has copies of one entry as well.
    pub(super) fn pass_copies(&mut self, node: &Node) {
        if node.inputs.iter().all(|input| self.copies.contains(input)) {
            self.copies.extend(&node.outputs);
        }
    }

    /// Copies are taken together. All reductions but the sum and the product are the same over any number of them.
    pub(super) fn reduce_copies(&mut self, node: &Node, x: &Labels) {
        let what = match node.op {
            Op::Reduce { kind: Reduction::Sum, .. } => "sums copies of one channel, as many as there are channels",
            Op::Reduce { kind: Reduction::Product, .. } => {
                "multiplies copies of one channel, as many as there are channels"
            }
            _ => return,
        };
        self.lock_all(x, &reason(node, what));
    }
}

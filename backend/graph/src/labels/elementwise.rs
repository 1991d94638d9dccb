//! Operators of two tensors entry by entry, and those that take values together along axes.

use std::sync::Arc;

use super::tensor::Labels;
use super::{FIXED, GroupError, Propagation, WILD, reason};
use crate::ir::{Node, ValueId};
use crate::ops::{Op, Reduction};
use crate::shape;

impl Propagation<'_> {
    /// Residuals, gates, layer scale, position embeddings: labels become one entry by entry, with broadcasting.
    pub(super) fn binary(&mut self, node: &Node) -> Result<(), GroupError> {
        let unlabelled = |run: &Self, input: usize| run.values[node.inputs[input].index()].is_none();
        match (unlabelled(self, 0), unlabelled(self, 1)) {
            (false, false) => self.binary_of_labelled(node),
            (true, false) => self.binary_with_parameter(node, 1, 0),
            (false, true) => self.binary_with_parameter(node, 0, 1),
            (true, true) => {
                self.movable(node, 0)?;
                self.movable(node, 1)?;
                self.binary_of_labelled(node)
            }
        }
    }

    /// A selection demands of its three inputs what two operations entry by entry would, those with channels first.
    pub(super) fn select(&mut self, node: &Node) -> Result<(), GroupError> {
        let mut inputs = node.inputs.clone();
        inputs.sort_by_key(|input| self.values[input.index()].is_none());
        let pair = |inputs: [ValueId; 2]| Node { inputs: inputs.to_vec(), ..node.clone() };
        self.binary(&pair([inputs[0], inputs[1]]))?;
        self.binary(&pair([node.outputs[0], inputs[2]]))
    }

    /// The parameter takes the labels of the other operand along the axes that both have.
    fn binary_with_parameter(&mut self, node: &Node, other: usize, parameter: usize) -> Result<(), GroupError> {
        let out = self.output_shape(node);
        let x = self.labels(node, other).expand(out.clone());
        let sizes = shape::sample(self.graph.shape(node.inputs[parameter]));
        let missing = out.len() - sizes.len();
        let varying = x.varying();
        let shared: Vec<usize> =
            varying.iter().copied().filter(|&axis| axis >= missing && sizes[axis - missing] == out[axis]).collect();
        let (x, labels) = if shared.is_empty() && !varying.is_empty() {
            (x, Labels::uniform(sizes, WILD))
        } else {
            let why = reason(node, "combines these channels with a parameter that fixed channels share");
            let x = self.merge_onto(&x, &shared, &why);
            let labels = x.without_axes(&(0..missing).collect::<Vec<_>>()).resized(sizes);
            (x, labels)
        };
        self.attach(node, parameter, labels)?;
        self.set(node, Arc::new(x))
    }

    fn binary_of_labelled(&mut self, node: &Node) -> Result<(), GroupError> {
        let out = self.output_shape(node);
        if let (Some(a), Some(b)) = (&self.values[node.inputs[0].index()], &self.values[node.inputs[1].index()])
            && Arc::ptr_eq(a, b)
        {
            let shared = a.clone();
            return self.set(node, shared);
        }
        let operands = [self.broadcast(node, 0, &out), self.broadcast(node, 1, &out)];
        let [a, b] = &operands;
        // One value for all channels of the other operand has no channel in common with it: it can only stay.
        if a.spread_over(b) || b.spread_over(a) {
            let (spread, kept, which) = if a.spread_over(b) { (a, b, 0) } else { (b, a, 1) };
            let why = reason(node, &format!("uses {} for all channels", self.describe(node.inputs[which])));
            self.lock_all(&spread.labels, &why);
            return self.set(node, Arc::new(kept.labels.clone()));
        }
        let why = |run: &Self, input: usize| {
            reason(node, &format!("combines these channels with {}, which is fixed", run.describe(node.inputs[input])))
        };
        let fixed = usize::from(b.labels.iter().all(|l| l == FIXED));
        let why = why(self, fixed);
        let a_labels = self.merge_onto(&a.labels, &a.shared_axes(b), &why);
        let b_labels = self.merge_onto(&b.labels, &b.shared_axes(a), &why);
        let joined = self.unify(node, &a_labels, &b_labels, &why)?;
        self.set(node, Arc::new(joined))
    }

    fn broadcast(&mut self, node: &Node, input: usize, out: &[usize]) -> Operand {
        let labels = self.labels(node, input);
        let missing = out.len() - labels.shape().len();
        let repeated = (0..out.len())
            .filter(|&axis| out[axis] > 1 && (axis < missing || labels.shape()[axis - missing] == 1))
            .collect();
        Operand { labels: labels.expand(out.to_vec()), repeated }
    }

    /// Softmax over channels is only right with all of them; over another axis it lets channels pass.
    pub(super) fn softmax(&mut self, axis: usize, node: &Node) -> Result<(), GroupError> {
        let x = self.labels(node, 0);
        let others: Vec<usize> = x.varying().into_iter().filter(|&a| a != axis).collect();
        let why = reason(node, "is a softmax over these channels");
        if others.is_empty() && x.varying() == [axis] {
            self.lock_all(&x, &why);
            return self.set(node, Arc::new(x));
        }
        let x = self.merge_onto(&x, &others, &why);
        self.set(node, Arc::new(x))
    }

    /// Positions to sample at are numbers and no channels; the image is treated as by resizing.
    pub(super) fn grid_sample(&mut self, node: &Node) -> Result<(), GroupError> {
        let grid = self.labels(node, 1);
        self.lock_all(&grid, &reason(node, "uses these channels as sampling positions"));
        self.spatial(node)
    }

    /// Pooling and resizing work on positions: every channel must be whole.
    pub(super) fn spatial(&mut self, node: &Node) -> Result<(), GroupError> {
        let x = self.labels(node, 0);
        let channels: Vec<usize> = x.varying().into_iter().filter(|&axis| axis < 2).collect();
        if channels.is_empty() && !x.varying().is_empty() {
            return self.give_up(node, &[&x], "slides a window along these channels");
        }
        let x = self.merge_onto(&x, &channels, &reason(node, "combines these channels with fixed positions"));
        self.set(node, Arc::new(x.resized(self.output_shape(node))))
    }

    pub(super) fn reduce(&mut self, axes: &[usize], keep_dims: bool, node: &Node) -> Result<(), GroupError> {
        let x = self.labels(node, 0);
        let others: Vec<usize> = x.varying().into_iter().filter(|axis| !axes.contains(axis)).collect();
        if others.is_empty() && !x.varying().is_empty() {
            // A sum over channels ignores those that are zero; every other reduction sees that they are gone.
            if self.copies.contains(&node.inputs[0]) {
                self.reduce_copies(node, &x);
            } else if !matches!(node.op, Op::Reduce { kind: Reduction::Sum, .. }) {
                let by = reason(node, "reduces these channels together with others");
                x.iter().for_each(|label| self.atoms.normalise(label, &by));
            }
            return self.set(node, Arc::new(Labels::uniform(self.output_shape(node), FIXED)));
        }
        let x = self.merge_onto(&x, &others, &reason(node, "reduces these channels together with fixed ones"));
        let shape = self.output_shape(node);
        let mut gone: Vec<usize> = if keep_dims { Vec::new() } else { axes.to_vec() };
        gone.sort_unstable();
        gone.dedup();
        self.set(node, Arc::new(x.without_axes(&gone).resized(shape)))
    }
}

/// An operand, broadcast to the shape of the result.
struct Operand {
    labels: Labels,
    /// Axes along which the operand has one entry for many of the result.
    repeated: Vec<usize>,
}

impl Operand {
    /// Axes along which these labels vary and `other` has entries of its own.
    fn shared_axes(&self, other: &Self) -> Vec<usize> {
        self.labels.varying().into_iter().filter(|axis| !other.repeated.contains(axis)).collect()
    }

    /// Whether this operand is repeated along every axis along which `other`'s labels vary.
    fn spread_over(&self, other: &Self) -> bool {
        !other.labels.varying().is_empty() && other.shared_axes(self).is_empty()
    }
}

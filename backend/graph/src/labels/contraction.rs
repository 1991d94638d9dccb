//! The product of two activations.

use std::sync::Arc;

use super::tensor::Labels;
use super::{FIXED, GroupError, Propagation, reason};
use crate::ir::Node;

/// The axes of one operand of a matrix product.
struct Side {
    labels: Labels,
    /// The axis that is summed over.
    summed: usize,
    /// The axis that the result keeps: rows of the left, columns of the right operand.
    kept: usize,
}

impl Side {
    fn varies(&self, axis: usize) -> bool {
        self.labels.varying().contains(&axis)
    }

    fn varies_along_batch(&self) -> bool {
        self.labels.varying().iter().any(|&axis| axis != self.summed && axis != self.kept)
    }
}

impl Propagation<'_> {
    /// `a [..., n, k]`, `b [..., k, m]`: labels along `k` become one, those along `n` or `m` pass, whichever vary.
    pub(super) fn matmul(&mut self, node: &Node) -> Result<(), GroupError> {
        let (a, b) = (self.labels(node, 0), self.labels(node, 1));
        let (rank_a, rank_b) = (a.shape().len(), b.shape().len());
        let mut a = Side { labels: a, summed: rank_a - 1, kept: rank_a - 2 };
        let mut b = Side { labels: b, summed: rank_b - 2, kept: rank_b - 1 };
        self.keep_heads(node, &mut a);
        self.keep_heads(node, &mut b);
        if a.varies(a.summed) || b.varies(b.summed) {
            return self.contract(node, &a, &b);
        }
        let shape = self.output_shape(node);
        let rank = shape.len();
        let (rows, columns) = (a.varies(a.kept), b.varies(b.kept));
        let (passing, axis, other, other_input) = match (rows, columns) {
            (true, true) => {
                return self.give_up(node, &[&a.labels, &b.labels], "multiplies two tensors along their channels");
            }
            (true, false) => (a.labels.vector(a.kept), rank - 2, &b, 1),
            (false, true) => (b.labels.vector(b.kept), rank - 1, &a, 0),
            (false, false) => return self.batched(node, &a, &b),
        };
        let why = reason(node, &format!("multiplies these channels by {}", self.describe(node.inputs[other_input])));
        self.lock_all(&other.labels, &why);
        self.set(node, Arc::new(Labels::along(shape, axis, passing)))
    }

    /// Attention by heads: every head keeps the same channels, so that the heads stay equally wide.
    fn keep_heads(&mut self, node: &Node, side: &mut Side) {
        if side.varies_along_batch() && (side.varies(side.summed) || side.varies(side.kept)) {
            let why = reason(node, "multiplies head by head, and one head is fixed");
            side.labels = self.merge_onto(&side.labels, &[side.summed, side.kept], &why);
        }
    }

    fn contract(&mut self, node: &Node, a: &Side, b: &Side) -> Result<(), GroupError> {
        if a.varies_along_batch() || b.varies_along_batch() {
            return self.give_up(node, &[&a.labels, &b.labels], "sums over the channels of several heads");
        }
        let why = reason(node, "sums over these channels together with fixed ones");
        let left = self.merge_onto(&a.labels, &[a.summed], &why).vector(a.summed);
        let right = self.merge_onto(&b.labels, &[b.summed], &why).vector(b.summed);
        for (&a, &b) in left.iter().zip(&right) {
            self.atoms.join(a, b, &why);
        }
        self.set(node, Arc::new(Labels::uniform(self.output_shape(node), FIXED)))
    }

    /// Labels vary along batch axes alone, if at all: whole heads.
    fn batched(&mut self, node: &Node, a: &Side, b: &Side) -> Result<(), GroupError> {
        if !a.varies_along_batch() && !b.varies_along_batch() {
            return self.give_up(
                node,
                &[&a.labels, &b.labels],
                "multiplies tensors along axes that cannot be followed",
            );
        }
        let shape = self.output_shape(node);
        let fit = |side: &Side| {
            let mut sizes = side.labels.shape().to_vec();
            let rank = sizes.len();
            sizes[rank - 2..].copy_from_slice(&shape[shape.len() - 2..]);
            let repeated =
                side.labels.shape().iter().rev().zip(shape.iter().rev()).skip(2).any(|(&own, &out)| own != out);
            (side.labels.resized(sizes).expand(shape.clone()), repeated || rank < shape.len())
        };
        let ((left, left_repeated), (right, right_repeated)) = (fit(a), fit(b));
        if left_repeated || right_repeated {
            return self.give_up(node, &[&a.labels, &b.labels], "uses one matrix for several heads");
        }
        let why = reason(node, "multiplies these channels by a fixed tensor");
        let joined = self.unify(node, &left, &right, &why)?;
        self.set(node, Arc::new(joined))
    }
}

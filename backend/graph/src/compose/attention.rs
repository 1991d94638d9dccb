//! Attention, written out as products, scale and softmax.

use super::Compose;
use super::arithmetic::select;
use crate::ir::ValueId;
use crate::ops::{Binary, Op};
use crate::shape::{Dim, MAX_ELEMENTS};

type Made<C> = Result<ValueId, <C as Compose>::Fault>;

/// What is added to the scores of hidden entries: softmax turns it into zero as it does infinity.
pub const HIDDEN: f64 = -1e9;

/// `softmax(q k^T * scale + mask) v` over `[..., tokens, width]`. The scale is the inverse root of the width where it is not
/// given. `k` and `v` may have fewer heads (axis -3) than `q`: each of theirs then serves several of its.
pub fn attention<C: Compose>(c: &mut C, [q, k, v]: [ValueId; 3], mask: Option<ValueId>, scale: Option<f64>) -> Made<C> {
    let rank = c.shape(q).len();
    if rank < 2 || c.shape(k).len() != rank || c.shape(v).len() != rank {
        return Err(C::invalid("needs queries, keys and values of the same rank, which must be at least 2".into()));
    }
    let width = c.fixed(q, rank - 1)?;
    let (k, v) = (like_heads(c, q, k)?, like_heads(c, q, v)?);
    let q = c.times(q, scale.unwrap_or(1.0 / (width as f64).sqrt()))?;
    let k = c.swapped(k, rank - 2, rank - 1)?;
    let mut scores = c.push(Op::MatMul, &[q, k])?;
    if let Some(mask) = mask {
        scores = c.binary(Binary::Add, scores, mask)?;
    }
    let weights = c.push(Op::Softmax { axis: rank - 1, log: false }, &[scores])?;
    c.push(Op::MatMul, &[weights, v])
}

/// What is added to the scores for a mask of truths: nothing where it holds.
pub fn added_for<C: Compose>(c: &mut C, mask: ValueId) -> Made<C> {
    let (seen, hidden) = (c.number(0.0)?, c.number(HIDDEN)?);
    select(c, mask, seen, hidden)
}

/// The mask of tokens that see themselves and those before them, to be added to the scores.
pub fn causal_mask<C: Compose>(c: &mut C, q: ValueId, k: ValueId) -> Made<C> {
    let axis = |c: &C, x: ValueId| c.shape(x).len().saturating_sub(2);
    let (rows, columns) = (c.fixed(q, axis(c, q))?, c.fixed(k, axis(c, k))?);
    if rows.saturating_mul(columns) > MAX_ELEMENTS {
        return Err(C::invalid(format!("makes a mask of {rows} x {columns} tokens")));
    }
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| column > row));
    c.constant(&[rows, columns], places.map(|hidden| if hidden { HIDDEN } else { 0.0 }).collect())
}

/// `x` with as many heads as `q`: each of its own repeated for as many of `q`'s.
fn like_heads<C: Compose>(c: &mut C, q: ValueId, x: ValueId) -> Made<C> {
    let Some(axis) = c.shape(q).len().checked_sub(3) else { return Ok(x) };
    match (c.shape(q)[axis], c.shape(x)[axis]) {
        (Dim::Fixed(wanted), Dim::Fixed(own)) if own > 0 && wanted > own && wanted.is_multiple_of(own) => {
            let indices = (0..wanted).map(|head| head / (wanted / own)).collect();
            c.push(Op::Gather { axis, indices }, &[x])
        }
        _ => Ok(x),
    }
}

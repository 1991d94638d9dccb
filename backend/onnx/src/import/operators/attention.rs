//! Attention as one operator (operator set 23).

use std::rc::Rc;

use eagleeye_graph::compose::attention::{HIDDEN, added_for, attention, causal_mask};
use eagleeye_graph::{Binary, Compose, Dim, ValueId};

use super::Operator;
use super::selection::is_mask;
use crate::import::call::{Call, Lowered, Value, one};
use crate::import::fault::unsupported;
use crate::import::indices::size;
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[Operator {
    name: "Attention",
    becomes: "permute, matmul, mul_scalar, add of the mask, softmax, matmul; without earlier keys and without softcap",
    lower: fused,
}];

/// Queries, keys and values are `[N, heads, tokens, width]`, or `[N, tokens, heads * width]` with the heads as attributes.
fn fused(lo: &mut Lowering, call: &Call) -> Lowered {
    if (4..7).any(|index| call.has(index)) || call.outputs > 1 {
        return unsupported("with keys and values from earlier calls");
    }
    if call.float_or("softcap", 0.0)? != 0.0 {
        return unsupported("with a softcap");
    }
    let heads = [call.int_or("q_num_heads", 0)?, call.int_or("kv_num_heads", 0)?];
    let mut sides = [lo.value(call, 0)?, lo.value(call, 1)?, lo.value(call, 2)?];
    let joined = lo.rank(sides[0]) == 3;
    if joined {
        for (index, side) in sides.iter_mut().enumerate() {
            *side = by_heads(lo, call, *side, size(heads[usize::from(index > 0)], "the number of heads")?)?;
        }
    }
    let mask = mask(lo, call, sides)?;
    let scale = call.optional_float("scale")?;
    let y = attention(&mut lo.composer(call), sides, mask, scale)?;
    if !joined {
        return Ok(one(y));
    }
    let y = lo.permute(call, y, vec![0, 2, 1, 3])?;
    let mut shape = lo.shape(y).clone();
    let width = lo.fixed(y, 2)? * lo.fixed(y, 3)?;
    shape.truncate(2);
    shape.push(Dim::Fixed(width));
    Ok(one(lo.reshape(call, y, shape)?))
}

fn by_heads(lo: &mut Lowering, call: &Call, x: ValueId, heads: usize) -> Lowered<ValueId> {
    let mut shape = lo.shape(x).clone();
    let width = lo.fixed(x, 2)?;
    if heads == 0 || !width.is_multiple_of(heads) {
        return unsupported(format!("{heads} heads of {width} entries"));
    }
    shape.splice(2.., [Dim::Fixed(heads), Dim::Fixed(width / heads)]);
    let split = lo.reshape(call, x, shape)?;
    lo.permute(call, split, vec![0, 2, 1, 3])
}

/// What is added to the scores.
fn mask(lo: &mut Lowering, call: &Call, [q, k, _]: [ValueId; 3]) -> Lowered<Option<ValueId>> {
    let causal = if call.flag("is_causal")? { Some(causal_mask(&mut lo.composer(call), q, k)?) } else { None };
    if !call.has(3) {
        return Ok(causal);
    }
    let given = given_mask(lo, call)?;
    Ok(Some(match causal {
        Some(causal) => lo.binary(call, Binary::Add, given, causal)?,
        None => given,
    }))
}

/// The mask of the file. Truths say which scores stay, numbers are added to them.
fn given_mask(lo: &mut Lowering, call: &Call) -> Lowered<ValueId> {
    let constant = match call.input(3) {
        Value::Known(known) => Some(Rc::clone(known)),
        Value::Stored(stored) if !lo.is_float(*stored) => Some(lo.read(*stored)?),
        _ => None,
    };
    if let Some(known) = constant.filter(|known| known.is_bool()) {
        let added = known.truths()?.into_iter().map(|seen| if seen { 0.0 } else { HIDDEN });
        return lo.composer(call).constant(&known.shape, added.collect());
    }
    let mask = lo.value(call, 3)?;
    if is_mask(lo, call, mask) { added_for(&mut lo.composer(call), mask) } else { Ok(mask) }
}

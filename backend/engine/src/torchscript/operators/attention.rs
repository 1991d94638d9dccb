//! Fused attention, written out as products, scale and softmax.

use eagleeye_graph::{Binary, Dim, Op, ValueId};
use tch::{Device, Kind, Tensor};

use super::Operator;
use super::convolution::fixed;
use super::indexing::{swapped, times};
use crate::torchscript::batched;
use crate::torchscript::call::{Call, Fault, Lowered, training, unsupported};
use crate::torchscript::lowering::{Lowering, content, fresh};
use crate::torchscript::value::{Content, Value};

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "aten::scaled_dot_product_attention",
        becomes: "permute, matmul, mul_scalar, add of the mask, softmax, matmul",
        lower: scaled_dot_product,
    },
    Operator {
        name: "aten::_native_multi_head_attention",
        becomes: "linear, reshape, split, attention as above, linear; self-attention without a mask",
        lower: native_multi_head,
    },
];

fn scaled_dot_product(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.float_or("dropout_p", 0.0)? > 0.0 {
        return training(call);
    }
    if call.flag("enable_gqa") {
        return unsupported("grouped queries");
    }
    let q = lo.value(call, &call.tensor(0)?)?;
    let k = lo.value(call, &call.tensor(1)?)?;
    let v = lo.value(call, &call.tensor(2)?)?;
    let mask = mask(lo, call, q, k)?;
    let scale = call.optional_float("scale")?;
    Ok(fresh(attention(lo, call, [q, k, v], mask, scale)?))
}

/// `softmax(q k^T * scale + mask) v`
fn attention(
    lo: &mut Lowering,
    call: &Call,
    [q, k, v]: [ValueId; 3],
    mask: Option<ValueId>,
    scale: Option<f64>,
) -> Lowered<ValueId> {
    let rank = lo.shape(q).len();
    let width = fixed(lo, q, rank.saturating_sub(1))?;
    let q = times(lo, call, q, scale.unwrap_or(1.0 / (width as f64).sqrt()))?;
    let k = swapped(lo, call, k)?;
    let mut scores = lo.push(call, Op::MatMul, &[q, k])?;
    if let Some(mask) = mask {
        scores = lo.binary(call, Binary::Add, scores, mask)?;
    }
    let weights = lo.push(call, Op::Softmax { axis: rank - 1, log: false }, &[scores])?;
    lo.push(call, Op::MatMul, &[weights, v])
}

/// The mask as a tensor to add to the scores. Infinities become a number that softmax turns into zero all the same.
fn mask(lo: &mut Lowering, call: &Call, q: ValueId, k: ValueId) -> Lowered<Option<ValueId>> {
    const HIDDEN: f64 = -1e9;
    if call.flag("is_causal") {
        let rank = lo.shape(q).len();
        let (rows, columns) = (fixed(lo, q, rank - 2)? as i64, fixed(lo, k, rank - 2)? as i64);
        let hidden = Tensor::f_ones([rows, columns], (Kind::Float, Device::Cpu))?.f_triu(1)? * HIDDEN;
        return lo.constant(call, &hidden).map(Some);
    }
    let Value::Tensor(mask) = call.get("attn_mask") else {
        return Ok(None);
    };
    let added = |mask: &Tensor| -> Lowered<Tensor> {
        Ok(if mask.kind() == Kind::Bool {
            mask.f_logical_not()?.f_to_kind(Kind::Float)? * HIDDEN
        } else {
            mask.f_to_kind(Kind::Float)?.f_clamp_min(HIDDEN)?
        })
    };
    match content(mask)? {
        Content::Graph(id) => Ok(Some(id)),
        Content::Known(mask) => lo.constant(call, &added(&mask)?).map(Some),
        Content::Batched([few, many]) => batched::repeated(lo, call, &[added(&few)?, added(&many)?]).map(Some),
    }
}

/// Self-attention with one matrix for queries, keys and values: `[N, tokens, width]` in and out.
fn native_multi_head(lo: &mut Lowering, call: &Call) -> Lowered {
    let (query, key, value) = (call.at(0), call.at(1), call.at(2));
    if !query.same(key) || !query.same(value) || call.has("mask") {
        return unsupported("attention to another tensor or with a mask");
    }
    let x = lo.value(call, &call.tensor(0)?)?;
    let mut stored = |name: &str| call.tensor_named(name).and_then(|tensor| lo.value(call, &tensor));
    let (weight, bias) = (stored("qkv_weight")?, stored("qkv_bias")?);
    let (out_weight, out_bias) = (stored("proj_weight")?, stored("proj_bias")?);
    let heads = usize::try_from(call.int("num_head")?).ok().filter(|&h| h > 0);
    let heads = heads.ok_or_else(|| Fault::Invalid("num_head must be positive".into()))?;
    let [batch, Dim::Fixed(tokens), Dim::Fixed(width)] = lo.shape(x)[..] else {
        return Err(Fault::Invalid("needs a tensor [batch, tokens, width]".into()));
    };
    let head = Dim::Fixed(width / heads);
    let (tokens, heads) = (Dim::Fixed(tokens), Dim::Fixed(heads));
    let qkv = lo.push(call, Op::Linear { transposed: false }, &[x, weight, bias])?;
    let thirds = lo.builder.node(&call.name, Op::Split { axis: 2, sizes: vec![width; 3] }, &[qkv])?;
    let mut by_head = Vec::with_capacity(3);
    for third in thirds {
        let split = lo.reshape(call, third, vec![batch, tokens, heads, head])?;
        by_head.push(lo.permute(call, split, vec![0, 2, 1, 3])?);
    }
    let y = attention(lo, call, [by_head[0], by_head[1], by_head[2]], None, None)?;
    let y = lo.permute(call, y, vec![0, 2, 1, 3])?;
    let y = lo.reshape(call, y, vec![batch, tokens, Dim::Fixed(width)])?;
    let y = lo.push(call, Op::Linear { transposed: false }, &[y, out_weight, out_bias])?;
    Ok(Value::tuple(vec![fresh(y), Value::Unknown]))
}

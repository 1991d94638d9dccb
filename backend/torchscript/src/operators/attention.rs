//! Fused attention, written out as products, scale and softmax.

use eagleeye_graph::compose::attention::{HIDDEN, added_for, attention, causal_mask};
use eagleeye_graph::{Binary, Dim, Op, Unary, ValueId};
use tch::{Kind, Tensor};

use super::Operator;
use super::masks::is_mask;
use crate::call::{Call, training};
use crate::fault::{Fault, Lowered, unsupported};
use crate::known::content;
use crate::lowering::{Lowering, fresh};
use crate::value::{Content, Value};

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
    Operator {
        name: "aten::_transformer_encoder_layer_fwd",
        becomes: "as above, layer_norm, linear, relu or gelu, linear and add; without a mask",
        lower: encoder_layer,
    },
];

fn scaled_dot_product(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.float_or("dropout_p", 0.0)? > 0.0 {
        return training(call);
    }
    let (q, k, v) = (lo.operand(call, 0)?, lo.operand(call, 1)?, lo.operand(call, 2)?);
    let mask = mask(lo, call, q, k)?;
    let scale = call.optional_float("scale")?;
    Ok(fresh(attention(&mut lo.composer(call), [q, k, v], mask, scale)?))
}

/// The mask as a tensor to add to the scores. Infinities become a number that softmax turns into zero all the same.
fn mask(lo: &mut Lowering, call: &Call, q: ValueId, k: ValueId) -> Lowered<Option<ValueId>> {
    if call.flag("is_causal") {
        return causal_mask(&mut lo.composer(call), q, k).map(Some);
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
        // A mask that was cast to floats is added, like any other floats.
        Content::Graph(id) if mask.element().is_none() && is_mask(lo, call, id) => {
            added_for(&mut lo.composer(call), id).map(Some)
        }
        Content::Graph(id) => Ok(Some(id)),
        Content::Known(mask) => lo.constant(call, &added(&mask)?).map(Some),
        Content::Batched([few, many]) => lo.repeated(call, &[added(&few)?, added(&many)?]).map(Some),
    }
}

fn native_multi_head(lo: &mut Lowering, call: &Call) -> Lowered {
    let (query, key, value) = (call.at(0), call.at(1), call.at(2));
    if !query.same(key) || !query.same(value) || call.has("mask") {
        return unsupported("cross-attention, or attention with a mask");
    }
    let x = lo.operand(call, 0)?;
    let weights = stored(lo, call, ["qkv_weight", "qkv_bias", "proj_weight", "proj_bias"])?;
    let y = self_attention(lo, call, x, weights, call.int("num_head")?)?;
    Ok(Value::tuple(vec![fresh(y), Value::Unknown]))
}

fn stored<const N: usize>(lo: &mut Lowering, call: &Call, names: [&str; N]) -> Lowered<[ValueId; N]> {
    let mut values = [ValueId(0); N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = lo.value(call, &call.tensor_named(name)?)?;
    }
    Ok(values)
}

/// Self-attention with one matrix for queries, keys and values: `[N, tokens, width]` in and out.
fn self_attention(
    lo: &mut Lowering,
    call: &Call,
    x: ValueId,
    [weight, bias, out_weight, out_bias]: [ValueId; 4],
    heads: i64,
) -> Lowered<ValueId> {
    let heads = usize::try_from(heads).ok().filter(|&h| h > 0);
    let heads = heads.ok_or_else(|| Fault::Invalid("num_head must be positive".into()))?;
    let [batch, Dim::Fixed(tokens), Dim::Fixed(width)] = lo.shape(x)[..] else {
        return Err(Fault::Invalid("expected a tensor of shape [batch, tokens, width]".into()));
    };
    let head = Dim::Fixed(width / heads);
    let (tokens, heads) = (Dim::Fixed(tokens), Dim::Fixed(heads));
    let qkv = lo.push(call, Op::Linear { transposed: false }, &[x, weight, bias])?;
    let thirds = lo.draft.builder.node(&call.name, Op::Split { axis: 2, sizes: vec![width; 3] }, &[qkv])?;
    let mut by_head = Vec::with_capacity(3);
    for third in thirds {
        let split = lo.reshape(call, third, vec![batch, tokens, heads, head])?;
        by_head.push(lo.permute(call, split, vec![0, 2, 1, 3])?);
    }
    let y = attention(&mut lo.composer(call), [by_head[0], by_head[1], by_head[2]], None, None)?;
    let y = lo.permute(call, y, vec![0, 2, 1, 3])?;
    let y = lo.reshape(call, y, vec![batch, tokens, Dim::Fixed(width)])?;
    lo.push(call, Op::Linear { transposed: false }, &[y, out_weight, out_bias])
}

/// A layer of `nn.TransformerEncoder` as its fused path records it.
fn encoder_layer(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.has("mask") {
        return unsupported("attention with a mask");
    }
    let x = lo.operand(call, 0)?;
    let weights = stored(lo, call, ["qkv_weight", "qkv_bias", "proj_weight", "proj_bias"])?;
    let norms = stored(lo, call, ["norm_weight_1", "norm_bias_1", "norm_weight_2", "norm_bias_2"])?;
    let layers = stored(lo, call, ["ffn_weight_1", "ffn_bias_1", "ffn_weight_2", "ffn_bias_2"])?;
    let (heads, epsilon) = (call.int("num_heads")?, call.float_or("eps", 1e-5)?);
    let function = if call.flag("use_gelu") { Unary::Gelu { tanh: false } } else { Unary::Relu };
    let normed = |lo: &mut Lowering, x: ValueId, first: usize| {
        lo.push(call, Op::LayerNorm { axes: 1, epsilon }, &[x, norms[first], norms[first + 1]])
    };
    let fed_forward = |lo: &mut Lowering, x: ValueId| {
        let wide = lo.push(call, Op::Linear { transposed: false }, &[x, layers[0], layers[1]])?;
        let wide = lo.unary(call, function, wide)?;
        lo.push(call, Op::Linear { transposed: false }, &[wide, layers[2], layers[3]])
    };
    if call.flag("norm_first") {
        let y = normed(lo, x, 0)?;
        let y = self_attention(lo, call, y, weights, heads)?;
        let x = lo.binary(call, Binary::Add, x, y)?;
        let y = normed(lo, x, 2)?;
        let y = fed_forward(lo, y)?;
        return Ok(fresh(lo.binary(call, Binary::Add, x, y)?));
    }
    let y = self_attention(lo, call, x, weights, heads)?;
    let x = lo.binary(call, Binary::Add, x, y)?;
    let x = normed(lo, x, 0)?;
    let y = fed_forward(lo, x)?;
    let x = lo.binary(call, Binary::Add, x, y)?;
    Ok(fresh(normed(lo, x, 2)?))
}

//! Products over named or given axes.

use eagleeye_graph::compose::einsum::einsum;
use eagleeye_graph::compose::reductions;
use eagleeye_graph::reading::indices;
use eagleeye_graph::{Binary, Compose, Dim, Reduction, Unary, ValueId};

use super::Operator;
use super::convolution::{product, scaled};
use crate::call::{Call, as_int};
use crate::fault::{Lowered, unsupported};
use crate::lowering::{Lowering, fresh};
use crate::value::Value;

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "aten::einsum",
        becomes: "permute, reduce_sum, mul, and linear with a stored matrix, else matmul; no diagonals",
        lower: by_equation,
    },
    Operator { name: "aten::bilinear", becomes: "mul, reshape, linear", lower: bilinear },
    Operator { name: "aten::tensordot", becomes: "as einsum", lower: tensor_dot },
    Operator { name: "aten::outer", becomes: "mul", lower: |lo, call| fixed_equation(lo, call, "i,j->ij") },
    Operator { name: "aten::ger", becomes: "mul", lower: |lo, call| fixed_equation(lo, call, "i,j->ij") },
    Operator { name: "aten::dot", becomes: "mul and reduce_sum", lower: |lo, call| fixed_equation(lo, call, "i,i->") },
    Operator { name: "aten::vdot", becomes: "mul and reduce_sum", lower: |lo, call| fixed_equation(lo, call, "i,i->") },
    Operator { name: "aten::mv", becomes: "mul and reduce_sum", lower: |lo, call| fixed_equation(lo, call, "ij,j->i") },
    Operator { name: "aten::addmv", becomes: "mul, reduce_sum and add", lower: add_matrix_vector },
    Operator { name: "aten::addbmm", becomes: "matmul, reduce_sum and add", lower: add_summed_products },
    Operator { name: "aten::cosine_similarity", becomes: "as norms, div, mul, reduce_sum", lower: cosine_similarity },
    Operator { name: "aten::pairwise_distance", becomes: "sub and a norm", lower: pairwise_distance },
    Operator { name: "aten::cdist", becomes: "reshape, sub and a norm", lower: distances },
];

fn by_equation(lo: &mut Lowering, call: &Call) -> Lowered {
    let Value::String(equation) = call.at(0) else {
        return unsupported("an equation that is not a constant");
    };
    let tensors = call.tensors(1)?;
    let operands = tensors.iter().map(|tensor| lo.value(call, tensor)).collect::<Lowered<Vec<_>>>()?;
    Ok(fresh(einsum(&mut lo.composer(call), equation, &operands)?))
}

fn fixed_equation(lo: &mut Lowering, call: &Call, equation: &str) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    Ok(fresh(einsum(&mut lo.composer(call), equation, &[a, b])?))
}

/// `sum over i and j of a_i weight_oij b_j + bias_o`
fn bilinear(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b, weight) = (lo.operand(call, 0)?, lo.operand(call, 1)?, lo.operand(call, 2)?);
    let y = einsum(&mut lo.composer(call), "...i,oij,...j->...o", &[a, weight, b])?;
    match lo.optional_operand(call, "bias")? {
        Some(bias) => Ok(fresh(lo.binary(call, Binary::Add, y, bias)?)),
        None => Ok(fresh(y)),
    }
}

/// Sums over the axes that are listed for each of the two tensors.
fn tensor_dot(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let (rank_a, rank_b) = (lo.shape(a).len(), lo.shape(b).len());
    let axes = |index: usize, rank: usize| {
        let items = call.at(index).items().unwrap_or_default();
        items.iter().map(|axis| Ok(indices::axis(as_int(axis)?, rank)?)).collect::<Lowered<Vec<_>>>()
    };
    let (over_a, over_b) = (axes(2, rank_a)?, axes(3, rank_b)?);
    if rank_a + rank_b > 26 || over_a.len() != over_b.len() {
        return unsupported("sums over different numbers of axes, or over tensors with more than 26 axes in total");
    }
    let letter = |index: usize| char::from(b'a' + index as u8);
    let left: String = (0..rank_a).map(letter).collect();
    let right: String = (0..rank_b)
        .map(|axis| over_b.iter().position(|&o| o == axis).map_or(letter(rank_a + axis), |i| letter(over_a[i])))
        .collect();
    let kept = (0..rank_a).filter(|axis| !over_a.contains(axis)).map(letter);
    let output: String = kept.chain((0..rank_b).filter(|a| !over_b.contains(a)).map(|a| letter(rank_a + a))).collect();
    Ok(fresh(einsum(&mut lo.composer(call), &format!("{left},{right}->{output}"), &[a, b])?))
}

fn add_matrix_vector(lo: &mut Lowering, call: &Call) -> Lowered {
    let (c, a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?, lo.operand(call, 2)?);
    let y = einsum(&mut lo.composer(call), "ij,j->i", &[a, b])?;
    weighted_sum(lo, call, c, y)
}

fn add_summed_products(lo: &mut Lowering, call: &Call) -> Lowered {
    let (c, a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?, lo.operand(call, 2)?);
    let y = product(lo, call, a, b, None)?;
    let y = lo.composer(call).reduce(Reduction::Sum, &[0], false, y)?;
    weighted_sum(lo, call, c, y)
}

/// `beta * c + alpha * y`
fn weighted_sum(lo: &mut Lowering, call: &Call, c: ValueId, y: ValueId) -> Lowered {
    let (c, y) =
        (scaled(lo, call, c, call.float_or("beta", 1.0)?)?, scaled(lo, call, y, call.float_or("alpha", 1.0)?)?);
    Ok(fresh(lo.binary(call, Binary::Add, c, y)?))
}

fn cosine_similarity(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let rank = lo.shape(a).len().max(lo.shape(b).len());
    let axis = call.axis_or("dim", 1, rank)?;
    if lo.shape(a).len() != lo.shape(b).len() {
        return unsupported("tensors with different numbers of axes");
    }
    let epsilon = call.float_or("eps", 1e-8)?;
    Ok(fresh(reductions::cosine_similarity(&mut lo.composer(call), a, b, axis, epsilon)?))
}

fn pairwise_distance(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let difference = lo.binary(call, Binary::Sub, a, b)?;
    let shifted = lo.unary(call, Unary::AddScalar(call.float_or("eps", 1e-6)?), difference)?;
    let last = indices::axis(-1, lo.draft.rank(shifted))?;
    let order = call.float_or("p", 2.0)?;
    Ok(fresh(reductions::norm(&mut lo.composer(call), shifted, order, &[last], call.flag("keepdim"))?))
}

/// `a [..., n, k]` and `b [..., m, k]` to the distances `[..., n, m]`.
fn distances(lo: &mut Lowering, call: &Call) -> Lowered {
    let (a, b) = (lo.operand(call, 0)?, lo.operand(call, 1)?);
    let rank = lo.shape(a).len();
    if rank < 2 || lo.shape(b).len() != rank {
        return unsupported("tensors with different numbers of axes");
    }
    let (mut left, mut right) = (lo.shape(a).clone(), lo.shape(b).clone());
    left.insert(rank - 1, Dim::Fixed(1));
    right.insert(rank - 2, Dim::Fixed(1));
    let (a, b) = (lo.reshape(call, a, left)?, lo.reshape(call, b, right)?);
    let difference = lo.binary(call, Binary::Sub, a, b)?;
    let order = call.float_or("p", 2.0)?;
    Ok(fresh(reductions::norm(&mut lo.composer(call), difference, order, &[rank], false)?))
}

//! Norms and sums along axes.

use super::arithmetic::is_not_zero;
use super::{Compose, sampling};
use crate::ir::ValueId;
use crate::ops::{Binary, Reduction, Unary};
use crate::shape::{Dim, Shape};

type Made<C> = Result<ValueId, <C as Compose>::Fault>;

/// The norm of the given order: the largest or smallest size for an infinite one, the number of entries for 0.
pub fn norm<C: Compose>(c: &mut C, x: ValueId, order: f64, axes: &[usize], keep_dims: bool) -> Made<C> {
    if order == 2.0 {
        let squares = c.unary(Unary::PowScalar(2.0), x)?;
        let sum = c.reduce(Reduction::Sum, axes, keep_dims, squares)?;
        return c.unary(Unary::Sqrt, sum);
    }
    if order == 0.0 {
        let counted = is_not_zero(c, x)?;
        return c.reduce(Reduction::Sum, axes, keep_dims, counted);
    }
    let size = c.unary(Unary::Abs, x)?;
    match order {
        f64::INFINITY => c.reduce(Reduction::Max, axes, keep_dims, size),
        f64::NEG_INFINITY => c.reduce(Reduction::Min, axes, keep_dims, size),
        1.0 => c.reduce(Reduction::Sum, axes, keep_dims, size),
        _ => {
            let powers = c.unary(Unary::PowScalar(order), size)?;
            let sum = c.reduce(Reduction::Sum, axes, keep_dims, powers)?;
            c.unary(Unary::PowScalar(1.0 / order), sum)
        }
    }
}

/// `log(sum(exp(x)))`. The largest entry is taken out first, so that no exponential overflows.
pub fn log_sum_exp<C: Compose>(c: &mut C, x: ValueId, axes: &[usize], keep_dims: bool) -> Made<C> {
    let largest = c.reduce(Reduction::Max, axes, true, x)?;
    let shifted = c.binary(Binary::Sub, x, largest)?;
    let exponentials = c.unary(Unary::Exp, shifted)?;
    let sum = c.reduce(Reduction::Sum, axes, keep_dims, exponentials)?;
    let log = c.unary(Unary::Log, sum)?;
    let largest = if keep_dims { largest } else { c.reduce(Reduction::Max, axes, false, x)? };
    c.binary(Binary::Add, log, largest)
}

/// `x / sqrt(mean(x ^ 2) + epsilon) * weight` over the trailing `axes` axes.
pub fn rms_norm<C: Compose>(c: &mut C, x: ValueId, axes: usize, weight: Option<ValueId>, epsilon: f64) -> Made<C> {
    let rank = c.shape(x).len();
    let Some(first) = rank.checked_sub(axes).filter(|_| axes > 0) else {
        return Err(C::invalid(format!("normalises {axes} axes of a tensor of rank {rank}")));
    };
    let over: Vec<usize> = (first..rank).collect();
    let squares = c.unary(Unary::PowScalar(2.0), x)?;
    let mean = c.reduce(Reduction::Mean, &over, true, squares)?;
    let shifted = c.plus(mean, epsilon)?;
    let inverse = c.unary(Unary::PowScalar(-0.5), shifted)?;
    let y = c.binary(Binary::Mul, x, inverse)?;
    match weight {
        Some(weight) => c.binary(Binary::Mul, y, weight),
        None => Ok(y),
    }
}

/// Batch norm by the statistics of the tensor itself: axis 1 gets the mean 0 and the variance 1, then a factor and a summand for
/// each of its entries. That is how weights are standardised; over a batch it would be training.
pub fn standardized<C: Compose>(
    c: &mut C,
    x: ValueId,
    weight: Option<ValueId>,
    bias: Option<ValueId>,
    epsilon: f64,
) -> Made<C> {
    let rank = c.shape(x).len();
    let channels = c.fixed(x, 1)?;
    let over: Vec<usize> = (0..rank).filter(|&axis| axis != 1).collect();
    let mean = c.reduce(Reduction::Mean, &over, true, x)?;
    let centred = c.binary(Binary::Sub, x, mean)?;
    let squares = c.unary(Unary::PowScalar(2.0), centred)?;
    let variance = c.reduce(Reduction::Mean, &over, true, squares)?;
    let shifted = c.unary(Unary::AddScalar(epsilon), variance)?;
    let deviation = c.unary(Unary::Sqrt, shifted)?;
    let mut y = c.binary(Binary::Div, centred, deviation)?;
    let column: Shape = (0..rank).map(|axis| Dim::Fixed(if axis == 1 { channels } else { 1 })).collect();
    for (parameter, function) in [(weight, Binary::Mul), (bias, Binary::Add)] {
        if let Some(parameter) = parameter {
            let parameter = c.reshape(parameter, column.clone())?;
            y = c.binary(function, y, parameter)?;
        }
    }
    Ok(y)
}

/// The angle between `a` and `b` along an axis, as its cosine; norms are at least `epsilon`.
pub fn cosine_similarity<C: Compose>(c: &mut C, a: ValueId, b: ValueId, axis: usize, epsilon: f64) -> Made<C> {
    let mut unit = |x: ValueId| {
        let norm = norm(c, x, 2.0, &[axis], true)?;
        let norm = c.unary(Unary::Clamp(Some(epsilon), None), norm)?;
        c.binary(Binary::Div, x, norm)
    };
    let (a, b) = (unit(a)?, unit(b)?);
    let product = c.binary(Binary::Mul, a, b)?;
    c.reduce(Reduction::Sum, &[axis], false, product)
}

/// Running sums along an axis: each entry is the sum of those up to it, without itself where `exclusive`.
pub fn running_sum<C: Compose>(c: &mut C, x: ValueId, axis: usize, exclusive: bool, reverse: bool) -> Made<C> {
    let size = c.fixed(x, axis)?;
    let counts = |to: usize, from: usize| {
        let (to, from) = if reverse { (size - to, size - from) } else { (to, from) };
        f64::from(u8::from(from < to || (from == to && !exclusive)))
    };
    sampling::along(c, x, axis, size, &counts)
}

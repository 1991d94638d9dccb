//! Functions of single entries, comparisons and selections.

use std::collections::BTreeSet;

use super::Compose;
use crate::ir::ValueId;
use crate::ops::{Binary, Op, Reduction, Unary};

type Made<C> = Result<ValueId, <C as Compose>::Fault>;

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

/// 1 where the comparison holds, else 0.
pub fn compare<C: Compose>(c: &mut C, comparison: Comparison, a: ValueId, b: ValueId) -> Made<C> {
    match comparison {
        Comparison::Less => c.binary(Binary::Less, a, b),
        Comparison::LessOrEqual => c.binary(Binary::LessOrEqual, a, b),
        Comparison::Greater => c.binary(Binary::Less, b, a),
        Comparison::GreaterOrEqual => c.binary(Binary::LessOrEqual, b, a),
        Comparison::Equal => c.binary(Binary::Equal, a, b),
        Comparison::NotEqual => {
            let equal = c.binary(Binary::Equal, a, b)?;
            not(c, equal)
        }
    }
}

/// 1 - x, for masks of zeros and ones.
pub fn not<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let negated = c.unary(Unary::Neg, x)?;
    c.plus(negated, 1.0)
}

/// 1 where `x` is not 0, else 0.
pub fn is_not_zero<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let zero = c.number(0.0)?;
    compare(c, Comparison::NotEqual, x, zero)
}

/// Values that are looked at to find out whether one is a mask.
const MAX_LOOKED_AT: usize = 256;

/// Whether every entry is known to be 0 or 1: comparisons, and what chooses, moves and combines their entries.
pub fn is_mask<C: Compose>(c: &C, id: ValueId) -> bool {
    let (mut open, mut seen) = (vec![id], BTreeSet::new());
    while let Some(id) = open.pop() {
        if c.holds_truths(id) || !seen.insert(id) {
            continue;
        }
        let parts = c.made_by(id).and_then(|(op, inputs)| masks_within(c, op, inputs));
        match parts {
            Some(parts) if seen.len() <= MAX_LOOKED_AT => open.extend(parts),
            _ => return false,
        }
    }
    true
}

/// The values that must be masks for the result of an operation to be one; `None` where it never is.
fn masks_within<C: Compose>(c: &C, op: &Op, inputs: &[ValueId]) -> Option<Vec<ValueId>> {
    match op {
        Op::Binary(Binary::Less | Binary::LessOrEqual | Binary::Equal) => Some(Vec::new()),
        Op::Binary(Binary::Mul | Binary::Max | Binary::Min) | Op::Cat { .. } => Some(inputs.to_vec()),
        Op::Select => inputs.get(1..).map(<[ValueId]>::to_vec),
        Op::Reshape { .. } | Op::Permute { .. } | Op::Expand { .. } | Op::Slice { .. } | Op::Gather { .. } => {
            inputs.get(..1).map(<[ValueId]>::to_vec)
        }
        Op::Reduce { kind: Reduction::Max | Reduction::Min | Reduction::Product, .. } => Some(inputs.to_vec()),
        // The negation of a mask is 1 - mask, and two masks differ where |a - b| is 1.
        Op::Unary(Unary::AddScalar(1.0)) => match c.made_by(*inputs.first()?)? {
            (Op::Unary(Unary::Neg), mask) => Some(mask.to_vec()),
            _ => None,
        },
        Op::Unary(Unary::Abs) => match c.made_by(*inputs.first()?)? {
            (Op::Binary(Binary::Sub), both) => Some(both.to_vec()),
            _ => None,
        },
        _ => None,
    }
}

/// `a` where the condition is not 0, else `b`.
pub fn select<C: Compose>(c: &mut C, condition: ValueId, a: ValueId, b: ValueId) -> Made<C> {
    c.push(Op::Select, &[condition, a, b])
}

/// `x` where it is greater than `bound`, else `value`.
pub fn threshold<C: Compose>(c: &mut C, x: ValueId, bound: f64, value: f64) -> Made<C> {
    if bound == value {
        let function = if bound == 0.0 { Unary::Relu } else { Unary::Clamp(Some(bound), None) };
        return c.unary(function, x);
    }
    let (bound, value) = (c.number(bound)?, c.number(value)?);
    let above = compare(c, Comparison::Greater, x, bound)?;
    select(c, above, x, value)
}

/// `x` moved towards 0 by `bias` where its size is greater than `bound`, else 0.
pub fn hard_shrink<C: Compose>(c: &mut C, x: ValueId, bound: f64, bias: f64) -> Made<C> {
    let (size, limit, zero) = (c.unary(Unary::Abs, x)?, c.number(bound)?, c.number(0.0)?);
    let small = compare(c, Comparison::LessOrEqual, size, limit)?;
    let kept = if bias == 0.0 {
        x
    } else {
        let sign = c.unary(Unary::Sign, x)?;
        let shift = c.times(sign, bias)?;
        c.binary(Binary::Sub, x, shift)?
    };
    select(c, small, zero, kept)
}

/// `x` moved towards 0 by `bound`: `x - clamp(x, -bound, bound)`.
pub fn soft_shrink<C: Compose>(c: &mut C, x: ValueId, bound: f64) -> Made<C> {
    let middle = c.unary(Unary::Clamp(Some(-bound), Some(bound)), x)?;
    c.binary(Binary::Sub, x, middle)
}

/// `x / (1 + |x|)`
pub fn softsign<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let size = c.unary(Unary::Abs, x)?;
    let divisor = c.plus(size, 1.0)?;
    c.binary(Binary::Div, x, divisor)
}

/// `log(1 + exp(beta x)) / beta`
pub fn softplus<C: Compose>(c: &mut C, x: ValueId, beta: f64) -> Made<C> {
    let scaled = c.times(x, beta)?;
    let y = c.unary(Unary::Softplus, scaled)?;
    c.times(y, 1.0 / beta)
}

/// `log(sigmoid(x))`
pub fn log_sigmoid<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let negated = c.unary(Unary::Neg, x)?;
    let softplus = c.unary(Unary::Softplus, negated)?;
    c.unary(Unary::Neg, softplus)
}

/// `scale x` where `x > 0`, else `scale alpha (exp(input_scale x) - 1)`.
pub fn elu<C: Compose>(c: &mut C, x: ValueId, alpha: f64, scale: f64, input_scale: f64) -> Made<C> {
    if input_scale == 1.0 {
        let y = c.unary(Unary::Elu(alpha), x)?;
        return c.times(y, scale);
    }
    let positive = c.unary(Unary::Relu, x)?;
    let negative = c.unary(Unary::Clamp(None, Some(0.0)), x)?;
    let negative = c.times(negative, input_scale)?;
    let negative = c.unary(Unary::Elu(alpha), negative)?;
    let y = c.binary(Binary::Add, positive, negative)?;
    c.times(y, scale)
}

/// `alpha elu(x / alpha)`
pub fn celu<C: Compose>(c: &mut C, x: ValueId, alpha: f64) -> Made<C> {
    if alpha == 0.0 {
        return Err(C::invalid("alpha is 0".into()));
    }
    let scaled = c.times(x, 1.0 / alpha)?;
    let y = c.unary(Unary::Elu(1.0), scaled)?;
    c.times(y, alpha)
}

/// `log(1 + x)`
pub fn log_of_one_plus<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let shifted = c.plus(x, 1.0)?;
    c.unary(Unary::Log, shifted)
}

/// `exp(x) - 1`
pub fn exp_minus_one<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let power = c.unary(Unary::Exp, x)?;
    c.plus(power, -1.0)
}

/// `log(x / (1 - x))`, with `x` kept `margin` away from 0 and 1.
pub fn logit<C: Compose>(c: &mut C, mut x: ValueId, margin: Option<f64>) -> Made<C> {
    if let Some(margin) = margin {
        x = c.unary(Unary::Clamp(Some(margin), Some(1.0 - margin)), x)?;
    }
    let rest = not(c, x)?;
    let odds = c.binary(Binary::Div, x, rest)?;
    c.unary(Unary::Log, odds)
}

/// Rounds towards 0.
pub fn truncated<C: Compose>(c: &mut C, x: ValueId) -> Made<C> {
    let (sign, size) = (c.unary(Unary::Sign, x)?, c.unary(Unary::Abs, x)?);
    let whole = c.unary(Unary::Floor, size)?;
    c.binary(Binary::Mul, sign, whole)
}

/// `a - b * (a / b, rounded)`: the remainder with the divisor's sign, or with the dividend's where `towards_zero`.
pub fn remainder<C: Compose>(c: &mut C, a: ValueId, b: ValueId, towards_zero: bool) -> Made<C> {
    let quotient = c.binary(Binary::Div, a, b)?;
    let whole = if towards_zero { truncated(c, quotient)? } else { c.unary(Unary::Floor, quotient)? };
    let product = c.binary(Binary::Mul, whole, b)?;
    c.binary(Binary::Sub, a, product)
}

/// `a + weight (b - a)`
pub fn interpolated<C: Compose>(c: &mut C, a: ValueId, b: ValueId, weight: f64) -> Made<C> {
    let difference = c.binary(Binary::Sub, b, a)?;
    let step = c.times(difference, weight)?;
    c.binary(Binary::Add, a, step)
}

/// What a quantiser and the dequantiser behind it make of `x`: whole steps of `scale`, kept between two whole numbers.
///
/// `scale` and `zero_point` broadcast to `x`.
pub fn fake_quantised<C: Compose>(
    c: &mut C,
    x: ValueId,
    scale: ValueId,
    zero_point: ValueId,
    (low, high): (f64, f64),
) -> Made<C> {
    let steps = c.binary(Binary::Div, x, scale)?;
    let whole = c.unary(Unary::Round, steps)?;
    let shifted = c.binary(Binary::Add, whole, zero_point)?;
    let kept = c.unary(Unary::Clamp(Some(low), Some(high)), shifted)?;
    let back = c.binary(Binary::Sub, kept, zero_point)?;
    c.binary(Binary::Mul, back, scale)
}

//! Operations that exporters take apart, put together again: label propagation has rules for the whole, not for its parts.
//!
//! Every pattern is found from its last operation, looking back at what made its operands. The parts stay in the graph where
//! somebody else uses them; otherwise they are dropped with everything that no output needs.

use eagleeye_graph::reading::{Draft, Made};
use eagleeye_graph::{Binary, Dim, Op, PadMode, Pool, PoolKind, Reduction, Shape, Unary, ValueId, shape};

/// The operation that `op` completes, with its inputs, or `None`.
pub(super) fn combine(draft: &Draft, op: &Op, inputs: &[ValueId]) -> Option<(Op, Vec<ValueId>)> {
    match (op, inputs) {
        (Op::Unary(function), &[x]) => unary(draft, *function, x).map(|(f, x)| (Op::Unary(f), vec![x])),
        (Op::Binary(Binary::Mul), &[a, b]) => activation(draft, &[a, b], 1.0)
            .map(|(f, x)| (Op::Unary(f), vec![x]))
            .or_else(|| normalised_by_product(draft, a, b).or_else(|| normalised_by_product(draft, b, a)))
            .or_else(|| with_scale(draft, a, b).or_else(|| with_scale(draft, b, a))),
        (Op::Binary(Binary::Add), &[a, b]) => with_bias(draft, a, b).or_else(|| with_bias(draft, b, a)),
        (Op::Binary(Binary::Div), &[a, b]) => normalised(draft, a, b),
        (Op::Reshape { shape }, &[x]) => group_norm(draft, shape, x),
        (Op::Cat { axis }, &[front, back]) => roll(draft, *axis, front, back),
        (Op::Pool(pool), &[x]) => padded_max_pool(draft, pool, x),
        _ => None,
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-3 * b.abs()
}

/// The function that made a value, and its operand.
fn function(draft: &Draft, id: ValueId) -> Option<(Unary, ValueId)> {
    match draft.made_by(id)? {
        Made { op: Op::Unary(function), inputs } => Some((*function, *inputs.first()?)),
        _ => None,
    }
}

fn made_by_binary(draft: &Draft, id: ValueId, function: Binary) -> Option<(ValueId, ValueId)> {
    match draft.made_by(id)? {
        Made { op: Op::Binary(found), inputs } if *found == function => Some((inputs[0], inputs[1])),
        _ => None,
    }
}

fn unary(draft: &Draft, last: Unary, x: ValueId) -> Option<(Unary, ValueId)> {
    match (last, function(draft, x)) {
        // hardsigmoid(x) = clamp(x + 3, 0, 6) / 6
        (Unary::MulScalar(sixth), Some((Unary::Clamp(Some(0.0), Some(6.0)), sum))) if near(sixth, 1.0 / 6.0) => {
            match function(draft, sum)? {
                (Unary::AddScalar(3.0), x) => Some((Unary::HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }, x)),
                _ => None,
            }
        }
        // An inner factor is part of the same product.
        (Unary::MulScalar(factor), _) => activation(draft, &[x], factor),
        _ => None,
    }
}

/// Factors of a product, and the number that they are multiplied by. Longer products are no activation.
fn factors(draft: &Draft, of: &[ValueId], number: f64) -> Option<(Vec<ValueId>, f64)> {
    const MOST: usize = 4;
    let (mut open, mut done, mut number) = (of.to_vec(), Vec::new(), number);
    while let Some(id) = open.pop() {
        if open.len() + done.len() > MOST {
            return None;
        }
        if let Some((a, b)) = made_by_binary(draft, id, Binary::Mul) {
            open.extend([a, b]);
        } else if let Some((Unary::MulScalar(factor), x)) = function(draft, id) {
            number *= factor;
            open.push(x);
        } else {
            done.push(id);
        }
    }
    Some((done, number))
}

/// `number * x * gate(x)`: SiLU, Mish, hardswish and both forms of GELU.
fn activation(draft: &Draft, of: &[ValueId], number: f64) -> Option<(Unary, ValueId)> {
    // What is multiplied is looked at before its own parts: `x` may be a product itself.
    let direct = |a, b| gated(draft, a, b, number).or_else(|| gated(draft, b, a, number));
    if let &[a, b] = of
        && let Some(found) = direct(a, b)
    {
        return Some(found);
    }
    match factors(draft, of, number)? {
        (factors, number) if factors.len() == 2 => {
            let (a, b) = (factors[0], factors[1]);
            gated(draft, a, b, number).or_else(|| gated(draft, b, a, number))
        }
        _ => None,
    }
}

fn gated(draft: &Draft, x: ValueId, gate: ValueId, number: f64) -> Option<(Unary, ValueId)> {
    let found = match function(draft, gate)? {
        (Unary::Sigmoid, of) if of == x && number == 1.0 => Unary::Silu,
        (Unary::HardSigmoid { alpha, beta: 0.5 }, of) if of == x && near(alpha, 1.0 / 6.0) && number == 1.0 => {
            Unary::HardSwish
        }
        (Unary::Clamp(Some(0.0), Some(6.0)), sum) if near(number, 1.0 / 6.0) => match function(draft, sum)? {
            (Unary::AddScalar(3.0), of) if of == x => Unary::HardSwish,
            _ => return None,
        },
        (Unary::Tanh, inner) if number == 1.0 => match function(draft, inner)? {
            (Unary::Softplus, of) if of == x => Unary::Mish,
            _ => return None,
        },
        (Unary::AddScalar(1.0), inner) if near(number, 0.5) => match function(draft, inner)? {
            (Unary::Erf, scaled) if is_scaled(draft, scaled, x, std::f64::consts::FRAC_1_SQRT_2) => {
                Unary::Gelu { tanh: false }
            }
            (Unary::Tanh, inner) if is_tanh_argument(draft, inner, x) => Unary::Gelu { tanh: true },
            _ => return None,
        },
        _ => return None,
    };
    Some((found, x))
}

/// Whether a value is `x * factor`.
fn is_scaled(draft: &Draft, id: ValueId, x: ValueId, factor: f64) -> bool {
    matches!(function(draft, id), Some((Unary::MulScalar(found), of)) if of == x && near(found, factor))
}

/// Whether a value is `sqrt(2 / pi) * (x + 0.044715 * x ^ 3)`.
fn is_tanh_argument(draft: &Draft, id: ValueId, x: ValueId) -> bool {
    let Some((Unary::MulScalar(factor), sum)) = function(draft, id) else {
        return false;
    };
    let Some((a, b)) = made_by_binary(draft, sum, Binary::Add) else {
        return false;
    };
    let cube = if a == x { b } else { a };
    let is_cube = match function(draft, cube) {
        Some((Unary::MulScalar(factor), power)) => near(factor, 0.044715) && is_cube(draft, power, x),
        _ => factors(draft, &[cube], 1.0).is_some_and(|(factors, number)| {
            near(number, 0.044715) && factors.len() == 3 && factors.iter().all(|&f| f == x)
        }),
    };
    (a == x || b == x) && is_cube && near(factor, std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2)
}

fn is_cube(draft: &Draft, id: ValueId, x: ValueId) -> bool {
    let square = |id| matches!(function(draft, id), Some((Unary::PowScalar(2.0), of)) if of == x);
    match function(draft, id) {
        Some((Unary::PowScalar(3.0), of)) => of == x,
        _ => {
            made_by_binary(draft, id, Binary::Mul).is_some_and(|(a, b)| (a == x && square(b)) || (b == x && square(a)))
        }
    }
}

/// Layer norm without its affine: `centred / sqrt(mean(centred ^ 2) + epsilon)`.
fn normalised(draft: &Draft, centred: ValueId, deviation: ValueId) -> Option<(Op, Vec<ValueId>)> {
    match function(draft, deviation)? {
        (Unary::Sqrt, variance) | (Unary::PowScalar(0.5), variance) => layer_norm(draft, centred, variance),
        _ => None,
    }
}

/// The same, written as a product.
fn normalised_by_product(draft: &Draft, centred: ValueId, inverse: ValueId) -> Option<(Op, Vec<ValueId>)> {
    match function(draft, inverse)? {
        (Unary::PowScalar(-0.5), variance) => layer_norm(draft, centred, variance),
        (Unary::Reciprocal, deviation) => normalised(draft, centred, deviation),
        _ => None,
    }
}

fn layer_norm(draft: &Draft, centred: ValueId, variance: ValueId) -> Option<(Op, Vec<ValueId>)> {
    let (Unary::AddScalar(epsilon), variance) = function(draft, variance)? else { return None };
    let (x, mean) = made_by_binary(draft, centred, Binary::Sub)?;
    let axes = trailing_mean(draft, mean, x)?;
    let Made { op: Op::Reduce { kind: Reduction::Mean, axes: over, keep_dims: true }, inputs } =
        draft.made_by(variance)?
    else {
        return None;
    };
    let (Unary::PowScalar(2.0), squared) = function(draft, inputs[0])? else { return None };
    let first = draft.rank(x).checked_sub(axes)?;
    // Exporters subtract the mean once for both, or once for each.
    let same = squared == centred
        || made_by_binary(draft, squared, Binary::Sub)
            .is_some_and(|(again, m)| again == x && trailing_mean(draft, m, x) == Some(axes));
    let whole = same && over.len() == axes && over.first() == Some(&first) && epsilon > 0.0;
    whole.then(|| (Op::LayerNorm { axes, epsilon }, vec![x]))
}

/// The number of last axes over which a value is the mean of `x`, where it is one.
fn trailing_mean(draft: &Draft, mean: ValueId, x: ValueId) -> Option<usize> {
    match draft.made_by(mean)? {
        Made { op: Op::Reduce { kind: Reduction::Mean, axes, keep_dims: true }, inputs } if inputs[..] == [x] => {
            let first = draft.rank(x).checked_sub(axes.len())?;
            let trailing = axes.iter().copied().eq(first..draft.rank(x)) && !axes.is_empty();
            trailing.then_some(axes.len())
        }
        _ => None,
    }
}

/// A layer norm that gets its gamma.
fn with_scale(draft: &Draft, norm: ValueId, scale: ValueId) -> Option<(Op, Vec<ValueId>)> {
    match draft.made_by(norm)? {
        Made { op: op @ Op::LayerNorm { axes, .. }, inputs } if inputs.len() == 1 => {
            fits_axes(draft, norm, *axes, scale).then(|| (op.clone(), vec![inputs[0], scale]))
        }
        _ => None,
    }
}

/// Whether a parameter has the shape of the last axes of a value.
fn fits_axes(draft: &Draft, value: ValueId, axes: usize, parameter: ValueId) -> bool {
    let shape = draft.shape(value);
    draft.is_parameter(parameter) && shape.ends_with(draft.shape(parameter)) && draft.rank(parameter) == axes
}

/// A layer norm that gets its beta, or a linear layer that gets its bias.
fn with_bias(draft: &Draft, x: ValueId, bias: ValueId) -> Option<(Op, Vec<ValueId>)> {
    let Made { op, inputs } = draft.made_by(x)?;
    let fits = match op {
        Op::LayerNorm { axes, .. } => fits_axes(draft, x, *axes, bias),
        Op::Linear { .. } => fits_axes(draft, x, 1, bias),
        _ => false,
    };
    (fits && inputs.len() == 2).then(|| (op.clone(), vec![inputs[0], inputs[1], bias]))
}

/// Group norm, written as a view `[N, groups, ...]`, a norm of each group, and the view back.
fn group_norm(draft: &Draft, to: &Shape, normed: ValueId) -> Option<(Op, Vec<ValueId>)> {
    let Made { op: Op::GroupNorm { groups, epsilon }, inputs } = draft.made_by(normed)? else { return None };
    let &[view] = &inputs[..] else { return None };
    let Made { op: Op::Reshape { shape: viewed }, inputs } = draft.made_by(view)? else { return None };
    let x = *inputs.first()?;
    let from = draft.shape(x);
    let channels = from.get(1)?.sample();
    let whole = from == to
        && viewed.first() == from.first()
        && viewed.get(1) == Some(&Dim::Fixed(*groups))
        && channels.is_multiple_of((*groups).max(1));
    whole.then(|| (Op::GroupNorm { groups: *groups, epsilon: *epsilon }, vec![x]))
}

/// A max pooling with padding, written as a padding with the smallest number and a pooling without.
fn padded_max_pool(draft: &Draft, pool: &Pool, x: ValueId) -> Option<(Op, Vec<ValueId>)> {
    let Made { op: Op::Pad { pads, mode: PadMode::Constant(fill) }, inputs } = draft.made_by(x)? else { return None };
    let [(0, 0), (0, 0), spatial @ ..] = &pads[..] else { return None };
    let plain =
        pool.kind == PoolKind::Max && !pool.ceil && *fill <= f64::from(f32::MIN) && spatial.len() == pool.kernel.len();
    if !plain {
        return None;
    }
    // No runtime pads by more than half of a window.
    let pad = |pad: i64, kernel: usize| usize::try_from(pad).ok().filter(|&p| p <= kernel / 2);
    let sides = spatial.iter().zip(&pool.kernel).zip(&pool.padding).map(|((&(before, after), &kernel), &own)| {
        (own == (0, 0)).then_some(())?;
        Some((pad(before, kernel)?, pad(after, kernel)?))
    });
    let padding = sides.collect::<Option<Vec<_>>>()?;
    Some((Op::Pool(Pool { padding, ..pool.clone() }), vec![*inputs.first()?]))
}

/// Both ends of a tensor, joined the other way round.
fn roll(draft: &Draft, axis: usize, front: ValueId, back: ValueId) -> Option<(Op, Vec<ValueId>)> {
    let part = |id: ValueId| match draft.made_by(id)? {
        Made { op: Op::Slice { axis: along, start, end, step: 1 }, inputs } if *along == axis => {
            Some((*inputs.first()?, *start, *end))
        }
        _ => None,
    };
    let ((x, start, end), (other, first, middle)) = (part(front)?, part(back)?);
    let size = shape::sample(draft.shape(x)).get(axis).copied()?;
    let whole = x == other && end == size && first == 0 && middle == start;
    whole.then(|| (Op::Roll { shifts: vec![(axis, (size - start) as i64)] }, vec![x]))
}

//! Normalisation layers that ONNX has as one operator. Those that exporters take apart are found by [`crate::import::fuse`].

use eagleeye_graph::compose::reductions;
use eagleeye_graph::{Binary, Dim, Op, Pool, PoolKind, Reduction, Unary, ValueId, shape};

use super::Operator;
use crate::import::call::{Call, Lowered, Value, one, training};
use crate::import::fault::invalid;
use crate::import::indices::{axes, axis, size};
use crate::import::lowering::Lowering;

pub const OPERATORS: &[Operator] = &[
    Operator { name: "BatchNormalization", becomes: "batch_norm; not in training mode", lower: batch_norm },
    Operator {
        name: "InstanceNormalization",
        becomes: "group_norm with a group for each channel",
        lower: instance_norm,
    },
    Operator { name: "GroupNormalization", becomes: "group_norm", lower: group_norm },
    Operator { name: "LayerNormalization", becomes: "layer_norm; without mean and deviation", lower: layer_norm },
    Operator {
        name: "RMSNormalization",
        becomes: "pow_scalar, reduce_mean, add_scalar, pow_scalar and mul",
        lower: rms_norm,
    },
    Operator {
        name: "LRN",
        becomes: "pow_scalar, reshape, avg_pool over channels, pow_scalar, div",
        lower: local_response,
    },
    Operator { name: "LpNormalization", becomes: "abs or pow_scalar, reduce_sum, sqrt, div", lower: lp_norm },
    Operator {
        name: "MeanVarianceNormalization",
        becomes: "reduce_mean, sub, pow_scalar, reduce_mean, sqrt, div",
        lower: mean_variance_norm,
    },
];

fn batch_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    if call.flag("training_mode")? || call.outputs > 1 {
        return standardized(lo, call);
    }
    let x = lo.value(call, 0)?;
    // Both or none.
    let affine = match lo.affine(call, 1, 2)? {
        none if none.is_empty() => none,
        _ => vec![lo.value(call, 1)?, lo.value(call, 2)?],
    };
    let statistics = [lo.value(call, 3)?, lo.value(call, 4)?];
    let inputs: Vec<ValueId> = [x].into_iter().chain(affine).chain(statistics).collect();
    lo.emit(call, Op::BatchNorm { epsilon: call.float_or("epsilon", 1e-5)? }, &inputs)
}

/// In training mode, statistics are those of the tensor itself. That is right for weights, which exporters standardise so.
fn standardized(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let shape = lo.shape(x);
    if shape.len() < 2 || shape.iter().any(|d| matches!(d, Dim::Batch(_))) {
        return training(call);
    }
    let (weight, bias) = (lo.value(call, 1)?, lo.value(call, 2)?);
    let epsilon = call.float_or("epsilon", 1e-5)?;
    let y = reductions::standardized(&mut lo.composer(call), x, Some(weight), Some(bias), epsilon)?;
    Ok(vec![Value::Graph(y), Value::Unavailable, Value::Unavailable, Value::Unavailable, Value::Unavailable])
}

fn instance_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    if lo.rank(x) < 3 {
        return invalid("needs a tensor of rank 3 or more");
    }
    let groups = lo.fixed(x, 1)?;
    let epsilon = call.float_or("epsilon", 1e-5)?;
    // Exporters write group norms as an instance norm of groups without an affine, which follows behind.
    let mut inputs = vec![x];
    if !(is_view(lo, x) && uniform(lo, call, 1, 1.0) && uniform(lo, call, 2, 0.0)) {
        inputs.extend([lo.value(call, 1)?, lo.value(call, 2)?]);
    }
    lo.emit(call, Op::GroupNorm { groups, epsilon }, &inputs)
}

fn is_view(lo: &Lowering, x: ValueId) -> bool {
    matches!(lo.made_by(x), Some(made) if matches!(made.op, Op::Reshape { .. }))
}

/// Whether all entries of an input are known to be `value`.
fn uniform(lo: &mut Lowering, call: &Call, index: usize, value: f64) -> bool {
    let known = if matches!(call.input(index), Value::Graph(_)) { None } else { lo.known(call, index).ok() };
    known.and_then(|known| known.numbers().ok()).is_some_and(|numbers| numbers.iter().all(|&n| n == value))
}

fn group_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let groups = size(call.int_or("num_groups", 0)?, "num_groups")?;
    let channels = lo.fixed(x, 1)?;
    let mut inputs = vec![x, lo.value(call, 1)?, lo.value(call, 2)?];
    if call.opset < 21 && groups != channels {
        // Before operator set 21, scale and bias belonged to the groups.
        if groups == 0 || !channels.is_multiple_of(groups) {
            return invalid(format!("num_groups is {groups}, but there are {channels} channels"));
        }
        lo.charge(2 * channels)?;
        let each: Vec<usize> = (0..channels).map(|c| c / (channels / groups)).collect();
        for input in &mut inputs[1..] {
            *input = lo.push(call, Op::Gather { axis: 0, indices: each.clone() }, &[*input])?;
        }
    }
    lo.emit(call, Op::GroupNorm { groups, epsilon: call.float_or("epsilon", 1e-5)? }, &inputs)
}

fn layer_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let axes = rank - axis(call.int_or("axis", -1)?, rank)?;
    let inputs: Vec<ValueId> = [x].into_iter().chain(lo.affine(call, 1, 2)?).collect();
    let y = lo.push(call, Op::LayerNorm { axes, epsilon: call.float_or("epsilon", 1e-5)? }, &inputs)?;
    Ok(vec![Value::Graph(y), Value::Unavailable, Value::Unavailable])
}

/// `x / (bias + alpha * mean of x ^ 2 over neighbouring channels) ^ beta`
fn local_response(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let window = size(call.int_or("size", 0)?, "size")?;
    let shape = lo.shape(x).clone();
    let [batch, Dim::Fixed(channels), rest @ ..] = &shape[..] else {
        return invalid("needs a tensor [batch, channels, ...]");
    };
    let positions = shape::sample(rest).iter().product();
    let before = window.saturating_sub(1) / 2;
    let squares = lo.unary(call, Unary::PowScalar(2.0), x)?;
    let plane = vec![*batch, Dim::Fixed(1), Dim::Fixed(*channels), Dim::Fixed(positions)];
    let squares = lo.reshape(call, squares, plane)?;
    let pool = Pool {
        kind: PoolKind::Average { count_include_pad: true },
        kernel: vec![window, 1],
        stride: vec![1, 1],
        padding: vec![(before, window.saturating_sub(1) - before), (0, 0)],
        dilation: vec![1, 1],
        ceil: false,
    };
    let means = lo.push(call, Op::Pool(pool), &[squares])?;
    let means = lo.reshape(call, means, shape)?;
    let scaled = lo.times(call, means, call.float_or("alpha", 1e-4)?)?;
    let shifted = lo.unary(call, Unary::AddScalar(call.float_or("bias", 1.0)?), scaled)?;
    let divisor = lo.unary(call, Unary::PowScalar(call.float_or("beta", 0.75)?), shifted)?;
    Ok(one(lo.binary(call, Binary::Div, x, divisor)?))
}

fn lp_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let axis = axis(call.int_or("axis", -1)?, lo.rank(x))?;
    let order = match call.int_or("p", 2)? {
        order @ 1..=2 => order as f64,
        other => return invalid(format!("p is {other}, but must be 1 or 2")),
    };
    let norm = reductions::norm(&mut lo.composer(call), x, order, &[axis], true)?;
    Ok(one(lo.binary(call, Binary::Div, x, norm)?))
}

fn rms_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let rank = lo.rank(x);
    let axes = rank - axis(call.int_or("axis", -1)?, rank)?;
    let (scale, epsilon) = (lo.value(call, 1)?, call.float_or("epsilon", 1e-5)?);
    Ok(one(reductions::rms_norm(&mut lo.composer(call), x, axes, Some(scale), epsilon)?))
}

fn mean_variance_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.value(call, 0)?;
    let axes = axes(&call.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]), lo.rank(x))?;
    let mean = lo.reduce(call, Reduction::Mean, &axes, true, x)?;
    let centred = lo.binary(call, Binary::Sub, x, mean)?;
    let squares = lo.unary(call, Unary::PowScalar(2.0), centred)?;
    let variance = lo.reduce(call, Reduction::Mean, &axes, true, squares)?;
    let deviation = lo.unary(call, Unary::Sqrt, variance)?;
    let shifted = lo.unary(call, Unary::AddScalar(1e-9), deviation)?;
    Ok(one(lo.binary(call, Binary::Div, centred, shifted)?))
}

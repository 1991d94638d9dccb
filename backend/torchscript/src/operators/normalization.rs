//! Batch, layer, group and instance norm, and norms of weights.

use eagleeye_graph::compose::reductions;
use eagleeye_graph::reading::indices;
use eagleeye_graph::{Binary, Dim, Op, Reduction, Unary, ValueId};
use tch::{Device, Kind, Tensor};

use super::Operator;
use super::convolution::fixed;
use crate::call::{Call, training};
use crate::fault::{Fault, Lowered, unsupported};
use crate::lowering::{Lowering, fresh};
use crate::value::Value;

pub const OPERATORS: &[Operator] = &[
    Operator {
        name: "aten::batch_norm",
        becomes: "batch_norm; for weights without running statistics reduce_mean, sub, pow_scalar, sqrt, div, mul and add",
        lower: batch_norm,
    },
    Operator { name: "aten::native_batch_norm", becomes: "batch_norm; needs running statistics", lower: batch_norm },
    Operator { name: "aten::cudnn_batch_norm", becomes: "batch_norm; needs running statistics", lower: batch_norm },
    Operator { name: "aten::layer_norm", becomes: "layer_norm", lower: layer_norm },
    Operator { name: "aten::native_layer_norm", becomes: "layer_norm", lower: layer_norm },
    Operator { name: "aten::group_norm", becomes: "group_norm", lower: group_norm },
    Operator { name: "aten::native_group_norm", becomes: "group_norm", lower: group_norm },
    Operator {
        name: "aten::rms_norm",
        becomes: "pow_scalar, reduce_mean, add_scalar, pow_scalar and mul",
        lower: rms_norm,
    },
    Operator {
        name: "aten::_native_batch_norm_legit_no_training",
        becomes: "batch_norm; needs running statistics",
        lower: batch_norm,
    },
    Operator {
        name: "aten::instance_norm",
        becomes: "group_norm, or batch_norm with stored statistics",
        lower: instance_norm,
    },
    Operator {
        name: "aten::_weight_norm",
        becomes: "pow_scalar, reduce_sum, sqrt, div and mul; computed at import where they do not depend on the input",
        lower: weight_norm,
    },
];

fn batch_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    if !call.has("running_mean") || !call.has("running_var") {
        return by_own_statistics(lo, call);
    }
    // A scripted module is read as `eval()` leaves it; what was traced in training has the flag in its code.
    if call.flag("training") {
        return training(call);
    }
    let x = call.tensor(0)?;
    let x = lo.value(call, &x)?;
    let affine = affine(lo, call, x)?;
    let mean = lo.value(call, &call.tensor_named("running_mean")?)?;
    let variance = lo.value(call, &call.tensor_named("running_var")?)?;
    let inputs: Vec<ValueId> = [x].into_iter().chain(affine).chain([mean, variance]).collect();
    let epsilon = call.float_or("eps", call.float_or("epsilon", 1e-5)?)?;
    lo.emit(call, Op::BatchNorm { epsilon }, &inputs)
}

/// Without running statistics, those of the tensor itself are taken. That is right for weights, which are standardised so.
fn by_own_statistics(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let of_batch = lo.shape(x).iter().any(|dim| matches!(dim, Dim::Batch(_)));
    if of_batch || call.operator != "aten::batch_norm" || !call.flag("training") {
        return unsupported("batch norm without running statistics");
    }
    let (weight, bias) = (lo.optional_operand(call, "weight")?, lo.optional_operand(call, "bias")?);
    let epsilon = call.float_or("eps", 1e-5)?;
    Ok(fresh(reductions::standardized(&mut lo.composer(call), x, weight, bias, epsilon)?))
}

/// Gamma and beta over axis 1, or nothing; one without the other is completed with ones or zeros.
fn affine(lo: &mut Lowering, call: &Call, x: ValueId) -> Lowered<Vec<ValueId>> {
    let channels = [fixed(lo, x, 1)? as i64];
    let options = (Kind::Float, Device::Cpu);
    Ok(match (call.get("weight"), call.get("bias")) {
        (Value::Tensor(weight), Value::Tensor(bias)) => vec![lo.value(call, weight)?, lo.value(call, bias)?],
        (Value::Tensor(weight), _) => {
            let zeros = lo.constant(call, &Tensor::f_zeros(channels, options)?)?;
            vec![lo.value(call, weight)?, zeros]
        }
        (_, Value::Tensor(bias)) => {
            let ones = lo.constant(call, &Tensor::f_ones(channels, options)?)?;
            vec![ones, lo.value(call, bias)?]
        }
        _ => Vec::new(),
    })
}

fn layer_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = call.tensor(0)?;
    let x = lo.value(call, &x)?;
    let axes = call.ints("normalized_shape")?.len();
    let mut inputs = vec![x];
    match (call.get("weight"), call.get("bias")) {
        (Value::Tensor(weight), Value::Tensor(bias)) => inputs.extend([lo.value(call, weight)?, lo.value(call, bias)?]),
        (Value::Tensor(weight), _) => inputs.push(lo.value(call, weight)?),
        (_, Value::Tensor(bias)) => {
            let bias = lo.value(call, bias)?;
            let sizes: Vec<i64> = lo.shape(bias).iter().map(|d| d.sample() as i64).collect();
            let ones = lo.constant(call, &Tensor::f_ones(&sizes[..], (Kind::Float, Device::Cpu))?)?;
            inputs.extend([ones, bias]);
        }
        _ => {}
    }
    lo.emit(call, Op::LayerNorm { axes, epsilon: call.float_or("eps", 1e-5)? }, &inputs)
}

fn group_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = call.tensor(0)?;
    let x = lo.value(call, &x)?;
    let named = if call.has("num_groups") { "num_groups" } else { "group" };
    let groups =
        usize::try_from(call.int(named)?).map_err(|_| Fault::Invalid("the number of groups is negative".into()))?;
    let affine = affine(lo, call, x)?;
    let groups = affine.first().and_then(|weight| lo.groups.get(weight)).copied().unwrap_or(groups);
    let inputs: Vec<ValueId> = [x].into_iter().chain(affine).collect();
    lo.emit(call, Op::GroupNorm { groups, epsilon: call.float_or("eps", 1e-5)? }, &inputs)
}

fn rms_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let x = lo.operand(call, 0)?;
    let axes = call.ints("normalized_shape")?.len();
    let weight = lo.optional_operand(call, "weight")?;
    // PyTorch's default is the smallest step of the element type.
    let epsilon = call.float_or("eps", f64::from(f32::EPSILON))?;
    Ok(fresh(reductions::rms_norm(&mut lo.composer(call), x, axes, weight, epsilon)?))
}

fn instance_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    if !call.flag("use_input_stats") {
        let renamed = Call {
            operator: "aten::batch_norm",
            overload: call.overload,
            name: call.name.clone(),
            arguments: call.arguments.clone(),
            names: call.names,
        };
        return batch_norm(lo, &renamed);
    }
    if call.has("running_mean") {
        return training(call);
    }
    let x = call.tensor(0)?;
    let x = lo.value(call, &x)?;
    let groups = fixed(lo, x, 1)?;
    let inputs: Vec<ValueId> = [x].into_iter().chain(affine(lo, call, x)?).collect();
    Ok(fresh(lo.push(call, Op::GroupNorm { groups, epsilon: call.float_or("eps", 1e-5)? }, &inputs)?))
}

/// `v * (g / |v|)`, with the norm over all axes but one; over all of them where `dim` is -1.
fn weight_norm(lo: &mut Lowering, call: &Call) -> Lowered {
    let (v, g) = (call.tensor(0)?, call.tensor(1)?);
    let (v, g) = (lo.value(call, &v)?, lo.value(call, &g)?);
    let rank = lo.shape(v).len();
    let axes: Vec<usize> = match call.int_or("dim", 0)? {
        -1 => (0..rank).collect(),
        kept => {
            let kept = indices::axis(kept, rank)?;
            (0..rank).filter(|&axis| axis != kept).collect()
        }
    };
    let squares = lo.unary(call, Unary::PowScalar(2.0), v)?;
    let sum = lo.reduce(call, Reduction::Sum, &axes, true, squares)?;
    let norm = lo.unary(call, Unary::Sqrt, sum)?;
    let scale = lo.binary(call, Binary::Div, g, norm)?;
    lo.emit(call, Op::Binary(Binary::Mul), &[v, scale])
}

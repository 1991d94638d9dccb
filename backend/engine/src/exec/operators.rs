//! One arm per operation of the graph, except batch norm, which a hook may replace.

use eagleeye_graph::{Op, Reduction};
use tch::{Kind, TchError, Tensor};

use super::{convolution, elementwise, layout, norm, pooling};
use eagleeye_torchscript::tensors::signed;

/// The outputs of `op` for a batch of `batch` images.
pub(crate) fn compute(op: &Op, inputs: &[&Tensor], batch: usize) -> Result<Vec<Tensor>, TchError> {
    let x = inputs[0];
    let one = match op {
        Op::Split { axis, sizes } => return x.f_split_with_sizes(signed(sizes), *axis as i64),
        Op::Conv(conv) => convolution::conv(conv, x, inputs[1], inputs.get(2).copied()),
        Op::Linear { transposed } => linear(*transposed, inputs),
        Op::BatchNorm { epsilon } => norm::BatchNormInputs::new(inputs, &[], *epsilon).inference(),
        Op::LayerNorm { axes, epsilon } => norm::layer_norm(*axes, *epsilon, inputs),
        Op::GroupNorm { groups, epsilon } => norm::group_norm(*groups, *epsilon, inputs),
        Op::Unary(unary) => elementwise::unary(*unary, x),
        Op::PRelu => x.f_prelu(inputs[1]),
        Op::Binary(binary) => elementwise::binary(*binary, x, inputs[1]),
        Op::Select => elementwise::select(x, inputs[1], inputs[2]),
        Op::MatMul => x.f_matmul(inputs[1]),
        Op::Softmax { axis, log: false } => x.f_softmax(*axis as i64, None::<Kind>),
        Op::Softmax { axis, log: true } => x.f_log_softmax(*axis as i64, None::<Kind>),
        Op::Pool(pool) => pooling::pool(pool, x),
        Op::AdaptivePool { max, output } => pooling::adaptive(*max, output, x),
        Op::Reduce { kind, axes, keep_dims } => reduce(*kind, axes, *keep_dims, x),
        Op::Resize { mode, output } => pooling::resize(*mode, output, x),
        Op::GridSample { mode, padding, align_corners } => {
            pooling::grid_sample(*mode, *padding, *align_corners, x, inputs[1])
        }
        Op::Reshape { shape } => x.f_reshape(layout::at(shape, batch)),
        Op::Permute { order } => x.f_permute(signed(order)),
        Op::Expand { shape } => x.f_expand(layout::at(shape, batch), false),
        Op::Cat { axis } => Tensor::f_cat(inputs, *axis as i64),
        Op::Slice { axis, start, end, step } => x.f_slice(*axis as i64, *start as i64, *end as i64, *step as i64),
        Op::Gather { axis, indices } => layout::gather(*axis, indices, x),
        Op::Pad { pads, mode } => layout::pad(pads, *mode, x),
        Op::Roll { shifts } => layout::roll(shifts, x),
    };
    Ok(vec![one?])
}

fn linear(transposed: bool, inputs: &[&Tensor]) -> Result<Tensor, TchError> {
    let bias = inputs.get(2).copied();
    if transposed {
        inputs[0].f_linear(&inputs[1].f_transpose(0, 1)?, bias)
    } else {
        inputs[0].f_linear(inputs[1], bias)
    }
}

fn reduce(kind: Reduction, axes: &[usize], keep_dims: bool, x: &Tensor) -> Result<Tensor, TchError> {
    let axes = signed(axes);
    match kind {
        // For libtorch no axes means all of them.
        _ if axes.is_empty() => Ok(x.shallow_clone()),
        Reduction::Mean => x.f_mean_dim(&axes[..], keep_dims, None::<Kind>),
        Reduction::Sum => x.f_sum_dim_intlist(&axes[..], keep_dims, None::<Kind>),
        Reduction::Max => x.f_amax(&axes[..], keep_dims),
        Reduction::Min => x.f_amin(&axes[..], keep_dims),
        // The last axis first, so that the others keep their numbers.
        Reduction::Product => {
            axes.iter().rev().try_fold(x.shallow_clone(), |y, &axis| y.f_prod_dim_int(axis, keep_dims, None::<Kind>))
        }
    }
}

//! The shape of every operation's outputs.

use crate::ops::{Conv, Interpolation, Op, Pool};
use crate::shape::{Dim, Shape, ShapeError, broadcast, elements, sample};

/// Shapes of the outputs of `op` on inputs of the given shapes (parameters included, in the order of [`Op`]'s docs).
pub fn output_shapes(op: &Op, inputs: &[&Shape]) -> Result<Vec<Shape>, ShapeError> {
    check_count(op, inputs.len())?;
    let x = inputs[0];
    let shapes = match op {
        Op::Conv(conv) => vec![conv_shape(conv, x, inputs)?],
        Op::Linear { transposed } => vec![linear_shape(*transposed, x, inputs)?],
        Op::BatchNorm { .. } | Op::GroupNorm { .. } | Op::PRelu => vec![per_channel_shape(op, x, inputs)?],
        Op::LayerNorm { axes, .. } => vec![layer_norm_shape(*axes, x, inputs)?],
        Op::Unary(_) => vec![x.clone()],
        Op::Binary(_) => vec![broadcast(x, inputs[1])?],
        Op::Select => vec![broadcast(&broadcast(x, inputs[1])?, inputs[2])?],
        Op::MatMul => vec![matmul_shape(x, inputs[1])?],
        Op::Softmax { axis, .. } => {
            check_axis(*axis, x)?;
            vec![x.clone()]
        }
        Op::Pool(pool) => vec![pool_shape(pool, x)?],
        Op::AdaptivePool { output, .. } | Op::Resize { output, .. } => {
            check_rank(x, output.len() + 2)?;
            if output.contains(&0) {
                return Err(ShapeError::Attribute { what: "output size", found: "0".into() });
            }
            if matches!(op, Op::Resize { mode: Interpolation::Cubic { .. }, .. }) {
                check_rank(x, 4)?;
            }
            vec![x[..2].iter().copied().chain(output.iter().map(|&s| Dim::Fixed(s))).collect()]
        }
        Op::GridSample { .. } => vec![sampled_shape(x, inputs[1])?],
        Op::Reduce { axes, keep_dims, .. } => vec![reduce_shape(axes, *keep_dims, x)?],
        Op::Reshape { shape } => {
            if elements(shape)? != elements(x)? {
                return Err(ShapeError::Reshape { from: sample(x), to: sample(shape) });
            }
            vec![shape.clone()]
        }
        Op::Permute { order } => {
            let mut seen = order.clone();
            seen.sort_unstable();
            if seen != (0..x.len()).collect::<Vec<_>>() {
                return Err(ShapeError::Attribute { what: "order", found: format!("{order:?}") });
            }
            vec![order.iter().map(|&axis| x[axis]).collect()]
        }
        Op::Expand { shape } => vec![expand_shape(x, shape)?],
        Op::Cat { axis } => vec![cat_shape(*axis, inputs)?],
        Op::Split { axis, sizes } => split_shapes(*axis, sizes, x)?,
        Op::Slice { axis, start, end, step } => {
            let size = fixed_axis(*axis, x)?;
            if *step == 0 || start >= end || *end > size {
                return Err(ShapeError::Index { index: *end, size });
            }
            vec![with_axis(x, *axis, (end - start).div_ceil(*step))]
        }
        Op::Gather { axis, indices } => {
            let size = fixed_axis(*axis, x)?;
            if let Some(&index) = indices.iter().find(|&&i| i >= size) {
                return Err(ShapeError::Index { index, size });
            }
            vec![with_axis(x, *axis, indices.len())]
        }
        Op::Pad { pads, .. } => vec![pad_shape(pads, x)?],
        Op::Roll { shifts } => {
            for (axis, _) in shifts {
                fixed_axis(*axis, x)?;
            }
            vec![x.clone()]
        }
    };
    for shape in &shapes {
        elements(shape)?;
    }
    Ok(shapes)
}

fn check_count(op: &Op, found: usize) -> Result<(), ShapeError> {
    let (range, expected) = match op {
        Op::Conv(_) | Op::Linear { .. } => (2..=3, "2 or 3"),
        Op::BatchNorm { .. } => match found {
            3 | 5 => return Ok(()),
            _ => return Err(ShapeError::InputCount { expected: "3 or 5", found }),
        },
        Op::LayerNorm { .. } | Op::GroupNorm { .. } => (1..=3, "1 to 3"),
        Op::PRelu | Op::Binary(_) | Op::MatMul | Op::GridSample { .. } => (2..=2, "2"),
        Op::Select => (3..=3, "3"),
        Op::Cat { .. } => (1..=usize::MAX, "at least 1"),
        _ => (1..=1, "1"),
    };
    if range.contains(&found) { Ok(()) } else { Err(ShapeError::InputCount { expected, found }) }
}

fn check_rank(x: &[Dim], expected: usize) -> Result<(), ShapeError> {
    if x.len() == expected { Ok(()) } else { Err(ShapeError::Rank { expected: expected.to_string(), found: x.len() }) }
}

fn check_axis(axis: usize, x: &[Dim]) -> Result<(), ShapeError> {
    if axis < x.len() { Ok(()) } else { Err(ShapeError::Axis { axis, rank: x.len() }) }
}

/// Size of an axis that must not depend on the batch.
fn fixed_axis(axis: usize, x: &[Dim]) -> Result<usize, ShapeError> {
    check_axis(axis, x)?;
    match x[axis] {
        Dim::Fixed(size) => Ok(size),
        Dim::Batch(_) => Err(ShapeError::Batch),
    }
}

fn with_axis(x: &[Dim], axis: usize, size: usize) -> Shape {
    let mut shape = x.to_vec();
    shape[axis] = Dim::Fixed(size);
    shape
}

fn check_parameter(what: &'static str, shape: &[Dim], expected: &[usize]) -> Result<(), ShapeError> {
    let found = sample(shape);
    if found == expected {
        Ok(())
    } else {
        Err(ShapeError::Parameter { what, expected: format!("{expected:?}"), found })
    }
}

fn conv_shape(conv: &Conv, x: &Shape, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let weight = sample(inputs[1]);
    let spatial = conv.stride.len();
    if !(1..=3).contains(&spatial) || conv.padding.len() != spatial || conv.dilation.len() != spatial {
        return Err(ShapeError::Attribute { what: "stride, padding, dilation", found: format!("{conv:?}") });
    }
    check_rank(x, spatial + 2)?;
    let channels = fixed_axis(1, x)?;
    if weight.len() != spatial + 2 || conv.groups == 0 || weight.contains(&0) || conv.stride.contains(&0) {
        return Err(ShapeError::Parameter { what: "weight", expected: format!("rank {}", spatial + 2), found: weight });
    }
    let (takes, makes) = match conv.transposed {
        None => (weight[1].saturating_mul(conv.groups), weight[0]),
        Some(_) => (weight[0], weight[1].saturating_mul(conv.groups)),
    };
    if takes != channels || !makes.is_multiple_of(conv.groups) || !takes.is_multiple_of(conv.groups) {
        return Err(ShapeError::Channels { expected: takes, found: channels });
    }
    if let Some(bias) = inputs.get(2) {
        check_parameter("bias", bias, &[makes])?;
    }
    let mut shape = vec![x[0], Dim::Fixed(makes)];
    for i in 0..spatial {
        let size = fixed_axis(i + 2, x)?;
        let (kernel, stride, dilation, (before, after)) =
            (weight[i + 2], conv.stride[i], conv.dilation[i], conv.padding[i]);
        let out = match &conv.transposed {
            None => window(size, kernel, stride, dilation, before + after, false)?,
            Some(extra) => {
                let extra = *extra.get(i).unwrap_or(&0);
                let full = (size - 1) * stride + dilation * (kernel - 1) + extra + 1;
                full.checked_sub(before + after).ok_or(ShapeError::Window { window: kernel, size })?
            }
        };
        shape.push(Dim::Fixed(out));
    }
    Ok(shape)
}

/// Positions of a window along an axis.
fn window(
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: usize,
    ceil: bool,
) -> Result<usize, ShapeError> {
    let misfit = ShapeError::Window { window: kernel, size };
    if kernel == 0 || stride == 0 || dilation == 0 {
        return Err(misfit);
    }
    let reach = dilation.checked_mul(kernel - 1).and_then(|r| r.checked_add(1)).ok_or(misfit.clone())?;
    let room = size.checked_add(padding).and_then(|s| s.checked_sub(reach)).ok_or(misfit)?;
    Ok(if ceil { room.div_ceil(stride) } else { room / stride } + 1)
}

fn pool_shape(pool: &Pool, x: &Shape) -> Result<Shape, ShapeError> {
    let spatial = pool.kernel.len();
    check_rank(x, spatial + 2)?;
    if pool.stride.len() != spatial || pool.padding.len() != spatial || pool.dilation.len() != spatial {
        return Err(ShapeError::Attribute { what: "kernel, stride, padding, dilation", found: format!("{pool:?}") });
    }
    let mut shape = x[..2].to_vec();
    for i in 0..spatial {
        let size = fixed_axis(i + 2, x)?;
        let (before, after) = pool.padding[i];
        let mut out = window(size, pool.kernel[i], pool.stride[i], pool.dilation[i], before + after, pool.ceil)?;
        // PyTorch's rule: with ceil, the last window must start inside the input or its left padding.
        if pool.ceil && (out - 1) * pool.stride[i] >= size + before {
            out -= 1;
        }
        shape.push(Dim::Fixed(out));
    }
    Ok(shape)
}

fn linear_shape(transposed: bool, x: &Shape, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let weight = sample(inputs[1]);
    let [a, b] = weight[..] else {
        return Err(ShapeError::Parameter { what: "weight", expected: "rank 2".into(), found: weight });
    };
    let (makes, takes) = if transposed { (b, a) } else { (a, b) };
    let last = x.len().checked_sub(1).ok_or(ShapeError::Rank { expected: "1 or more".into(), found: 0 })?;
    let found = fixed_axis(last, x)?;
    if found != takes {
        return Err(ShapeError::Channels { expected: takes, found });
    }
    if let Some(bias) = inputs.get(2) {
        check_parameter("bias", bias, &[makes])?;
    }
    Ok(with_axis(x, last, makes))
}

fn per_channel_shape(op: &Op, x: &Shape, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    if x.len() < 2 {
        return Err(ShapeError::Rank { expected: "2 or more".into(), found: x.len() });
    }
    let channels = fixed_axis(1, x)?;
    if let Op::GroupNorm { groups, .. } = op
        && (*groups == 0 || !channels.is_multiple_of(*groups))
    {
        return Err(ShapeError::Attribute { what: "groups", found: groups.to_string() });
    }
    for parameter in &inputs[1..] {
        let one_slope = matches!(op, Op::PRelu) && sample(parameter) == [1];
        if !one_slope {
            check_parameter("per-channel parameter", parameter, &[channels])?;
        }
    }
    Ok(x.clone())
}

fn layer_norm_shape(axes: usize, x: &Shape, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let start = x.len().checked_sub(axes).filter(|_| axes > 0).ok_or(ShapeError::Axis { axis: axes, rank: x.len() })?;
    for axis in start..x.len() {
        fixed_axis(axis, x)?;
    }
    for parameter in &inputs[1..] {
        check_parameter("layer norm parameter", parameter, &sample(&x[start..]))?;
    }
    Ok(x.clone())
}

fn matmul_shape(a: &Shape, b: &Shape) -> Result<Shape, ShapeError> {
    let (Some(i), Some(j)) = (a.len().checked_sub(2), b.len().checked_sub(2)) else {
        return Err(ShapeError::Rank { expected: "2 or more".into(), found: a.len().min(b.len()) });
    };
    if a[i + 1] != b[j] {
        return Err(ShapeError::Broadcast { left: sample(a), right: sample(b) });
    }
    let mut shape = broadcast(&a[..i], &b[..j])?;
    shape.extend([a[i], b[j + 1]]);
    Ok(shape)
}

/// `x [N, C, H, W]` at the positions of `grid [N, h, w, 2]`.
fn sampled_shape(x: &Shape, grid: &Shape) -> Result<Shape, ShapeError> {
    check_rank(x, 4)?;
    check_rank(grid, 4)?;
    if x[0] != grid[0] || grid[3] != Dim::Fixed(2) {
        let expected = format!("[{}, height, width, 2]", x[0].sample());
        return Err(ShapeError::Parameter { what: "grid", expected, found: sample(grid) });
    }
    Ok(vec![x[0], x[1], grid[1], grid[2]])
}

fn reduce_shape(axes: &[usize], keep_dims: bool, x: &Shape) -> Result<Shape, ShapeError> {
    for &axis in axes {
        fixed_axis(axis, x)?;
    }
    let kept = x.iter().enumerate().filter(|(axis, _)| keep_dims || !axes.contains(axis));
    Ok(kept.map(|(axis, d)| if axes.contains(&axis) { Dim::Fixed(1) } else { *d }).collect())
}

fn expand_shape(x: &Shape, shape: &Shape) -> Result<Shape, ShapeError> {
    // A parameter may be repeated over the batch (class tokens), an activation may not change its batch axis.
    if broadcast(x, shape)? != *shape {
        return Err(ShapeError::Broadcast { left: sample(x), right: sample(shape) });
    }
    Ok(shape.clone())
}

fn cat_shape(axis: usize, inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let first = inputs[0];
    let mut total = 0usize;
    for x in inputs {
        check_rank(x, first.len())?;
        total = total.saturating_add(fixed_axis(axis, x)?);
        let others_agree = x.iter().zip(first.iter()).enumerate().all(|(i, (a, b))| i == axis || a == b);
        if !others_agree {
            return Err(ShapeError::Broadcast { left: sample(first), right: sample(x) });
        }
    }
    Ok(with_axis(first, axis, total))
}

fn split_shapes(axis: usize, sizes: &[usize], x: &Shape) -> Result<Vec<Shape>, ShapeError> {
    let size = fixed_axis(axis, x)?;
    let total = sizes.iter().fold(0usize, |sum, &s| sum.saturating_add(s));
    if sizes.is_empty() || total != size {
        return Err(ShapeError::Split { sizes: sizes.to_vec(), size });
    }
    Ok(sizes.iter().map(|&s| with_axis(x, axis, s)).collect())
}

fn pad_shape(pads: &[(i64, i64)], x: &Shape) -> Result<Shape, ShapeError> {
    check_rank(x, pads.len())?;
    let padded = x.iter().zip(pads).map(|(&d, &(before, after))| match d {
        _ if (before, after) == (0, 0) => Ok(d),
        Dim::Batch(_) => Err(ShapeError::Batch),
        Dim::Fixed(size) => (size as i64)
            .checked_add(before)
            .and_then(|s| s.checked_add(after))
            .and_then(|s| usize::try_from(s).ok())
            .filter(|&s| s > 0)
            .map(Dim::Fixed)
            .ok_or(ShapeError::Attribute { what: "pads", found: format!("{before}, {after}") }),
    });
    padded.collect()
}

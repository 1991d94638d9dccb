//! Pooling and resizing over the axes behind batch and channels.

use eagleeye_graph::{Interpolation, Op, Pool, PoolKind, SampleMode, SamplePadding, output_shapes, shape};
use tch::{TchError, Tensor};

use super::convolution::symmetric;
use super::layout;
use eagleeye_torchscript::sampling_codes;
use eagleeye_torchscript::tensors::{signed, sizes};

pub(super) fn pool(pool: &Pool, x: &Tensor) -> Result<Tensor, TchError> {
    let pooled = match pool.kind {
        PoolKind::Max => max(pool, x)?,
        PoolKind::Average { count_include_pad } => average(pool, count_include_pad, x)?,
    };
    trimmed(pool, x, pooled)
}

/// Rounding up, libtorch leaves out windows that begin in its own padding on the right, but not in one made before.
fn trimmed(pool: &Pool, x: &Tensor, pooled: Tensor) -> Result<Tensor, TchError> {
    if !pool.ceil || native_padding(pool).is_some() {
        return Ok(pooled);
    }
    let shapes = output_shapes(&Op::Pool(pool.clone()), &[&shape::fixed(&sizes(x))]);
    let shapes = shapes.map_err(|error| TchError::Shape(error.to_string()))?;
    let mut kept = pooled;
    for (axis, size) in shapes.iter().flatten().enumerate().skip(2) {
        kept = kept.f_narrow(axis as i64, 0, size.sample() as i64)?;
    }
    Ok(kept)
}

fn max(pool: &Pool, x: &Tensor) -> Result<Tensor, TchError> {
    let (x, padding) = match native_padding(pool) {
        Some(padding) => (x.shallow_clone(), padding),
        None => (layout::pad_spatial(x, &pool.padding, f64::NEG_INFINITY)?, vec![0; pool.padding.len()]),
    };
    let (kernel, stride, dilation) = (signed(&pool.kernel), signed(&pool.stride), signed(&pool.dilation));
    match kernel.len() {
        1 => x.f_max_pool1d(kernel, stride, padding, dilation, pool.ceil),
        2 => x.f_max_pool2d(kernel, stride, padding, dilation, pool.ceil),
        3 => x.f_max_pool3d(kernel, stride, padding, dilation, pool.ceil),
        axes => Err(unsupported("max_pool", axes)),
    }
}

fn average(pool: &Pool, count_include_pad: bool, x: &Tensor) -> Result<Tensor, TchError> {
    if pool.dilation.iter().any(|&d| d != 1) {
        return Err(TchError::Shape(format!("average pooling with dilation {:?}", pool.dilation)));
    }
    if let Some(padding) = native_padding(pool) {
        return average_window(pool, x, &padding, count_include_pad);
    }
    let none = vec![0; pool.padding.len()];
    let total = average_window(pool, &layout::pad_spatial(x, &pool.padding, 0.0)?, &none, false)?;
    if count_include_pad {
        return Ok(total);
    }
    // The share of each window that is image and not padding.
    let image = layout::pad_spatial(&x.f_ones_like()?, &pool.padding, 0.0)?;
    total.f_div(&average_window(pool, &image, &none, false)?)
}

fn average_window(pool: &Pool, x: &Tensor, padding: &[i64], include_pad: bool) -> Result<Tensor, TchError> {
    let (kernel, stride) = (signed(&pool.kernel), signed(&pool.stride));
    match kernel.len() {
        1 => x.f_avg_pool1d(kernel, stride, padding, pool.ceil, include_pad),
        2 => x.f_avg_pool2d(kernel, stride, padding, pool.ceil, include_pad, None::<i64>),
        3 => x.f_avg_pool3d(kernel, stride, padding, pool.ceil, include_pad, None::<i64>),
        axes => Err(unsupported("avg_pool", axes)),
    }
}

/// The padding where libtorch's own pooling takes it: the same on both sides and at most half the window.
fn native_padding(pool: &Pool) -> Option<Vec<i64>> {
    let small = pool.padding.iter().zip(&pool.kernel).all(|(&(before, _), &kernel)| before <= kernel / 2);
    symmetric(&pool.padding).filter(|_| small)
}

pub(super) fn adaptive(max: bool, output: &[usize], x: &Tensor) -> Result<Tensor, TchError> {
    let output = signed(output);
    match (max, output.len()) {
        (false, 1) => x.f_adaptive_avg_pool1d(output),
        (false, 2) => x.f_adaptive_avg_pool2d(output),
        (false, 3) => x.f_adaptive_avg_pool3d(output),
        (true, 1) => Ok(x.f_adaptive_max_pool1d(output)?.0),
        (true, 2) => Ok(x.f_adaptive_max_pool2d(output)?.0),
        (true, 3) => Ok(x.f_adaptive_max_pool3d(output)?.0),
        (_, axes) => Err(unsupported("adaptive pooling", axes)),
    }
}

pub(super) fn resize(mode: Interpolation, output: &[usize], x: &Tensor) -> Result<Tensor, TchError> {
    let output = signed(output);
    let none = None::<f64>;
    match (mode, output.len()) {
        (Interpolation::Nearest, 1) => x.f_upsample_nearest1d(output, none),
        (Interpolation::Nearest, 2) => x.f_upsample_nearest2d(output, none, none),
        (Interpolation::Nearest, 3) => x.f_upsample_nearest3d(output, none, none, none),
        (Interpolation::Linear { align_corners }, 1) => x.f_upsample_linear1d(output, align_corners, none),
        (Interpolation::Linear { align_corners }, 2) => x.f_upsample_bilinear2d(output, align_corners, none, none),
        (Interpolation::Linear { align_corners }, 3) => {
            x.f_upsample_trilinear3d(output, align_corners, none, none, none)
        }
        (Interpolation::Cubic { align_corners }, 2) => x.f_upsample_bicubic2d(output, align_corners, none, none),
        (_, axes) => Err(unsupported("resize", axes)),
    }
}

pub(super) fn grid_sample(
    mode: SampleMode,
    padding: SamplePadding,
    align_corners: bool,
    x: &Tensor,
    grid: &Tensor,
) -> Result<Tensor, TchError> {
    let (mode, padding) = sampling_codes(mode, padding);
    x.f_grid_sampler(grid, mode, padding, align_corners)
}

fn unsupported(operator: &str, axes: usize) -> TchError {
    TchError::Shape(format!("{operator} over {axes} axes (1 to 3 are supported)"))
}

//! Operations that only move data.

use eagleeye_graph::{Dim, PadMode};
use tch::{TchError, Tensor};

use eagleeye_torchscript::tensors::signed;

/// The sizes of a shape for a batch of `batch` images.
pub(super) fn at(shape: &[Dim], batch: usize) -> Vec<i64> {
    shape.iter().map(|d| d.at(batch) as i64).collect()
}

pub(super) fn gather(axis: usize, indices: &[usize], x: &Tensor) -> Result<Tensor, TchError> {
    let indices = Tensor::f_from_slice(&signed(indices))?.f_to_device(x.device())?;
    x.f_index_select(axis as i64, &indices)
}

pub(super) fn roll(shifts: &[(usize, i64)], x: &Tensor) -> Result<Tensor, TchError> {
    let (axes, by): (Vec<i64>, Vec<i64>) = shifts.iter().map(|&(axis, shift)| (axis as i64, shift)).unzip();
    if axes.is_empty() { Ok(x.shallow_clone()) } else { x.f_roll(by, axes) }
}

/// Pads or crops every axis.
pub(super) fn pad(pads: &[(i64, i64)], mode: PadMode, x: &Tensor) -> Result<Tensor, TchError> {
    let (name, value) = match mode {
        PadMode::Constant(value) => return constant(x, pads, value),
        PadMode::Reflect => ("reflect", None),
        PadMode::Replicate => ("replicate", None),
        PadMode::Circular => ("circular", None),
    };
    // libtorch wants all axes behind batch and channels in these modes, and no other.
    match pads.split_at_checked(2) {
        Some(([(0, 0), (0, 0)], spatial)) if !spatial.is_empty() => x.f_pad(last_axis_first(spatial), name, value),
        _ => Err(TchError::Shape(format!("{name} padding {pads:?} along the batch or the channels"))),
    }
}

/// Pads the axes behind batch and channels with a constant.
pub(super) fn pad_spatial(x: &Tensor, pads: &[(usize, usize)], value: f64) -> Result<Tensor, TchError> {
    let pads: Vec<(i64, i64)> = pads.iter().map(|&(before, after)| (before as i64, after as i64)).collect();
    crop_or_pad_spatial(x, &pads, value)
}

/// As [`pad_spatial`]; negative numbers crop.
pub(super) fn crop_or_pad_spatial(x: &Tensor, pads: &[(i64, i64)], value: f64) -> Result<Tensor, TchError> {
    constant(x, pads, value)
}

fn constant(x: &Tensor, pads: &[(i64, i64)], value: f64) -> Result<Tensor, TchError> {
    x.f_pad(last_axis_first(pads), "constant", value)
}

/// libtorch lists pads from the last axis to the first.
fn last_axis_first(pads: &[(i64, i64)]) -> Vec<i64> {
    pads.iter().rev().flat_map(|&(before, after)| [before, after]).collect()
}

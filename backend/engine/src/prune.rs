//! Structural pruning: the plan's slices cut out of the weights.

use tch::{TchError, Tensor};

use crate::tensors::signed;

/// The given indices along an axis, as a new tensor.
pub fn select(tensor: &Tensor, axis: usize, indices: &[usize]) -> Result<Tensor, TchError> {
    let indices = Tensor::f_from_slice(&signed(indices))?.f_to_device(tensor.device())?;
    tensor.f_index_select(axis as i64, &indices)
}

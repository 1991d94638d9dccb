//! What is known of a tensor while the network is read.

use tch::{Kind, Tensor};

use super::batched;
use super::fault::{Lowered, unsupported};
use super::value::{Content, TensorRef, Value};

pub(super) fn known(tensor: Tensor) -> Value {
    Value::Tensor(TensorRef::new(Content::Known(tensor)))
}

pub(super) fn content(tensor: &TensorRef) -> Lowered<Content> {
    match tensor.content() {
        Some(content) => Ok(content),
        None => unsupported("reads a tensor that was modified in place through another view of its memory"),
    }
}

/// The entries of a tensor that depends on neither the input nor the batch.
pub(super) fn known_entries(tensor: &TensorRef) -> Option<Tensor> {
    match tensor.content()? {
        Content::Graph(_) => None,
        Content::Known(known) => Some(known),
        Content::Batched(samples) => batched::same(&samples),
    }
}

/// The number in a known tensor of one element.
pub(super) fn known_scalar(tensor: &TensorRef) -> Option<f64> {
    let known = known_entries(tensor).filter(|known| known.numel() == 1)?;
    known.f_double_value(&vec![0; known.dim()]).ok()
}

/// The whole number in a known tensor of one element.
pub(super) fn known_whole(tensor: &TensorRef) -> Option<i64> {
    let known = known_entries(tensor).filter(|known| known.numel() == 1 && is_whole(known.kind()))?;
    known.f_int64_value(&vec![0; known.dim()]).ok()
}

fn is_whole(kind: Kind) -> bool {
    matches!(kind, Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64)
}

//! Masks: activations that are 0 or 1, and constants of truths.

use eagleeye_graph::ValueId;
use eagleeye_graph::compose::arithmetic::{self, is_not_zero};
use tch::Kind;

use crate::call::Call;
use crate::fault::Lowered;
use crate::known::content;
use crate::lowering::Lowering;
use crate::value::{Content, TensorRef};

/// Whether every entry is 0 or 1.
pub(super) fn is_mask(lo: &mut Lowering, call: &Call, id: ValueId) -> bool {
    arithmetic::is_mask(&lo.composer(call), id)
}

/// Whether a constant is one of truths.
pub(super) fn is_boolean(content: &Content) -> bool {
    match content {
        Content::Known(known) | Content::Batched([known, _]) => known.kind() == Kind::Bool,
        Content::Graph(_) => false,
    }
}

/// A tensor as a mask of zeros and ones.
pub(super) fn as_mask(lo: &mut Lowering, call: &Call, tensor: &TensorRef) -> Lowered<ValueId> {
    let boolean = is_boolean(&content(tensor)?);
    let id = lo.value(call, tensor)?;
    if boolean || is_mask(lo, call, id) { Ok(id) } else { is_not_zero(&mut lo.composer(call), id) }
}

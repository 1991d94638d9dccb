//! Shapes with a symbolic batch.

use serde::{Deserialize, Serialize};

/// One axis of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Dim {
    /// The same for every batch.
    Fixed(usize),
    /// This many entries for each image of the batch: 1 for the batch axis itself, the number of windows after a window
    /// partition, the number of heads after heads were folded into the batch.
    Batch(usize),
}

/// The sizes of a value's axes. At most one axis depends on the batch.
pub type Shape = Vec<Dim>;

impl Dim {
    /// Size for a batch of `n` images.
    pub fn at(self, n: usize) -> usize {
        match self {
            Self::Fixed(size) => size,
            Self::Batch(each) => each * n,
        }
    }

    /// Size for a batch of one.
    pub fn sample(self) -> usize {
        self.at(1)
    }
}

/// Sizes of `shape` for a batch of one.
pub fn sample(shape: &[Dim]) -> Vec<usize> {
    shape.iter().map(|d| d.sample()).collect()
}

/// A shape that does not depend on the batch.
pub fn fixed(sizes: &[usize]) -> Shape {
    sizes.iter().map(|&s| Dim::Fixed(s)).collect()
}

/// Largest size of an axis and largest number of elements of one image's activation that the importers accept: a file can
/// state any number, and label propagation allocates by it.
pub const MAX_ELEMENTS: usize = 1 << 28;

/// Why an operation does not fit its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    #[error("takes {expected} inputs, but has {found}")]
    InputCount { expected: &'static str, found: usize },
    #[error("needs a tensor of rank {expected}, but its input has rank {found}")]
    Rank { expected: String, found: usize },
    #[error("axis {axis} is out of range for a tensor of rank {rank}")]
    Axis { axis: usize, rank: usize },
    #[error("expects {expected} channels, but its input has {found}")]
    Channels { expected: usize, found: usize },
    #[error("the {what} has shape {found:?}, expected {expected}")]
    Parameter { what: &'static str, expected: String, found: Vec<usize> },
    #[error("the shapes {left:?} and {right:?} cannot be broadcast together")]
    Broadcast { left: Vec<usize>, right: Vec<usize> },
    #[error("a window of {window} does not fit into an axis of {size}, padding included")]
    Window { window: usize, size: usize },
    #[error("cannot view {from:?} as {to:?}: the number of elements differs")]
    Reshape { from: Vec<usize>, to: Vec<usize> },
    #[error("the sizes {sizes:?} do not add up to an axis of {size}")]
    Split { sizes: Vec<usize>, size: usize },
    #[error("index {index} is out of range for an axis of {size}")]
    Index { index: usize, size: usize },
    #[error("works along the batch axis, which is not supported")]
    Batch,
    #[error("a tensor would have more than {MAX_ELEMENTS} elements per image")]
    TooLarge,
    #[error("attribute {what} is invalid: {found}")]
    Attribute { what: &'static str, found: String },
}

/// Elements for one image, refusing sizes that a hostile file could ask for.
pub fn elements(shape: &[Dim]) -> Result<usize, ShapeError> {
    let product = shape.iter().try_fold(1usize, |n, d| n.checked_mul(d.sample()));
    product.filter(|&n| n <= MAX_ELEMENTS).ok_or(ShapeError::TooLarge)
}

/// NumPy broadcasting, aligned at the last axis.
pub fn broadcast(left: &[Dim], right: &[Dim]) -> Result<Shape, ShapeError> {
    let rank = left.len().max(right.len());
    let at = |shape: &[Dim], axis: usize| (axis + shape.len()).checked_sub(rank).map_or(Dim::Fixed(1), |i| shape[i]);
    (0..rank)
        .map(|axis| match (at(left, axis), at(right, axis)) {
            (a, b) if a == b => Ok(a),
            (a, Dim::Fixed(1)) => Ok(a),
            (Dim::Fixed(1), b) => Ok(b),
            _ => Err(ShapeError::Broadcast { left: sample(left), right: sample(right) }),
        })
        .collect()
}

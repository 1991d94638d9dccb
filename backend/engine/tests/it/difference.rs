//! How far two tensors are from each other.

use tch::Tensor;

/// The largest difference, relative to the largest number of `expected`. Nothing equals not-a-number. The shapes
/// must be equal.
pub fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.size(), expected.size(), "shapes");
    let largest = expected.abs().max().double_value(&[]).max(1e-12);
    let relative = (found - expected).abs().max().double_value(&[]) / largest;
    if relative.is_nan() { f64::INFINITY } else { relative }
}

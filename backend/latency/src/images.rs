//! What networks are given while they are measured.

use half::{bf16, f16};
use ort::value::{DynValue, Tensor, TensorElementType};

/// Numbers spread over [-1, 1) as a tensor of this shape and type; `None` for a type that images do not come in. Zeros
/// would do for the time of a convolution, but not for that of everything else.
pub fn images(shape: &[usize], element: TensorElementType) -> Option<ort::Result<DynValue>> {
    let mut state: u32 = 1;
    let numbers = (0..shape.iter().product()).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1u32 << 23) as f32 - 1.0
    });
    let shape = shape.to_vec();
    Some(match element {
        TensorElementType::Float32 => tensor(shape, numbers.collect::<Vec<f32>>()),
        TensorElementType::Float64 => tensor(shape, numbers.map(f64::from).collect::<Vec<_>>()),
        TensorElementType::Float16 => tensor(shape, numbers.map(f16::from_f32).collect::<Vec<_>>()),
        TensorElementType::Bfloat16 => tensor(shape, numbers.map(bf16::from_f32).collect::<Vec<_>>()),
        _ => return None,
    })
}

fn tensor<T>(shape: Vec<usize>, numbers: Vec<T>) -> ort::Result<DynValue>
where
    T: ort::value::PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static,
{
    Tensor::from_array((shape, numbers)).map(Tensor::into_dyn)
}

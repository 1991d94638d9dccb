//! Tensor bytes as the importers hand them over: no arithmetic happens on them in this crate.

use serde::{Deserialize, Serialize};

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ElementType {
    F16,
    Bf16,
    F32,
    F64,
    U8,
    I8,
    I16,
    I32,
    I64,
    Bool,
}

impl ElementType {
    /// Whether the elements are floating-point numbers.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::Bf16 | Self::F32 | Self::F64)
    }

    /// The name that PyTorch and NumPy have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::Bool => "bool",
        }
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }
}

/// A tensor in row-major order, little-endian, as both file formats store it.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorData {
    pub element: ElementType,
    pub shape: Vec<usize>,
    /// `shape.product() * element.size()` bytes.
    pub bytes: Vec<u8>,
}

impl TensorData {
    /// A tensor of `f32` values; `values.len()` must equal the product of `shape`.
    pub fn from_f32(shape: Vec<usize>, values: &[f32]) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { element: ElementType::F32, shape, bytes }
    }

    /// The values of an `f32` tensor, or `None` for another element type.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.element == ElementType::F32)
            .then(|| self.bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect())
    }
}

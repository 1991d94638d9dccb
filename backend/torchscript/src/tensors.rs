//! Between the graph's tensor bytes and libtorch's tensors.

use eagleeye_graph::{ElementType, TensorData};
use tch::{Device, Kind, TchError, Tensor};

/// The libtorch kind of an element type.
pub fn kind(element: ElementType) -> Kind {
    match element {
        ElementType::F16 => Kind::Half,
        ElementType::Bf16 => Kind::BFloat16,
        ElementType::F32 => Kind::Float,
        ElementType::F64 => Kind::Double,
        ElementType::U8 => Kind::Uint8,
        ElementType::I8 => Kind::Int8,
        ElementType::I16 => Kind::Int16,
        ElementType::I32 => Kind::Int,
        ElementType::I64 => Kind::Int64,
        ElementType::Bool => Kind::Bool,
    }
}

/// The element type of a libtorch kind, or `None` for complex, quantised and eight-bit floating-point tensors.
pub fn element(kind: Kind) -> Option<ElementType> {
    Some(match kind {
        Kind::Half => ElementType::F16,
        Kind::BFloat16 => ElementType::Bf16,
        Kind::Float => ElementType::F32,
        Kind::Double => ElementType::F64,
        Kind::Uint8 => ElementType::U8,
        Kind::Int8 => ElementType::I8,
        Kind::Int16 => ElementType::I16,
        Kind::Int => ElementType::I32,
        Kind::Int64 => ElementType::I64,
        Kind::Bool => ElementType::Bool,
        _ => return None,
    })
}

/// Element types by PyTorch's numbers.
const KINDS: [(i64, Kind); 10] = [
    (0, Kind::Uint8),
    (1, Kind::Int8),
    (2, Kind::Int16),
    (3, Kind::Int),
    (4, Kind::Int64),
    (5, Kind::Half),
    (6, Kind::Float),
    (7, Kind::Double),
    (11, Kind::Bool),
    (15, Kind::BFloat16),
];

/// The element type that PyTorch has a number for.
pub(crate) fn by_number(number: i64) -> Option<Kind> {
    KINDS.iter().find(|(found, _)| *found == number).map(|(_, kind)| *kind)
}

/// PyTorch's number for an element type.
pub(crate) fn number_of(kind: Kind) -> Option<i64> {
    KINDS.iter().find(|(_, found)| *found == kind).map(|(number, _)| *number)
}

/// Whether the entries are floating-point numbers of a type that networks compute in.
pub fn is_float(kind: Kind) -> bool {
    element(kind).is_some_and(ElementType::is_float)
}

/// A CPU tensor with a copy of `data`.
pub fn from_data(data: &TensorData) -> Result<Tensor, TchError> {
    Tensor::f_from_data_size(&data.bytes, &signed(&data.shape), kind(data.element))
}

/// A copy of a tensor's bytes, row-major.
pub fn to_data(tensor: &Tensor) -> Result<TensorData, TchError> {
    let found = tensor.f_kind()?;
    let element = element(found).ok_or_else(|| TchError::Kind(format!("{found:?} tensors cannot be stored")))?;
    let tensor = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?;
    let mut bytes = vec![0; tensor.numel() * element.size()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
    Ok(TensorData { element, shape: sizes(&tensor), bytes })
}

/// The sizes of a tensor's axes.
pub fn sizes(tensor: &Tensor) -> Vec<usize> {
    tensor.size().iter().map(|&s| s as usize).collect()
}

/// Sizes or indices as libtorch takes them.
pub fn signed(sizes: &[usize]) -> Vec<i64> {
    sizes.iter().map(|&s| s as i64).collect()
}

/// The values of a tensor as `f64`, row-major.
pub fn values(tensor: &Tensor) -> Result<Vec<f64>, TchError> {
    let flat = tensor.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?.f_reshape([-1i64])?;
    Vec::<f64>::try_from(&flat)
}

/// The part of a libtorch message that says something to a user: no stack trace of C++ frames.
pub fn reason(error: &TchError) -> String {
    let text = error.to_string();
    let end = text.find("\nException raised from").unwrap_or(text.len());
    let text = text[..end].trim_start_matches("Internal torch error:");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether every number of a tensor is finite.
pub fn is_finite(tensor: &Tensor) -> Result<bool, TchError> {
    Ok(tensor.f_isfinite()?.f_all()?.f_int64_value(&[])? != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_the_way_to_libtorch_and_back() {
        let elements = [ElementType::F16, ElementType::F32, ElementType::F64, ElementType::I64, ElementType::Bool];
        for element in elements {
            let bytes: Vec<u8> = (0..6 * element.size()).map(|i| (i % 2) as u8).collect();
            let data = TensorData { element, shape: vec![2, 3], bytes };
            assert_eq!(to_data(&from_data(&data).unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn a_transposed_tensor_is_stored_row_major() {
        let tensor = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0]).reshape([2, 3]).transpose(0, 1);
        let data = to_data(&tensor).unwrap();
        assert_eq!(data.shape, [3, 2]);
        assert_eq!(data.to_f32().unwrap(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn the_reason_leaves_out_the_stack_trace() {
        let error = Tensor::from_slice(&[1.0f32, 2.0]).f_reshape([3i64]).unwrap_err();
        let text = reason(&error);
        assert!(text.contains("shape '[3]' is invalid"), "{text}");
        assert!(!text.contains("frame #"), "{text}");
    }
}

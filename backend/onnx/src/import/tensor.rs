//! Stored tensors: their shape, and their entries from whichever of the format's fields has them.

use bytes::Bytes;
use eagleeye_graph::{Count, ElementType, TensorData, shape};

use super::external::{self, Folder};
use super::known::{Known, MAX_RANK, WholeType};
use crate::error::OnnxError;
use crate::proto::TensorProto;
use crate::proto::tensor_proto::{DataLocation, DataType};

/// The shape that a tensor states.
///
/// # Errors
/// Negative sizes, and more axes or entries than the engine takes.
pub(super) fn shape_of(tensor: &TensorProto) -> Result<Vec<usize>, OnnxError> {
    if tensor.dims.len() > MAX_RANK {
        return Err(wrong(tensor, format!("has {} axes", tensor.dims.len())));
    }
    let sizes = tensor.dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let sizes = sizes.map_err(|_| wrong(tensor, format!("has the impossible shape {:?}", tensor.dims)))?;
    // Empty tensors may not have huge axes either: sizes are multiplied in any order later.
    let axes: Vec<usize> = sizes.iter().map(|&size| size.max(1)).collect();
    match shape::elements(&shape::fixed(&axes)) {
        Ok(_) => Ok(sizes),
        Err(_) => Err(wrong(tensor, format!("has the shape {sizes:?}, more than {} entries", shape::MAX_ELEMENTS))),
    }
}

/// The element type; types that are not known count as undefined.
fn kind(tensor: &TensorProto) -> DataType {
    DataType::try_from(tensor.data_type.unwrap_or_default()).unwrap_or(DataType::Undefined)
}

/// The element type of a stored tensor, where the engine has it.
pub(super) fn element_of(tensor: &TensorProto) -> Option<ElementType> {
    element(kind(tensor))
}

/// The engine's name of an element type.
pub(super) fn element(kind: DataType) -> Option<ElementType> {
    Some(match kind {
        DataType::Float16 => ElementType::F16,
        DataType::Bfloat16 => ElementType::Bf16,
        DataType::Float => ElementType::F32,
        DataType::Double => ElementType::F64,
        DataType::Uint8 => ElementType::U8,
        DataType::Int8 => ElementType::I8,
        DataType::Int16 => ElementType::I16,
        DataType::Int32 => ElementType::I32,
        DataType::Int64 => ElementType::I64,
        DataType::Bool => ElementType::Bool,
        _ => return None,
    })
}

/// Whether the entries are floats, which the engine keeps as weights.
pub(super) fn is_float(tensor: &TensorProto) -> bool {
    matches!(kind(tensor), DataType::Float | DataType::Float16 | DataType::Double | DataType::Bfloat16)
}

/// A tensor of floats as weights in `f32`. `folder` is where external data lies.
pub(super) fn weights(tensor: &TensorProto, folder: &Folder) -> Result<TensorData, OnnxError> {
    let shape = shape_of(tensor)?;
    let bytes = if kind(tensor) == DataType::Float {
        match raw(tensor, folder, 4)? {
            Some(raw) => raw.to_vec(),
            None => f32_bytes(floats(tensor, folder)?),
        }
    } else {
        f32_bytes(floats(tensor, folder)?)
    };
    Ok(TensorData { element: ElementType::F32, shape, bytes })
}

/// A tensor of any supported type with its entries at hand.
pub(super) fn known(tensor: &TensorProto, folder: &Folder) -> Result<Known, OnnxError> {
    let shape = shape_of(tensor)?;
    if is_float(tensor) {
        let double = kind(tensor) == DataType::Double;
        return Ok(Known::floats(shape, floats(tensor, folder)?, double));
    }
    let ints = ints(tensor, folder)?;
    if kind(tensor) == DataType::Bool {
        return Ok(Known::bools(shape, ints.into_iter().map(|v| v != 0).collect()));
    }
    let whole_type = WholeType::of(kind(tensor)).unwrap_or(WholeType::I64);
    Ok(Known { whole_type, ..Known::ints(shape, ints.into_iter().map(Count::fixed).collect()) })
}

fn f32_bytes(values: Vec<f64>) -> Vec<u8> {
    values.into_iter().flat_map(|v| (v as f32).to_le_bytes()).collect()
}

fn floats(tensor: &TensorProto, folder: &Folder) -> Result<Vec<f64>, OnnxError> {
    let half = |bits: u16| match kind(tensor) {
        DataType::Bfloat16 => f64::from(f32::from_bits(u32::from(bits) << 16)),
        _ => f64::from(from_half(bits)),
    };
    match kind(tensor) {
        DataType::Float => match raw(tensor, folder, 4)? {
            Some(raw) => Ok(raw.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()),
            None => listed(tensor, &tensor.float_data, |&v| f64::from(v)),
        },
        DataType::Double => match raw(tensor, folder, 8)? {
            Some(raw) => Ok(raw.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()),
            None => listed(tensor, &tensor.double_data, |&v| v),
        },
        DataType::Float16 | DataType::Bfloat16 => match raw(tensor, folder, 2)? {
            Some(raw) => Ok(raw.as_chunks::<2>().0.iter().map(|b| half(u16::from_le_bytes(*b))).collect()),
            None => listed(tensor, &tensor.int32_data, |&v| half(v as u16)),
        },
        _ => Err(unusable(tensor)),
    }
}

fn ints(tensor: &TensorProto, folder: &Folder) -> Result<Vec<i64>, OnnxError> {
    macro_rules! entries {
        ($type:ty, $field:ident) => {{
            const SIZE: usize = size_of::<$type>();
            match raw(tensor, folder, SIZE)? {
                Some(raw) => {
                    let chunks = raw.as_chunks::<SIZE>().0;
                    chunks
                        .iter()
                        .map(|b| i64::try_from(<$type>::from_le_bytes(*b)).map_err(|_| unusable(tensor)))
                        .collect()
                }
                None => listed(tensor, &tensor.$field, |&v| v as i64),
            }
        }};
    }
    match kind(tensor) {
        DataType::Uint8 | DataType::Bool => entries!(u8, int32_data),
        DataType::Int8 => entries!(i8, int32_data),
        DataType::Uint16 => entries!(u16, int32_data),
        DataType::Int16 => entries!(i16, int32_data),
        DataType::Int32 => entries!(i32, int32_data),
        DataType::Int64 => entries!(i64, int64_data),
        DataType::Uint32 => entries!(u32, uint64_data),
        DataType::Uint64 => entries!(u64, uint64_data),
        _ => Err(unusable(tensor)),
    }
}

/// The raw bytes of a tensor, wherever they are, or `None` where its entries stand in a list.
fn raw(tensor: &TensorProto, folder: &Folder, size: usize) -> Result<Option<Bytes>, OnnxError> {
    let count = shape_of(tensor)?.iter().product::<usize>();
    let expected = count * size;
    if tensor.data_location() == DataLocation::External {
        return external::read(tensor, folder, expected).map(Some);
    }
    match &tensor.raw_data {
        Some(raw) if raw.len() == expected => Ok(Some(raw.clone())),
        Some(raw) if !raw.is_empty() => {
            Err(wrong(tensor, format!("has {} bytes, but its shape {:?} needs {expected}", raw.len(), tensor.dims)))
        }
        _ => Ok(None),
    }
}

fn listed<T, R>(tensor: &TensorProto, list: &[T], convert: impl Fn(&T) -> R) -> Result<Vec<R>, OnnxError> {
    let expected = shape_of(tensor)?.iter().product::<usize>();
    if list.len() != expected {
        let found = list.len();
        return Err(wrong(tensor, format!("has {found} entries, but its shape {:?} needs {expected}", tensor.dims)));
    }
    Ok(list.iter().map(convert).collect())
}

fn wrong(tensor: &TensorProto, reason: String) -> OnnxError {
    OnnxError::Tensor { name: tensor.name().to_owned(), reason }
}

fn unusable(tensor: &TensorProto) -> OnnxError {
    let number = tensor.data_type.unwrap_or_default();
    let name = DataType::try_from(number).map_or_else(|_| format!("number {number}"), |k| k.as_str_name().into());
    wrong(tensor, format!("has the element type {name}, which is not supported"))
}

/// IEEE 754 half precision.
fn from_half(bits: u16) -> f32 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1024.0 + fraction) * 2f32.powi(exponent - 25),
    }
}

#[cfg(test)]
mod tests {
    use super::super::known::Entries;
    use super::*;

    fn tensor(kind: DataType, dims: &[i64]) -> TensorProto {
        TensorProto {
            name: Some("w".into()),
            data_type: Some(kind.into()),
            dims: dims.to_vec(),
            ..TensorProto::default()
        }
    }

    fn f32s(tensor: &TensorProto) -> Vec<f32> {
        weights(tensor, &Folder::default()).unwrap().to_f32().unwrap()
    }

    #[test]
    fn every_float_type_becomes_f32() {
        let raw = |kind, bytes: Vec<u8>| TensorProto { raw_data: Some(bytes.into()), ..tensor(kind, &[2]) };
        let bytes = |values: [f32; 2]| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<_>>();
        assert_eq!(f32s(&raw(DataType::Float, bytes([1.5, -2.0]))), [1.5, -2.0]);
        let doubles = [1.5f64, -2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(f32s(&raw(DataType::Double, doubles)), [1.5, -2.0]);
        assert_eq!(f32s(&raw(DataType::Float16, vec![0x00, 0x3e, 0x00, 0xc0])), [1.5, -2.0]);
        assert_eq!(f32s(&raw(DataType::Bfloat16, vec![0xc0, 0x3f, 0x00, 0xc0])), [1.5, -2.0]);
        let listed = TensorProto { int32_data: vec![0x0001, 0x7c00], ..tensor(DataType::Float16, &[2]) };
        assert_eq!(f32s(&listed), [2f32.powi(-24), f32::INFINITY]);
        let listed = TensorProto { float_data: vec![3.0, 4.0], ..tensor(DataType::Float, &[2]) };
        assert_eq!(f32s(&listed), [3.0, 4.0]);
    }

    #[test]
    fn whole_numbers_and_bools_are_read_from_bytes_and_lists() {
        let entries = |tensor: &TensorProto| known(tensor, &Folder::default()).unwrap().entries;
        let counts = |values: [i64; 2]| Entries::Int(values.map(Count::fixed).to_vec());
        let raw = TensorProto { raw_data: Some(vec![0xff, 2].into()), ..tensor(DataType::Int8, &[2]) };
        assert_eq!(entries(&raw), counts([-1, 2]));
        let listed = TensorProto { int64_data: vec![-1, 2], ..tensor(DataType::Int64, &[2]) };
        assert_eq!(entries(&listed), counts([-1, 2]));
        let bools = TensorProto { int32_data: vec![1, 0], ..tensor(DataType::Bool, &[2]) };
        assert_eq!(entries(&bools), Entries::Bool(vec![true, false]));
    }

    #[test]
    fn sizes_that_lie_are_refused() {
        let reason = |tensor: TensorProto| weights(&tensor, &Folder::default()).unwrap_err().to_string();
        let short = TensorProto { raw_data: Some(vec![0; 7].into()), ..tensor(DataType::Float, &[2]) };
        assert!(reason(short).contains("has 7 bytes, but its shape [2] needs 8"));
        assert!(reason(tensor(DataType::Float, &[1 << 31, 1 << 31, 4])).contains("more than"));
        assert!(reason(tensor(DataType::Float, &[-1])).contains("impossible shape"));
        assert!(reason(tensor(DataType::Float, &[3])).contains("has 0 entries"));
        assert!(reason(tensor(DataType::String, &[1])).contains("STRING"));
        assert!(reason(tensor(DataType::Float8e4m3fn, &[1])).contains("not supported"));
    }
}

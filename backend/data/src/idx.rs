//! IDX files, as the MNIST family comes in: two zeros, an element type, the number of axes, their sizes, the data;
//! numbers are big-endian.

use crate::array::{Array, Element};
use crate::error::DataError;
use crate::storage::Storage;

/// Reads the header of an unpacked IDX file of `part`, which must be `images` or `labels`.
pub fn read(part: &'static str, storage: Storage) -> Result<Array, DataError> {
    let failed = |source| DataError::Read { part, source };
    let head = storage.head(4).map_err(failed)?;
    let &[0, 0, code, rank] = head.as_slice() else { return Err(DataError::UnknownFormat { part }) };
    let offset = 4 + 4 * u64::from(rank);
    let head = storage.head(offset as usize).map_err(failed)?;
    if (head.len() as u64) < offset {
        return Err(DataError::Truncated { part, expected: offset, found: head.len() as u64 });
    }
    let (sizes, _) = head[4..].as_chunks::<4>();
    let shape = sizes.iter().map(|&size| u64::from(u32::from_be_bytes(size))).collect();
    Ok(Array { part, storage, offset, element: element(part, code)?, big_endian: true, shape })
}

fn element(part: &'static str, code: u8) -> Result<Element, DataError> {
    match code {
        0x08 => Ok(Element::U8),
        0x09 => Ok(Element::I8),
        0x0b => Ok(Element::I16),
        0x0c => Ok(Element::I32),
        0x0d => Ok(Element::F32),
        0x0e => Ok(Element::F64),
        _ => {
            let found = format!("IDX code {code:#04x}");
            Err(DataError::ElementType { part, found, expected: "uint8 (code 0x08)" })
        }
    }
}

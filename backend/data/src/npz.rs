//! NPZ files: a zip of NPY arrays, as `numpy.savez` and `numpy.savez_compressed` write them.

use std::io::{Read, Seek};

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};
use zip::ZipArchive;

use crate::array::{Array, Element};
use crate::error::DataError;
use crate::storage::{Budget, Storage, StorageReader};

/// Names of images and labels, in the order in which they are looked for.
const KEYS: [(&str, &str); 3] = [("images", "labels"), ("x", "y"), ("x_train", "y_train")];
/// NumPy's headers have some 120 bytes. The parser recurses, so that a long header of brackets must not reach it.
const HEADER_BYTES: u64 = 4096;

/// The arrays of images and of labels, unpacked into temporary files. An array of images alone has no labels; beside other arrays
/// it is refused, since one of them may be labels under another name.
pub fn read(archive: &mut ZipArchive<StorageReader>, budget: &mut Budget) -> Result<(Array, Option<Array>), DataError> {
    let mut names: Vec<String> = archive.file_names().filter_map(|n| Some(n.ok()?.into_owned())).collect();
    names.sort();
    let has = |key: &str| names.iter().any(|name| name.strip_suffix(".npy") == Some(key));
    if let Some((images, labels)) = KEYS.into_iter().find(|(images, labels)| has(images) && has(labels)) {
        let images = array(archive, "images", images, budget)?;
        return Ok((images, Some(array(archive, "labels", labels, budget)?)));
    }
    let Some((images, _)) = KEYS.into_iter().find(|(images, _)| names.len() == 1 && has(images)) else {
        let found = names.iter().map(|name| name.trim_end_matches(".npy").to_owned()).take(20).collect();
        return Err(DataError::NpzKeys { found });
    };
    Ok((array(archive, "images", images, budget)?, None))
}

fn array(
    archive: &mut ZipArchive<StorageReader>,
    part: &'static str,
    name: &str,
    budget: &mut Budget,
) -> Result<Array, DataError> {
    let broken = |reason: String| DataError::Npy { name: name.to_owned(), reason };
    let entry = archive.by_name(&format!("{name}.npy")).map_err(|error| broken(error.to_string()))?;
    let storage = Storage::unpack(entry, part, budget, |error| broken(error.to_string()))?;
    let (header, offset) = header(&storage).map_err(broken)?;
    let DType::Plain(kind) = header.dtype() else { return Err(broken("it holds records".to_owned())) };
    if header.order() == Order::Fortran && header.shape().len() > 1 {
        return Err(DataError::FortranOrder { part });
    }
    let element = element(kind.type_char(), kind.size_field());
    let expected = "uint8 or float32 for images, an integer for labels";
    let element = element.ok_or_else(|| DataError::ElementType { part, found: kind.to_string(), expected })?;
    let big_endian = kind.endianness() == Endianness::Big;
    Ok(Array { part, storage, offset, element, big_endian, shape: header.shape().to_vec() })
}

/// The header, and where the data behind it begins.
fn header(storage: &Storage) -> Result<(NpyHeader, u64), String> {
    let head = storage.head(12).map_err(|error| error.to_string())?;
    let length = match head[..] {
        [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _, a, b, ..] => u64::from(u16::from_le_bytes([a, b])),
        [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _, a, b, c, d] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ => return Err("it does not start with an NPY header".to_owned()),
    };
    if length > HEADER_BYTES {
        return Err(format!("its header has {length} bytes; the limit is {HEADER_BYTES}"));
    }
    let mut reader = storage.reader();
    let header = NpyHeader::from_reader(reader.by_ref()).map_err(|error| error.to_string())?;
    let offset = reader.stream_position().map_err(|error| error.to_string())?;
    Ok((header, offset))
}

fn element(kind: TypeChar, bytes: u64) -> Option<Element> {
    match (kind, bytes) {
        (TypeChar::Uint | TypeChar::Bool, 1) => Some(Element::U8),
        (TypeChar::Uint, 2) => Some(Element::U16),
        (TypeChar::Uint, 4) => Some(Element::U32),
        (TypeChar::Uint, 8) => Some(Element::U64),
        (TypeChar::Int, 1) => Some(Element::I8),
        (TypeChar::Int, 2) => Some(Element::I16),
        (TypeChar::Int, 4) => Some(Element::I32),
        (TypeChar::Int, 8) => Some(Element::I64),
        (TypeChar::Float, 4) => Some(Element::F32),
        (TypeChar::Float, 8) => Some(Element::F64),
        _ => None,
    }
}

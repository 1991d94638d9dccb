//! Opening an ONNX file: how large it may be, whether it is one, and its messages.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;

use super::external::Folder;
use super::wire;
use crate::error::OnnxError;
use crate::proto::{GraphProto, ModelProto};

/// Where protobuf messages end: their sizes are signed 32-bit numbers.
const MAX_BYTES: u64 = (1 << 31) - 1;
/// How many bytes are looked at to say what a file is instead.
const SNIFFED: usize = 512;

/// A decoded file. Its tensors share the memory of the file.
#[derive(Debug)]
pub(super) struct Model {
    pub model: ModelProto,
    pub graph: GraphProto,
    /// Where external data lies.
    pub folder: Folder,
}

/// Reads and decodes a file.
pub(super) fn open(path: &Path) -> Result<Model, OnnxError> {
    let bytes = read_whole(path)?;
    Ok(Model { folder: Folder::of(path), ..decode(bytes, PathBuf::new())? })
}

/// Decodes the bytes of a file.
pub(super) fn decode(bytes: Bytes, folder: PathBuf) -> Result<Model, OnnxError> {
    if let Some(other) = what_else(&bytes) {
        return Err(OnnxError::NotOnnx(other.to_owned()));
    }
    wire::check(&bytes)?;
    let mut model =
        ModelProto::decode(bytes).map_err(|error| OnnxError::NotOnnx(format!("it cannot be decoded ({error})")))?;
    let graph = model.graph.take().ok_or_else(|| OnnxError::NotOnnx("it has no graph".into()))?;
    if model.opset_import.is_empty() {
        return Err(OnnxError::NotOnnx("it does not declare an operator set".into()));
    }
    Ok(Model { model, graph, folder: folder.into() })
}

fn read_whole(path: &Path) -> Result<Bytes, OnnxError> {
    let failed = |source| OnnxError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size > MAX_BYTES {
        return Err(OnnxError::FileTooLarge { bytes: size });
    }
    let mut bytes = Vec::with_capacity(size as usize);
    // The file can grow while it is read.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
    match bytes.len() as u64 {
        size if size > MAX_BYTES => Err(OnnxError::FileTooLarge { bytes: size }),
        _ => Ok(bytes.into()),
    }
}

/// What a file is that is obviously not ONNX.
fn what_else(bytes: &[u8]) -> Option<&'static str> {
    let start = &bytes[..bytes.len().min(SNIFFED)];
    match start {
        [] => Some("it is empty"),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => Some("it is a zip archive; TorchScript files are"),
        [0x1f, 0x8b, ..] => Some("it is compressed with gzip"),
        [0x80, 2..=5, ..] => Some("it is a Python pickle"),
        [0x89, b'H', b'D', b'F', ..] => Some("it is HDF5"),
        _ if is_text(start) => Some("it is text"),
        _ => None,
    }
}

/// A message starts with a field number and a size, which are control characters in every model with a version or a graph.
fn is_text(start: &[u8]) -> bool {
    let printable = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    // A character may be cut at the end of what is looked at.
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&start[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && valid.chars().all(printable)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &'static [u8]) -> String {
        decode(Bytes::from_static(bytes), PathBuf::new()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_onnx_file_is_said() {
        assert_eq!(reason(b""), "this is not an ONNX file: it is empty");
        assert_eq!(reason("# Über\nA text file\n".as_bytes()), "this is not an ONNX file: it is text");
        assert!(reason(b"PK\x03\x04rest").contains("TorchScript"));
        assert!(reason(b"\x08\x07").contains("no graph"));
        assert!(reason(&[0xff; 40]).contains("cannot be decoded"));
    }

    #[test]
    fn a_file_cut_short_does_not_decode() {
        let model = ModelProto {
            graph: Some(GraphProto { name: Some("a network".into()), ..GraphProto::default() }),
            ..ModelProto::default()
        };
        let mut bytes = model.encode_to_vec();
        bytes.truncate(bytes.len() - 2);
        let error = decode(bytes.into(), PathBuf::new()).unwrap_err();
        assert!(matches!(error, OnnxError::NotOnnx(_)), "{error}");
    }
}

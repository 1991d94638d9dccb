//! What a file is, by its first bytes.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use crate::error::DataError;
use crate::storage::Storage;

/// A tar header is one block; shorter heads cannot be told.
const HEAD_BYTES: usize = 512;
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZIP: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
const PARQUET: &[u8] = b"PAR1";

/// The outermost layers of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layers {
    Idx {
        gzipped: bool,
    },
    Tar {
        gzipped: bool,
    },
    /// An archive or an NPZ; the names inside tell.
    Zip,
    Parquet,
}

/// Tells a file by its content.
pub fn sniff(part: &'static str, storage: &Storage) -> Result<Layers, DataError> {
    let head = storage.head(HEAD_BYTES).map_err(|source| DataError::Read { part, source })?;
    if ZIP.iter().any(|magic| head.starts_with(magic)) {
        return Ok(Layers::Zip);
    }
    if head.starts_with(PARQUET) {
        return Ok(Layers::Parquet);
    }
    let gzipped = head.starts_with(GZIP);
    let head = if gzipped { unpacked_head(part, storage)? } else { head };
    if is_tar(&head) {
        Ok(Layers::Tar { gzipped })
    } else if is_idx(&head) {
        Ok(Layers::Idx { gzipped })
    } else {
        Err(DataError::UnknownFormat { part })
    }
}

fn unpacked_head(part: &'static str, storage: &Storage) -> Result<Vec<u8>, DataError> {
    let mut head = Vec::new();
    let mut unpacked = MultiGzDecoder::new(storage.reader()).take(HEAD_BYTES as u64);
    match unpacked.read_to_end(&mut head) {
        // A stream that breaks off behind the header is told from it and reported when its data is read.
        Err(source) if head.len() < 4 => Err(DataError::Gzip { part, source }),
        _ => Ok(head),
    }
}

/// Two zeros, an element type, and the number of axes.
fn is_idx(head: &[u8]) -> bool {
    matches!(head, [0, 0, 0x08 | 0x09 | 0x0b..=0x0e, 1..=4, ..])
}

/// The header's checksum, which old tar files without the `ustar` magic have, too.
fn is_tar(head: &[u8]) -> bool {
    let Some(header) = head.first_chunk::<HEAD_BYTES>() else { return false };
    let field = std::str::from_utf8(&header[148..156]).unwrap_or_default();
    let stated = u32::from_str_radix(field.trim_matches(|c: char| c == '\0' || c == ' '), 8);
    let blanks = 8 * u32::from(b' ');
    let outside = header[..148].iter().chain(&header[156..]).map(|&b| u32::from(b));
    header[0] != 0 && stated == Ok(outside.sum::<u32>() + blanks)
}

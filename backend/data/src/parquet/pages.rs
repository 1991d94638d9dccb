//! The headers of a column's pages, before they are unpacked.

use std::io::{self, BufReader, Read};

use ::parquet::basic::Compression;
use ::parquet::file::metadata::ColumnChunkMetaData;
use flate2::read::MultiGzDecoder;

use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::damaged;
use crate::parquet::thrift::{Item, Outcome, walk};
use crate::storage::{Budget, Storage};

/// A header holds the smallest and the largest value of its page, which some writers do not cut.
const HEADER_BYTES: u64 = 4 << 20;
/// Bytes of a page, which is unpacked into memory.
const PAGE_BYTES: u64 = 1 << 30;
/// The type of pages that nobody reads.
const INDEX_PAGE: i64 = 1;
/// `PLAIN`, `PLAIN_DICTIONARY`, `RLE_DICTIONARY`: what columns of binary values and of integers are written in by default. Decoders of the
/// others allocate what the values say.
const ENCODINGS: [i64; 3] = [0, 2, 8];

/// What the header of a page says.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    kind: i64,
    unpacked: i64,
    packed: i64,
    encoding: Option<i64>,
    /// Values of a dictionary, for which memory is set aside.
    dictionary: i64,
    /// Bytes at the beginning of a page of the second version that are not packed; never negative.
    levels: i64,
    /// Whether a page of the second version says that it is not packed, in a column that is.
    is_plain: bool,
}

/// Holds each page of a column in a row group against the limits. `work` pays for the unpacked bytes.
pub fn check(
    storage: &Storage,
    column: &ColumnChunkMetaData,
    limits: &Limits,
    work: &mut Budget,
) -> Result<(), DataError> {
    codec(column.compression()).map_err(damaged)?;
    let (mut offset, mut left) = range(column).ok_or_else(|| damaged("a column has a negative place"))?;
    if offset.checked_add(left).is_none_or(|end| end > storage.length()) {
        return Err(damaged("it ends before its columns do"));
    }
    while left > 0 {
        let header = BufReader::new(storage.reader_from(offset)).take(left.min(HEADER_BYTES));
        let (page, length) = read(header).map_err(damaged)?;
        offset += length;
        left -= length;
        let (packed, unpacked) = sizes(&page, left, limits).map_err(damaged)?;
        work.spend(unpacked)?;
        let levels = (page.levels as u64).min(packed);
        let promised = unpacked.saturating_sub(levels);
        let is_unpacked = page.kind != INDEX_PAGE && !page.is_plain && promised > 0;
        if is_unpacked && matches!(column.compression(), Compression::GZIP(_)) {
            let content = storage.reader_from(offset + levels).take(packed - levels);
            inflates_to(content, promised).map_err(damaged)?;
        }
        offset += packed;
        left -= packed;
    }
    Ok(())
}

/// Refuses what the crate is built without.
fn codec(compression: Compression) -> Outcome<()> {
    let name = match compression {
        Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) | Compression::ZSTD(_) => return Ok(()),
        Compression::BROTLI(_) => "Brotli",
        Compression::LZ4 | Compression::LZ4_RAW => "LZ4",
        Compression::LZO => "LZO",
    };
    Err(format!(
        "its pages are packed with {name}, which is not read: write it with snappy, zstd, gzip or no compression"
    ))
}

/// Where a column begins and how many bytes it has; `byte_range` panics where one of them is negative.
fn range(column: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
    Some((u64::try_from(start).ok()?, u64::try_from(column.compressed_size()).ok()?))
}

/// Reads a header, and says how many bytes it takes. Its fields have the types that `parquet.thrift` gives them.
fn read(header: impl Read) -> Outcome<(Header, u64)> {
    let mut page = Header::default();
    let length = walk(header, |path: &[i16], item| {
        match (path, item) {
            ([1], Item::Integer(kind)) => page.kind = kind,
            ([2], Item::Integer(bytes)) => page.unpacked = bytes,
            ([3], Item::Integer(bytes)) => page.packed = bytes,
            ([7, 1], Item::Integer(values)) => page.dictionary = values,
            ([5 | 7, 2] | [8, 4], Item::Integer(encoding)) => page.encoding = Some(encoding),
            ([8, 5 | 6], Item::Integer(bytes @ 0..)) => page.levels = page.levels.saturating_add(bytes),
            ([4] | [5, 1 | 3 | 4] | [8, 1..=3], Item::Integer(_)) => {}
            ([5..=8] | [5, 5] | [8, 8], Item::Structure) | ([7, 3], Item::Boolean(_)) => {}
            ([8, 7], Item::Boolean(is_packed)) => page.is_plain = !is_packed,
            ([1..=8] | [5, 1..=5] | [7, 1..=3] | [8, 1..=8], _) => {
                return Err("the header of a page has a field of a wrong type".to_owned());
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok((page, length))
}

/// Packed and unpacked bytes of a page, of which `left` bytes can be there.
fn sizes(page: &Header, left: u64, limits: &Limits) -> Outcome<(u64, u64)> {
    let negative = |_| "a page has a negative size".to_owned();
    let (packed, unpacked) = (u64::try_from(page.packed), u64::try_from(page.unpacked));
    let (packed, unpacked) = (packed.map_err(negative)?, unpacked.map_err(negative)?);
    if packed > left {
        return Err(format!("it ends before a page of {packed} bytes does"));
    }
    if packed.max(unpacked) > PAGE_BYTES {
        let bytes = packed.max(unpacked);
        return Err(format!("a page has {bytes} bytes; the limit is {PAGE_BYTES}: write it with smaller row groups"));
    }
    if let Some(encoding) = page.encoding.filter(|encoding| !ENCODINGS.contains(encoding)) {
        return Err(format!(
            "a page is in encoding {encoding}, which is not read: write it with plain or dictionary encoding"
        ));
    }
    let values = u64::try_from(page.dictionary).map_err(|_| "a dictionary has a negative size")?;
    // A value takes four bytes or more.
    if values > limits.images.min(packed.max(unpacked) / 4) {
        return Err(format!("a dictionary promises {values} values, for which there is no place"));
    }
    Ok((packed, unpacked))
}

/// Unpacks without keeping: of all decompressors, this one does not stop at the size that is promised.
fn inflates_to(packed: impl Read, promised: u64) -> Outcome<()> {
    let mut unpacked = MultiGzDecoder::new(packed).take(promised.saturating_add(1));
    let bytes = io::copy(&mut unpacked, &mut io::sink()).map_err(|error| error.to_string())?;
    if bytes > promised {
        return Err(format!("a page unpacks to more than the {promised} bytes that it promises"));
    }
    Ok(())
}

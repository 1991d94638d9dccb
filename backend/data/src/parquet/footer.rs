//! The footer of a Parquet file, before it is read: its length, and how many columns it lists.

use std::io::{BufReader, Read};

use crate::parquet::thrift::{Item, Outcome, walk};
use crate::storage::Storage;

/// The length of the footer, and `PAR1`.
const TAIL_BYTES: u64 = 8;
/// A million rows in groups of a hundred take some 10 MB. What is made of a footer in memory is a multiple of it.
const FOOTER_BYTES: u64 = 32 << 20;
/// Elements of the schema. Reading it recurses into each group, and a chain of groups is as deep as it is long.
const COLUMNS: u64 = 500;

/// Refuses a footer that would take more memory or stack than one of a dataset does.
pub fn check(storage: &Storage) -> Outcome<()> {
    let Some(end) = storage.length().checked_sub(TAIL_BYTES) else { return Err("it is cut off".to_owned()) };
    let mut tail = [0; TAIL_BYTES as usize];
    storage.read_exact_at(&mut tail, end).map_err(|error| error.to_string())?;
    let [a, b, c, d, magic @ ..] = tail;
    match &magic {
        b"PAR1" => {}
        b"PARE" => return Err("it is encrypted".to_owned()),
        _ => return Err("it is cut off: it does not end with `PAR1`".to_owned()),
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    if length > FOOTER_BYTES {
        return Err(format!("its footer has {length} bytes; the limit is {FOOTER_BYTES}"));
    }
    let Some(start) = end.checked_sub(length) else { return Err("it is cut off: its footer is missing".to_owned()) };
    let footer = BufReader::new(storage.reader_from(start)).take(length);
    walk(footer, |path: &[i16], item| match (path, item) {
        ([1], Item::Integer(_)) => Ok(()),
        ([2], Item::List(columns)) if columns > COLUMNS => {
            Err(format!("its schema has {columns} columns and groups; the limit is {COLUMNS}"))
        }
        ([2], Item::List(_) | Item::Structure) => Ok(()),
        ([1 | 2], _) => Err("its footer begins with something else than a version and a schema".to_owned()),
        _ => Ok(()),
    })?;
    Ok(())
}

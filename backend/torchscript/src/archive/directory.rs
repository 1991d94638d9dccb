//! The directory of a zip as libtorch reads it (miniz): the names that count are in the file twice over, and a reader that
//! finds others would check another archive than the one that is loaded.

use std::io::{Error, ErrorKind, Read, Seek, SeekFrom, Take};

/// Bytes of the record at the end, of the pointer to the 64-bit record before it, and of that record.
const END: u64 = 22;
const LOCATOR: u64 = 20;
const END_64: u64 = 56;
/// Bytes of an entry's record without its name.
const ENTRY: usize = 46;

/// Where the directory is.
#[derive(Debug, PartialEq)]
struct Place {
    entries: u64,
    bytes: u64,
    start: u64,
}

/// The names of all entries in the order of the directory, as they are stored.
///
/// # Errors
/// Archives in which readers can find different directories: with something behind the end, or with two records that
/// disagree. `start` is where another reader has found the directory.
pub(super) fn names<R: Read + Seek>(file: &mut R, start: u64, most: usize) -> std::io::Result<Vec<Vec<u8>>> {
    let place = place(file)?;
    if place.start != start {
        return Err(broken("its two directories are at different offsets"));
    }
    if place.entries > most as u64 {
        return Err(broken(format!("it has more than {most} entries")));
    }
    file.seek(SeekFrom::Start(place.start))?;
    let mut directory = file.take(place.bytes);
    (0..place.entries).map(|_| name(&mut directory)).collect()
}

fn place<R: Read + Seek>(file: &mut R) -> std::io::Result<Place> {
    let end_start = file.seek(SeekFrom::End(0))?.checked_sub(END).ok_or_else(|| broken("it is too short"))?;
    file.seek(SeekFrom::Start(end_start))?;
    let end = read::<{ END as usize }, _>(file)?;
    let (narrow, comment) =
        (Place { entries: short(&end, 10), bytes: word(&end, 12), start: word(&end, 16) }, short(&end, 20));
    if !end.starts_with(b"PK\x05\x06") || comment != 0 {
        return Err(broken("it does not end with its directory"));
    }
    let Some(locator_start) = end_start.checked_sub(LOCATOR) else {
        return Ok(narrow);
    };
    file.seek(SeekFrom::Start(locator_start))?;
    let locator = read::<{ LOCATOR as usize }, _>(file)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(narrow);
    }
    let wide_start = long(&locator, 8);
    if wide_start.checked_add(END_64) != Some(locator_start) {
        return Err(broken("its 64-bit directory is not where it says"));
    }
    file.seek(SeekFrom::Start(wide_start))?;
    let wide = read::<{ END_64 as usize }, _>(file)?;
    let found = Place { entries: long(&wide, 32), bytes: long(&wide, 40), start: long(&wide, 48) };
    // Numbers that do not fit are all ones in the narrow record.
    let agree = |narrow: u64, wide: u64, most: u64| narrow == wide || narrow == most;
    let same = agree(narrow.entries, found.entries, u16::MAX.into())
        && agree(narrow.bytes, found.bytes, u32::MAX.into())
        && agree(narrow.start, found.start, u32::MAX.into());
    if wide.starts_with(b"PK\x06\x06") && same { Ok(found) } else { Err(broken("its two directories differ")) }
}

fn name<R: Read>(directory: &mut Take<R>) -> std::io::Result<Vec<u8>> {
    let entry = read::<ENTRY, _>(directory)?;
    if !entry.starts_with(b"PK\x01\x02") {
        return Err(broken("its directory is damaged"));
    }
    let mut name = vec![0; short(&entry, 28) as usize];
    directory.read_exact(&mut name)?;
    let rest = short(&entry, 30) + short(&entry, 32);
    let skipped = std::io::copy(&mut directory.by_ref().take(rest), &mut std::io::sink())?;
    if skipped == rest { Ok(name) } else { Err(broken("its directory is truncated")) }
}

fn read<const N: usize, R: Read + ?Sized>(file: &mut R) -> std::io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn short(bytes: &[u8], at: usize) -> u64 {
    number(bytes, at, 2)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    number(bytes, at, 4)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    number(bytes, at, 8)
}

fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn broken(reason: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, reason.into())
}

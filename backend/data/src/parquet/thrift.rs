//! As much of Thrift's compact protocol as the headers of Parquet files are written in
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! Structures are walked, not built: a visitor hears of each field, and nothing is allocated. What the format allows and
//! no header has (maps, lists of truth values, fields out of order) is refused, so that nobody else can read something
//! else from the same bytes.

use std::io::{self, Read};

/// Structures and lists within each other.
const DEPTH: usize = 16;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    Boolean(bool),
    /// Of 16, 32 or 64 bits.
    Integer(i64),
    Structure,
    /// So many elements of one type.
    List(u64),
    /// A byte, a floating-point number, or bytes.
    Other,
}

/// What went wrong, in words.
pub type Outcome<T> = Result<T, String>;

/// Called with the ids of the fields that lead to a field, its own last, and what it holds. Elements of a list have the list's ids.
pub trait Visitor: FnMut(&[i16], Item) -> Outcome<()> {}
impl<F: FnMut(&[i16], Item) -> Outcome<()>> Visitor for F {}

/// Walks through the structure at the beginning of `input`, and says how many bytes it takes.
pub fn walk(input: impl Read, visit: impl Visitor) -> Outcome<u64> {
    let mut walk = Walk { input, read: 0, path: Vec::new(), visit };
    walk.structure(DEPTH)?;
    Ok(walk.read)
}

struct Walk<R, V> {
    input: R,
    read: u64,
    path: Vec<i16>,
    visit: V,
}

impl<R: Read, V: Visitor> Walk<R, V> {
    fn structure(&mut self, depth: usize) -> Outcome<()> {
        let depth = depth.checked_sub(1).ok_or("its headers are nested too deeply")?;
        let mut last = 0i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            let id = match head >> 4 {
                0 => i16::try_from(self.integer()?).map_err(|_| "a header has a field of no number")?,
                more => last.checked_add(i16::from(more)).ok_or("a header has too many fields")?,
            };
            if id <= last {
                return Err("a header has fields out of order".to_owned());
            }
            last = id;
            self.path.push(id);
            self.value(head & 0x0f, depth)?;
            self.path.pop();
        }
    }

    /// The value of a field. As elements of lists, truth values are bytes; they are refused there.
    fn value(&mut self, kind: u8, depth: usize) -> Outcome<()> {
        match kind {
            1 | 2 => (self.visit)(&self.path, Item::Boolean(kind == 1)),
            3 => {
                self.byte()?;
                (self.visit)(&self.path, Item::Other)
            }
            4..=6 => {
                let value = self.integer()?;
                (self.visit)(&self.path, Item::Integer(value))
            }
            7 => self.skip(8),
            8 => {
                let bytes = self.unsigned()?;
                self.skip(bytes)
            }
            9 | 10 => self.list(depth),
            12 => {
                (self.visit)(&self.path, Item::Structure)?;
                self.structure(depth)
            }
            _ => Err(format!("a header has a field of type {kind}, which is not known")),
        }
    }

    fn list(&mut self, depth: usize) -> Outcome<()> {
        let depth = depth.checked_sub(1).ok_or("its headers are nested too deeply")?;
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.unsigned()?,
            few => u64::from(few),
        };
        (self.visit)(&self.path, Item::List(count))?;
        let kind = head & 0x0f;
        if kind < 3 && count > 0 {
            return Err("a header has a list of truth values, which is not known".to_owned());
        }
        // Each element takes a byte or more, so that the input ends this.
        (0..count).try_for_each(|_| self.value(kind, depth))
    }

    fn skip(&mut self, bytes: u64) -> Outcome<()> {
        let skipped = io::copy(&mut self.input.by_ref().take(bytes), &mut io::sink()).map_err(|e| e.to_string())?;
        self.read += skipped;
        if skipped < bytes {
            return Err("a header is cut off".to_owned());
        }
        (self.visit)(&self.path, Item::Other)
    }

    fn integer(&mut self) -> Outcome<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn unsigned(&mut self) -> Outcome<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a header has a number of more than 64 bits".to_owned())
    }

    fn byte(&mut self) -> Outcome<u8> {
        let mut byte = [0];
        self.input.read_exact(&mut byte).map_err(|_| "a header is cut off")?;
        self.read += 1;
        Ok(byte[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(Vec<i16>, Item)>;

    fn seen(bytes: &[u8]) -> Outcome<(u64, Seen)> {
        let mut seen = Seen::new();
        let read = walk(bytes, |path: &[i16], item| {
            seen.push((path.to_vec(), item));
            Ok(())
        })?;
        Ok((read, seen))
    }

    #[test]
    fn fields_are_named_by_the_way_to_them() {
        // 1: i32 -3; 3: struct { 2: true; 4: "ab" }; 4: list of two i32; and a byte of something else behind it.
        let bytes = [0x15, 5, 0x2c, 0x21, 0x28, 2, b'a', b'b', 0, 0x19, 0x25, 2, 4, 0, 99];
        let expected = vec![
            (vec![1], Item::Integer(-3)),
            (vec![3], Item::Structure),
            (vec![3, 2], Item::Boolean(true)),
            (vec![3, 4], Item::Other),
            (vec![4], Item::List(2)),
            (vec![4], Item::Integer(1)),
            (vec![4], Item::Integer(2)),
        ];
        assert_eq!(seen(&bytes).unwrap(), (14, expected));
    }

    #[test]
    fn what_no_header_has_is_refused() {
        assert_eq!(seen(&[0x15, 2, 0x05, 2, 2, 0]).unwrap_err(), "a header has fields out of order", "1 and again 1");
        assert_eq!(seen(&[0x1b, 0]).unwrap_err(), "a header has a field of type 11, which is not known", "a map");
        assert_eq!(seen(&[0x19, 0x11, 1]).unwrap_err(), "a header has a list of truth values, which is not known");
        assert_eq!(seen(&[0x1c; 100]).unwrap_err(), "its headers are nested too deeply");
        assert_eq!(seen(&[0x19; 100]).unwrap_err(), "its headers are nested too deeply");
    }

    #[test]
    fn what_is_cut_off_ends() {
        assert_eq!(seen(&[0x15]).unwrap_err(), "a header is cut off");
        assert_eq!(seen(&[0x18, 0xff, 0xff, 0xff, 0xff, 7, 1]).unwrap_err(), "a header is cut off", "of 2 GB of text");
        assert_eq!(seen(&[0x19, 0xf5, 0xff, 0xff, 0xff, 7, 2]).unwrap_err(), "a header is cut off", "of 2 G integers");
        assert!(seen(&[0x15, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}

//! Checks pickles before libtorch's reader sees them: how deep their values nest, since the destructors call themselves for
//! each level, the texts in them that are parsed as types, and how many bytes they say that their storages have.

use std::collections::HashMap;

use super::code;

/// Values inside each other. A level costs the destructors some hundred bytes of stack.
const MAX_DEPTH: usize = 100_000;
/// Values of one pickle; the source ranges of a large network take some 100,000.
const MAX_VALUES: usize = 4_000_000;
/// Axes of an input that a network was traced with.
const MAX_SHAPE: usize = 8;

/// The memory of tensors, as a pickle speaks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// Name of the record with its entries, in the folder that belongs to the pickle.
    pub key: &'a [u8],
    /// Bytes that libtorch takes for granted.
    pub bytes: i128,
}

/// Walks over a pickle without making anything of it; returns the storages that it reads.
///
/// Values are known by their depth. A list, dict or object gets its values before another value holds it, as TorchScript
/// writes them; what is changed later is refused, so that no depth that was counted changes.
pub(super) fn check(bytes: &[u8]) -> Result<Vec<Storage<'_>>, String> {
    Ok(Walk::over(bytes)?.storages)
}

/// The shapes of the tensors in the one list of a pickle, in order: of the inputs that a network was traced with. Empty where
/// there are several lists, which are those of several methods.
pub(super) fn shapes(bytes: &[u8]) -> Result<Vec<Vec<i64>>, String> {
    let walk = Walk::over(bytes)?;
    let shape = |index: &usize| walk.numbers.get(*index).cloned();
    Ok(if walk.lists == 1 { walk.shapes.iter().filter_map(shape).collect() } else { Vec::new() })
}

/// A value on the stack or in the memo.
#[derive(Clone, Copy, Debug)]
struct Item<'a> {
    depth: Depth,
    content: Content<'a>,
}

/// How many values are inside each other.
#[derive(Clone, Copy, Debug)]
enum Depth {
    /// 0 for numbers, texts and names.
    Known(usize),
    /// That of a container, by its index.
    Of(usize),
}

/// A list, a dict or an object.
#[derive(Clone, Copy, Debug)]
struct Container {
    depth: usize,
    /// Whether another value holds it.
    held: bool,
}

/// What is known of a value, as far as storages need it.
#[derive(Clone, Copy, Debug)]
enum Content<'a> {
    Text(&'a [u8]),
    Number(i64),
    Storage(Storage<'a>),
    /// A storage that a tensor is made of.
    Loaded,
    /// A tuple of whole numbers, by its index.
    Numbers(usize),
    Other,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Item<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Item<'a>>,
    containers: Vec<Container>,
    storages: Vec<Storage<'a>>,
    /// Tuples of whole numbers that can be shapes.
    numbers: Vec<Vec<i64>>,
    /// Shapes of tensors, by their index among the tuples.
    shapes: Vec<usize>,
    lists: usize,
}

impl<'a> Walk<'a> {
    fn over(bytes: &'a [u8]) -> Result<Self, String> {
        let mut walk = Walk {
            bytes,
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            containers: Vec::new(),
            storages: Vec::new(),
            numbers: Vec::new(),
            shapes: Vec::new(),
            lists: 0,
        };
        while walk.step()? {}
        Ok(walk)
    }

    /// Takes an instruction; `false` behind the last one.
    fn step(&mut self) -> Result<bool, String> {
        let operation = self.take(1)?[0];
        match operation {
            b'.' => return Ok(false),
            0x80 => drop(self.take(1)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.stack.pop()),
            b'N' | b')' | 0x88 | 0x89 => self.push(Content::Other)?,
            b'K' => self.number(1, false)?,
            b'M' => self.number(2, false)?,
            b'J' => self.number(4, true)?,
            b'G' => {
                self.take(8)?;
                self.push(Content::Other)?;
            }
            0x8a => {
                let length = self.take(1)?[0];
                self.number(length.into(), true)?;
            }
            b'X' => {
                let length = self.u32()?;
                self.text(length as usize)?;
            }
            b'U' => {
                let length = self.take(1)?[0];
                self.text(length.into())?;
            }
            b'c' => {
                self.line()?;
                let name = self.line()?;
                self.push(Content::Text(name))?;
            }
            b']' | b'}' => {
                self.lists += usize::from(operation == b']');
                self.push_container(0)?;
            }
            b'q' => {
                let id = self.take(1)?[0];
                self.put(id.into());
            }
            b'r' => {
                let id = self.u32()?;
                self.put(id);
            }
            b'h' => {
                let id = self.take(1)?[0];
                self.get(id.into())?;
            }
            b'j' => {
                let id = self.u32()?;
                self.get(id)?;
            }
            // A tuple, list or dict of everything behind the mark.
            b't' => {
                let content = self.tuple();
                let depth = self.above_mark()?;
                self.push_tuple(depth)?;
                if let Some(item) = self.stack.last_mut() {
                    item.content = content;
                }
            }
            b'l' | b'd' => {
                let depth = self.above_mark()?;
                self.push_container(depth)?;
            }
            0x85..=0x87 => {
                let depth = self.pop(usize::from(operation - 0x84))?;
                self.push_tuple(depth)?;
            }
            // Put into what is below: one value, a pair, or everything behind the mark.
            b'a' | b's' => {
                let depth = self.pop(if operation == b'a' { 1 } else { 2 })?;
                self.grow(depth)?;
            }
            b'e' | b'u' => {
                let depth = self.above_mark()?;
                self.grow(depth)?;
            }
            // An object of a class or function with its arguments, and its state.
            b'R' | 0x81 => {
                let depth = self.pop(2)?;
                self.push_container(depth)?;
            }
            b'b' => {
                let depth = self.pop(1)?;
                self.grow(depth)?;
            }
            // What is stored beside the pickle: storages and nothing else.
            b'Q' => match self.stack.pop().map(|item| item.content) {
                Some(Content::Storage(storage)) => {
                    self.storages.push(storage);
                    self.push(Content::Loaded)?;
                }
                _ => return Err("refers to something that is not a storage".into()),
            },
            other => return Err(format!("contains the instruction {other:#04x}, which TorchScript never writes")),
        }
        Ok(true)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or("is truncated")?;
        self.at += count;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn line(&mut self) -> Result<&'a [u8], String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'\n').ok_or("is truncated")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// A whole number, lowest byte first; longer ones than libtorch reads are refused.
    fn number(&mut self, width: usize, signed: bool) -> Result<(), String> {
        let bytes = self.take(width)?;
        if width > 8 {
            return Err("contains an integer of more than 64 bits".into());
        }
        let negative = signed && bytes.last().is_some_and(|last| *last >= 0x80);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        whole[..width].copy_from_slice(bytes);
        self.push(Content::Number(i64::from_le_bytes(whole)))
    }

    /// Any text can be the name of a type, which libtorch parses.
    fn text(&mut self, bytes: usize) -> Result<(), String> {
        let text = self.take(bytes)?;
        code::check_expression(text)?;
        self.push(Content::Text(text))
    }

    /// What the tuple above the mark is: a storage, whole numbers, or the arguments of a tensor, whose shape is noted.
    fn tuple(&mut self) -> Content<'a> {
        if let Some(storage) = self.storage() {
            return Content::Storage(storage);
        }
        let items = self.marks.last().and_then(|mark| self.stack.get(*mark..)).unwrap_or_default();
        if let [Item { content: Content::Loaded, .. }, _, Item { content: Content::Numbers(index), .. }, ..] = items {
            self.shapes.push(*index);
            return Content::Other;
        }
        let number = |item: &Item<'_>| match item.content {
            Content::Number(number) => Some(number),
            _ => None,
        };
        if items.len() > MAX_SHAPE {
            return Content::Other;
        }
        match items.iter().map(number).collect::<Option<Vec<i64>>>() {
            Some(numbers) if (1..=MAX_SHAPE).contains(&numbers.len()) => {
                self.numbers.push(numbers);
                Content::Numbers(self.numbers.len() - 1)
            }
            _ => Content::Other,
        }
    }

    /// The tuple above the mark as a storage: `("storage", type, key, device, entries)`.
    fn storage(&self) -> Option<Storage<'a>> {
        let items = self.stack.get(*self.marks.last()?..)?;
        let [first, kind, key, _, count, ..] = items else {
            return None;
        };
        match (first.content, kind.content, key.content, count.content) {
            (Content::Text(b"storage"), Content::Text(kind), Content::Text(key), Content::Number(count)) => {
                Some(Storage { key, bytes: i128::from(count) * entry_bytes(kind) })
            }
            _ => None,
        }
    }

    /// A value that holds none.
    fn push(&mut self, content: Content<'a>) -> Result<(), String> {
        self.push_item(Item { depth: Depth::Known(0), content })
    }

    /// A tuple of values of at most this depth.
    fn push_tuple(&mut self, depth: usize) -> Result<(), String> {
        let depth = Depth::Known(deeper(depth)?);
        self.push_item(Item { depth, content: Content::Other })
    }

    /// A list, dict or object of values of at most this depth.
    fn push_container(&mut self, depth: usize) -> Result<(), String> {
        let index = self.containers.len();
        self.containers.push(Container { depth: deeper(depth)?, held: false });
        self.push_item(Item { depth: Depth::Of(index), content: Content::Other })
    }

    fn push_item(&mut self, item: Item<'a>) -> Result<(), String> {
        self.stack.push(item);
        if self.stack.len() + self.containers.len() > MAX_VALUES {
            return Err(format!("contains more than {MAX_VALUES} values"));
        }
        Ok(())
    }

    fn put(&mut self, id: u32) {
        if let Some(item) = self.stack.last() {
            self.memo.insert(id, *item);
        }
    }

    fn get(&mut self, id: u32) -> Result<(), String> {
        let item = self.memo.get(&id).copied();
        self.push_item(item.ok_or_else(|| format!("reads memo entry {id}, which it never wrote"))?)
    }

    /// Takes values off the stack for something that holds them; returns the depth of the deepest.
    fn pop(&mut self, count: usize) -> Result<usize, String> {
        let start = self.stack.len().checked_sub(count).ok_or("pops more values than are on its stack")?;
        let mut deepest = 0;
        for item in self.stack.drain(start..) {
            deepest = deepest.max(match item.depth {
                Depth::Known(depth) => depth,
                Depth::Of(index) => {
                    self.containers[index].held = true;
                    self.containers[index].depth
                }
            });
        }
        Ok(deepest)
    }

    fn above_mark(&mut self) -> Result<usize, String> {
        let mark = self.marks.pop().ok_or("pops more values than are on its stack")?;
        let count = self.stack.len().checked_sub(mark).ok_or("pops more values than are on its stack")?;
        self.pop(count)
    }

    /// The value on top gets values of this depth.
    fn grow(&mut self, depth: usize) -> Result<(), String> {
        let item = self.stack.last().ok_or("pops more values than are on its stack")?;
        let Depth::Of(index) = item.depth else {
            return Err("adds a value to something that is not a list, dict or object".into());
        };
        let container = &mut self.containers[index];
        if container.held {
            return Err("changes a list, dict or object that is already part of another value".into());
        }
        container.depth = container.depth.max(deeper(depth)?);
        Ok(())
    }
}

/// The depth of what holds a value of this depth.
fn deeper(depth: usize) -> Result<usize, String> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(format!("nests values more than {MAX_DEPTH} levels deep")) }
}

/// Bytes of an entry of a storage; of kinds that are not known, the most that any has.
fn entry_bytes(kind: &[u8]) -> i128 {
    match kind {
        b"ByteStorage" | b"CharStorage" | b"BoolStorage" | b"QInt8Storage" | b"QUInt8Storage" => 1,
        b"HalfStorage" | b"BFloat16Storage" | b"ShortStorage" => 2,
        b"FloatStorage" | b"IntStorage" | b"QInt32Storage" => 4,
        b"DoubleStorage" | b"LongStorage" | b"ComplexFloatStorage" => 8,
        _ => 16,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_nest_deep_are_refused() {
        let deep = MAX_DEPTH + 1;
        let tuples = [b"(".repeat(deep), b"t".repeat(deep), b".".to_vec()].concat();
        assert!(check(&tuples).unwrap_err().contains("deep"));
        let singles = [b"N".to_vec(), b"\x85".repeat(deep), b".".to_vec()].concat();
        assert!(check(&singles).unwrap_err().contains("deep"));
        let flat = [b"(".to_vec(), b"K\x01".repeat(2 * deep), b"t.".to_vec()].concat();
        assert_eq!(check(&flat), Ok(Vec::new()));
    }

    #[test]
    fn values_that_nest_by_the_memo_are_refused() {
        let put = |id: usize| [&b"]r"[..], &(id as u32).to_le_bytes()].concat();
        let get = |id: usize| [&b"j"[..], &(id as u32).to_le_bytes()].concat();
        // Each list is put into the one before, from the inside out and from the outside in.
        for (outward, reason) in [(true, "deep"), (false, "part of another value")] {
            let mut bytes: Vec<u8> = (0..=MAX_DEPTH).flat_map(|id| [put(id), b"0".to_vec()].concat()).collect();
            for id in 0..MAX_DEPTH {
                let (inner, outer) = if outward { (id, id + 1) } else { (id + 1, id) };
                bytes.extend([get(outer), get(inner), b"a0".to_vec()].concat());
            }
            bytes.push(b'.');
            assert!(check(&bytes).unwrap_err().contains(reason), "{outward}");
        }
        let itself = b"]q\x00h\x00a.";
        assert!(check(itself).unwrap_err().contains("part of another value"));
        assert!(check(b"h\x01.").unwrap_err().contains("never wrote"));
    }

    #[test]
    fn values_that_many_others_hold_are_not_deep() {
        // Each source range holds the tuple with the list of its file's texts.
        let ranges = b"(K\x01h\x00t".repeat(2 * MAX_DEPTH);
        let bytes = [&b"(](K\x07etq\x00(("[..], &ranges, b"tt."].concat();
        assert_eq!(check(&bytes), Ok(Vec::new()));
    }

    #[test]
    fn more_values_than_any_network_has_are_refused() {
        assert!(check(&b"N".repeat(MAX_VALUES + 1)).unwrap_err().contains("more than"));
    }

    #[test]
    fn types_that_nest_deep_are_refused() {
        let text = "List[".repeat(1000);
        let bytes = [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes(), b"."].concat();
        assert!(check(&bytes).unwrap_err().contains("deep"));
    }

    #[test]
    fn storages_say_their_bytes() {
        let tuple = b"(X\x07\x00\x00\x00storageq\x01ctorch\nDoubleStorage\nq\x02X\x01\x00\x00\x007q\x03X\x03\x00\x00\x00cpuq\x04K\x05tQ";
        let again = b"(h\x01h\x02h\x03h\x04\x8a\x05\x00\x00\x00\x00\x01tQ.";
        let bytes = [&tuple[..], again].concat();
        let found = check(&bytes).unwrap();
        assert_eq!(found, [Storage { key: b"7", bytes: 40 }, Storage { key: b"7", bytes: 8 << 32 }]);
        assert!(check(b"(K\x01tQ.").unwrap_err().contains("not a storage"));
    }

    /// A list of one tensor whose shape is this tuple.
    fn list_of_a_tensor(shape: &[u8]) -> Vec<u8> {
        let storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x05tQ";
        [b"]((", &storage[..], b"K\x00", shape, b"te."].concat()
    }

    #[test]
    fn shapes_are_those_of_the_tensors_in_the_list() {
        let shape = b"(K\x01K\x03K\x08K\x08t";
        assert_eq!(shapes(&list_of_a_tensor(shape)), Ok(vec![vec![1, 3, 8, 8]]));
    }

    #[test]
    fn a_tuple_of_more_numbers_than_a_shape_has_is_not_kept() {
        let tuple = |length: usize| [b"(".to_vec(), b"K\x01".repeat(length), b"t".to_vec()].concat();
        let kept = |length: usize| Walk::over(&list_of_a_tensor(&tuple(length))).unwrap().numbers.len();
        assert_eq!((kept(MAX_SHAPE), kept(MAX_SHAPE + 1)), (1, 0));
        assert_eq!(shapes(&list_of_a_tensor(&tuple(100_000))), Ok(Vec::new()));
    }

    #[test]
    fn damage_is_said() {
        assert!(check(b"").unwrap_err().contains("truncated"));
        assert!(check(b"X\xff\xff\xff\xffa").unwrap_err().contains("truncated"));
        assert!(check(b"t.").unwrap_err().contains("more values"));
        assert!(check(b"\x85.").unwrap_err().contains("more values"));
        assert!(check(b"ios\nsystem\n.").unwrap_err().contains("0x69"));
    }
}

//! Changes of pickles: numbers, names of types, and plain bytes.

use crate::random::Random;

/// Names that the code of libtorch's reader treats apart. They replace others of any length: a pickle's names end with a line.
const GLOBALS: [&str; 18] = [
    "torch\nFloatStorage",
    "torch\nDoubleStorage",
    "torch\nHalfStorage",
    "torch\nLongStorage",
    "torch\nBoolStorage",
    "torch\nQInt8Storage",
    "torch\nComplexFloatStorage",
    "torch._utils\n_rebuild_tensor_v2",
    "torch._utils\n_rebuild_qtensor",
    "torch._utils\n_rebuild_sparse_tensor",
    "torch._utils\n_rebuild_device_tensor_from_numpy",
    "torch._utils\n_rebuild_parameter",
    "torch.jit._pickle\nbuild_intlist",
    "torch.jit._pickle\nbuild_tensorlist",
    "torch.jit._pickle\nbuild_tensor_from_id",
    "torch.jit._pickle\nrestore_type_tag",
    "collections\nOrderedDict",
    "torch\ndevice",
];
/// Opcodes with no argument: marks, tuples, lists, dicts, calls, builds, and the end.
const OPCODES: &[u8] = b"(.0]})uaebRQtNl\x81\x85\x86\x87\x88\x89";

/// Changes a pickle in one place.
pub fn change(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let place = random.below(bytes.len());
    match random.below(10) {
        0 => bytes.truncate(place),
        1 => bytes[place] = random.bits() as u8,
        2 => bytes[place] = OPCODES[random.below(OPCODES.len())],
        3 => bytes.insert(place, OPCODES[random.below(OPCODES.len())]),
        4 => change_global(bytes, random),
        5 => {
            // The same piece again: nesting, repeated keys, shared objects.
            let piece = bytes[place..bytes.len().min(place + 1 + random.below(40))].to_vec();
            let target = random.below(bytes.len());
            bytes.splice(target..target, piece);
        }
        6 => {
            let nested = [&b"("[..], b"]", b"}", b"(l"][random.below(4)].repeat(1 + random.below(300));
            bytes.splice(place..place, nested);
        }
        _ => change_number(bytes, random),
    }
}

/// `c<module>\n<name>\n` with another module and name.
fn change_global(bytes: &mut Vec<u8>, random: &mut Random) {
    let starts: Vec<usize> =
        (0..bytes.len()).filter(|&i| bytes[i..].starts_with(b"ctorch") || bytes[i..].starts_with(b"ccoll")).collect();
    let Some(&start) = random.pick(&starts) else {
        return;
    };
    let mut lines = (start..bytes.len()).filter(|&i| bytes[i] == b'\n');
    if let (Some(_), Some(end)) = (lines.next(), lines.next()) {
        bytes.splice(start + 1..end, GLOBALS[random.below(GLOBALS.len())].bytes());
    }
}

/// A number of one, two, four or any bytes (`K`, `M`, `J`, `\x8a`) becomes another, of another width.
fn change_number(bytes: &mut Vec<u8>, random: &mut Random) {
    let numbers: Vec<usize> = (0..bytes.len()).filter(|&i| matches!(bytes[i], b'K' | b'M' | b'J')).collect();
    let Some(&start) = random.pick(&numbers) else {
        return;
    };
    let width = match bytes[start] {
        b'K' => 1,
        b'M' => 2,
        _ => 4,
    };
    let number = random.number();
    let new = match random.below(3) {
        0 => vec![b'K', number as u8],
        1 => [&b"J"[..], &(number as i32).to_le_bytes()].concat(),
        _ => [&b"\x8a\x08"[..], &number.to_le_bytes()].concat(),
    };
    let end = bytes.len().min(start + 1 + width);
    bytes.splice(start..end, new);
}

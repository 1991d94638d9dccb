//! Changes an entry of the archive and packs it again: a byte that is changed in a zip fails its checksum in most cases, and
//! no import would get further.

use crate::archive::{self, Entry};
use crate::random::Random;
use crate::{code, pickle};

/// Changes in one mutation at most.
const CHANGES: usize = 4;

/// An archive with some changes, of at most `most` bytes; `None` where the bytes are no archive, the result is too long, or
/// bytes are to be changed for once.
pub fn mutated(bytes: &[u8], most: usize, seed: u32) -> Option<Vec<u8>> {
    let mut random = Random::new(seed);
    match random.below(32) {
        0 => return None,
        1 => return Some(with_another_directory(bytes, &mut random)),
        _ => {}
    }
    let mut entries = archive::unpacked(bytes)?;
    for _ in 0..=random.below(CHANGES) {
        change(&mut entries, &mut random);
    }
    let bytes = archive::packed(&entries, random.once_in(4))?;
    (bytes.len() <= most).then_some(bytes)
}

fn change(entries: &mut Vec<Entry>, random: &mut Random) {
    match random.below(32) {
        0 => change_names(entries, random),
        1 | 2 => {
            if let Some(entry) = picked(entries, random, |name| name.contains("/data/")) {
                change_content(&mut entry.content, random);
            }
        }
        3 => {
            if let Some(entry) = random.pick_mut(entries) {
                change_content(&mut entry.content, random);
            }
        }
        4..=9 => {
            if let Some(entry) = picked(entries, random, |name| name.ends_with(".pkl")) {
                pickle::change(&mut entry.content, random);
            }
        }
        _ => {
            let other = picked(entries, random, is_code).map(|entry| entry.content.clone());
            if let Some(entry) = picked(entries, random, is_code) {
                let text = String::from_utf8_lossy(&entry.content).into_owned();
                let other = String::from_utf8_lossy(&other.unwrap_or_default()).into_owned();
                entry.content = code::changed(&text, &other, random).into_bytes();
            }
        }
    }
}

fn is_code(name: &str) -> bool {
    name.ends_with(".py")
}

fn picked<'a>(entries: &'a mut [Entry], random: &mut Random, wanted: fn(&str) -> bool) -> Option<&'a mut Entry> {
    let mut wanted: Vec<&mut Entry> = entries.iter_mut().filter(|e| wanted(&e.name)).collect();
    let index = random.below(wanted.len());
    (index < wanted.len()).then(|| wanted.swap_remove(index))
}

/// Entries that are missing, that are there under another name, and some that libtorch looks for.
fn change_names(entries: &mut Vec<Entry>, random: &mut Random) {
    const WANTED: [&str; 8] = [
        "net/extra/input_shape",
        "net/constants.pkl",
        "net/traced_inputs.pkl",
        "net/version",
        "net/byteorder",
        "net/code/__torch__.py.debug_pkl",
        "net/constants/0",
        "net/data/0",
    ];
    let index = random.below(entries.len());
    match random.below(5) {
        0 if !entries.is_empty() => drop(entries.remove(index)),
        1 => {
            if let (Some(entry), Some(name)) = (entries.get_mut(index), random.pick(&WANTED)) {
                (*name).clone_into(&mut entry.name);
            }
        }
        2 => {
            let content = random.pick(&[&b"1,3,8,8"[..], b"3", b"9223372036854775807", b"big", b""]).copied();
            let name = random.pick(&WANTED).copied().unwrap_or_default().to_owned();
            entries.retain(|e| e.name != name);
            entries.push(Entry { name, content: content.unwrap_or_default().to_vec() });
        }
        3 => {
            let copies = entries.get(index).cloned().map(|e| Entry { name: e.name.to_uppercase(), ..e });
            entries.extend(copies);
        }
        _ => {
            let other = random.below(entries.len());
            if !entries.is_empty() {
                entries.swap(index, other);
            }
        }
    }
}

fn change_content(content: &mut Vec<u8>, random: &mut Random) {
    match random.below(4) {
        0 => content.truncate(random.below(content.len() + 1)),
        1 => content.extend(random.bits().to_le_bytes()),
        _ => {
            if let Some(byte) = random.pick_mut(content) {
                *byte = random.bits() as u8;
            }
        }
    }
}

/// Changes numbers in the directory at the end of the archive: sizes, places and names there have no checksum.
fn with_another_directory(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let start = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap_or(0);
    for _ in 0..=random.below(3) {
        let place = start + random.below(bytes.len() - start);
        let number = random.number().to_le_bytes();
        let width = [1, 2, 4, 8][random.below(4)];
        for (byte, new) in bytes.iter_mut().skip(place).zip(&number[..width]) {
            *byte = *new;
        }
    }
    bytes
}

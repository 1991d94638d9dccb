//! WebDatasets: archives in which files of one key are one sample, such as `000017.jpg` with `000017.cls`.
//!
//! The key is what WebDataset makes of a name: everything up to the first dot behind the last slash, folders included
//! (<https://github.com/webdataset/webdataset>, `base_plus_ext`). Of a sample's files, `jpg`, `jpeg` or `png` is the image
//! and `cls` its class. `json` may hold anything, and has a class only for who is told its field: like all others it
//! is left alone.

use std::collections::BTreeMap;

use crate::archive::layout::{Entry, EntryKind};
use crate::archive::{Image, Place};
use crate::error::DataError;
use crate::limits::Limits;

/// What a class index and the line break behind it may take.
const CLASS_BYTES: u64 = 32;

/// A file of a sample: its name, and where it lies.
type Member = (String, Place);

#[derive(Debug, Default)]
struct Sample {
    image: Option<Member>,
    class: Option<Member>,
}

/// Whether an archive is a WebDataset with classes. Whatever else lies in it, a file of classes is there for nothing else.
pub fn are_in(entries: &[Entry]) -> bool {
    let is_class = |entry: &Entry| matches!(entry.kind, EntryKind::File(_)) && ending(&entry.name) == "cls";
    entries.iter().any(|entry| is_class(entry) && !entry.is_litter())
}

/// The images with their classes, by their keys, so that the order in which an archiver met them does not matter.
/// `content` reads a file of at most so many bytes.
///
/// # Errors
/// The first file, by its key, that lacks its image or its class, or that says no class; and the first in the archive of
/// which there is another.
pub fn read(
    entries: Vec<Entry>,
    limits: &Limits,
    content: impl Fn(&str, Place, u64) -> Result<Vec<u8>, DataError>,
) -> Result<Vec<Image>, DataError> {
    let image = |sample: Sample| match sample {
        Sample { image: Some((name, place)), class: Some((class, at)) } => {
            let bytes = match content(&class, at, CLASS_BYTES) {
                Err(DataError::ImageBytes { .. }) => return Err(no_class(class, "too much", limits)),
                other => other?,
            };
            Ok(Image { name, label: Some(class_index(class, &bytes, limits)?), place })
        }
        Sample { image: Some((entry, _)), class: None } => Err(DataError::SampleWithoutClass { entry }),
        Sample { image: None, class: Some((entry, _)) } => Err(DataError::SampleWithoutImage { entry }),
        Sample { image: None, class: None } => Err(DataError::Empty),
    };
    by_key(entries)?.into_values().map(image).collect()
}

fn by_key(entries: Vec<Entry>) -> Result<BTreeMap<String, Sample>, DataError> {
    let mut samples: BTreeMap<String, Sample> = BTreeMap::new();
    // The first `KEY.something.cls`.
    let mut further = None;
    for entry in entries {
        let EntryKind::File(place) = entry.kind else { continue };
        if entry.is_litter() {
            continue;
        }
        let path = entry.parts.join("/");
        let file = path.rfind('/').map_or(0, |slash| slash + 1);
        let Some(dot) = path[file..].find('.').map(|dot| file + dot) else { continue };
        let (key, field) = (&path[..dot], path[dot + 1..].to_ascii_lowercase());
        let is_class = field == "cls";
        if !is_class && !matches!(field.as_str(), "jpg" | "jpeg" | "png") {
            if ending(&field) == "cls" {
                further.get_or_insert(entry.name);
            }
            continue;
        }
        let sample = samples.entry(key.to_owned()).or_default();
        let member = if is_class { &mut sample.class } else { &mut sample.image };
        if member.is_some() {
            return Err(DataError::SampleTwice { entry: entry.name });
        }
        *member = Some((entry.name, place));
    }
    match further {
        // Where all names are like `a.b.jpg` and `a.b.cls`, nothing would be said of either.
        Some(entry) if samples.is_empty() => Err(DataError::SampleWithoutImage { entry }),
        _ => Ok(samples),
    }
}

fn class_index(entry: String, bytes: &[u8], limits: &Limits) -> Result<usize, DataError> {
    let text = String::from_utf8_lossy(bytes);
    let digits = text.trim();
    let index = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<usize>().ok()).flatten();
    match index {
        Some(index) if (index as u64) < limits.classes => Ok(index),
        _ => Err(no_class(entry, &format!("{digits:?}"), limits)),
    }
}

fn no_class(entry: String, found: &str, limits: &Limits) -> DataError {
    DataError::SampleClass { entry, found: found.to_owned(), largest: limits.classes.saturating_sub(1) }
}

fn ending(name: &str) -> String {
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase())
}

//! From the names in an archive to classes: one folder per class, all at the top or all in one common folder. Without any folder,
//! images have no labels.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::{Image, Place};
use crate::error::DataError;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    Folder,
    File(Place),
}

/// A plain file or a folder of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub parts: Vec<String>,
    pub kind: EntryKind,
}

impl Entry {
    /// Refuses names that lead out of the archive.
    pub fn new(name: &str, kind: EntryKind) -> Result<Self, DataError> {
        let refused = || DataError::UnsafeName { entry: name.to_owned() };
        // Windows tools write `\`, and take it and drive letters for parts of a path.
        if name.starts_with('/') || name.contains(['\\', '\0']) || name.get(1..2) == Some(":") {
            return Err(refused());
        }
        let parts = name.split('/').filter(|part| !part.is_empty() && *part != ".");
        let parts: Vec<String> = parts.map(str::to_owned).collect();
        if parts.iter().any(|part| part == "..") {
            return Err(refused());
        }
        Ok(Self { name: name.to_owned(), parts, kind })
    }

    /// What file managers leave behind: `.DS_Store`, `__MACOSX/`, `Thumbs.db`.
    pub fn is_litter(&self) -> bool {
        let litter = |part: &String| part.starts_with('.') || part == "__MACOSX" || part == "Thumbs.db";
        self.parts.is_empty() || self.parts.iter().any(litter)
    }
}

/// Sorts entries into classes. Class indices follow the sorted folder names, images the sorted names of their entries,
/// so that the order in which an archiver met them does not matter. Where all files lie at the top there are no classes.
pub fn classes(entries: Vec<Entry>) -> Result<(Vec<String>, Vec<Image>), DataError> {
    let entries: Vec<Entry> = entries.into_iter().filter(|entry| !entry.is_litter()).collect();
    if entries.iter().all(|entry| entry.parts.len() == 1 && entry.kind != EntryKind::Folder) {
        return Ok((Vec::new(), unlabelled(entries)));
    }
    let depth = top_folders(&entries);
    let mut folders = BTreeSet::new();
    let mut images: BTreeMap<(String, String), (String, Place)> = BTreeMap::new();
    for entry in entries {
        match (entry.kind, entry.parts.get(depth..).unwrap_or_default()) {
            (EntryKind::File(place), [class, file]) => {
                let key = (class.clone(), file.clone());
                let class = class.clone();
                images.insert(key, (entry.name, place));
                folders.insert(class);
            }
            (EntryKind::Folder, [class]) => {
                folders.insert(class.clone());
            }
            // A README or a licence beside the class folders is no image.
            (EntryKind::File(_), [] | [_]) if !looks_like_image(&entry.name) => {}
            (EntryKind::Folder, [] | [_, ..]) => {}
            (EntryKind::File(_), [] | [_, ..]) => return Err(DataError::Layout { entry: entry.name }),
        }
    }
    let classes: Vec<String> = folders.into_iter().collect();
    let filled: BTreeSet<&String> = images.keys().map(|(class, _)| class).collect();
    if let Some(class) = classes.iter().find(|class| !filled.contains(class)) {
        return Err(DataError::EmptyClass { class: class.clone() });
    }
    let label = |class: &String| classes.binary_search(class).unwrap_or_default();
    let images =
        images.into_iter().map(|((class, _), (name, place))| Image { name, label: Some(label(&class)), place });
    let images = images.collect();
    Ok((classes, images))
}

/// The images among files at the top, by name.
fn unlabelled(entries: Vec<Entry>) -> Vec<Image> {
    let images: BTreeMap<String, Place> = entries
        .into_iter()
        .filter(|entry| looks_like_image(&entry.name))
        .filter_map(|entry| match entry.kind {
            EntryKind::File(place) => Some((entry.name, place)),
            EntryKind::Folder => None,
        })
        .collect();
    images.into_iter().map(|(name, place)| Image { name, label: None, place }).collect()
}

/// 1 where everything lies in one folder that itself has folders with files, else 0.
fn top_folders(entries: &[Entry]) -> usize {
    let nested = entries.iter().any(|entry| entry.parts.len() == 3 && matches!(entry.kind, EntryKind::File(_)));
    let mut tops = entries.iter().filter(|entry| entry.parts.len() > 1).map(|entry| &entry.parts[0]);
    let first = tops.next();
    usize::from(nested && tops.all(|top| Some(top) == first))
}

pub fn looks_like_image(file: &str) -> bool {
    let ending = file.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("png" | "jpg" | "jpeg"))
}

//! A folder on the disk: what lies below it, without a look into any file.

use std::fs::{DirEntry, FileType, read_dir};
use std::path::Path;

use crate::archive::Place;
use crate::archive::layout::{Entry, EntryKind, looks_like_image};
use crate::error::DataError;
use crate::limits::Limits;

/// Endings of files that are a dataset, or a part of one, each.
const SHARDS: [&str; 2] = ["tar", "parquet"];
const OTHER_ARCHIVES: [&str; 4] = ["gz", "tgz", "zip", "npz"];

/// What a folder holds.
#[derive(Debug)]
pub enum Listing {
    /// Names of files that are one dataset together, sorted.
    Shards(Vec<String>),
    /// Files and folders, as an archive of them would have them.
    Files(Vec<Entry>),
}

/// Lists a folder: where shards lie in it, these, and else all that is below it.
///
/// # Errors
/// [`DataError::BesideShards`] where shards are not alone, [`DataError::SpecialEntry`] for links, which might lead anywhere,
/// [`DataError::TooManyImages`] for too many files, and whatever keeps a folder from being read.
pub fn list(folder: &Path, limits: &Limits) -> Result<Listing, DataError> {
    let top = children(folder, "", limits)?;
    let shards: Vec<String> = top.iter().filter(|entry| is_shard(entry)).map(|entry| entry.name.clone()).collect();
    if shards.is_empty() {
        return Ok(Listing::Files(below(folder, top, limits)?));
    }
    match beside(&top, &shards) {
        Some(entry) => Err(DataError::BesideShards { entry }),
        None => Ok(Listing::Shards(shards)),
    }
}

/// The first of the top's entries that a folder of shards must not hold. Notes and indices may lie there.
fn beside(top: &[Entry], shards: &[String]) -> Option<String> {
    let kind = ending(shards.first()?);
    let disturbs = |entry: &&Entry| match entry.kind {
        EntryKind::Folder => true,
        EntryKind::File(_) => {
            let found = ending(&entry.name);
            (is_shard(entry) && found != kind)
                || OTHER_ARCHIVES.contains(&found.as_str())
                || looks_like_image(&entry.name)
        }
    };
    top.iter().find(disturbs).map(|entry| entry.name.clone())
}

/// Everything below the folder, whose own entries are known.
fn below(folder: &Path, top: Vec<Entry>, limits: &Limits) -> Result<Vec<Entry>, DataError> {
    let mut found = Vec::new();
    let mut waiting = vec![top];
    while let Some(entries) = waiting.pop() {
        if (found.len() + entries.len()) as u64 > limits.images.saturating_mul(2) {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
        for entry in entries {
            if entry.kind == EntryKind::Folder {
                waiting.push(children(&folder.join(&entry.name), &entry.name, limits)?);
            }
            found.push(entry);
        }
    }
    Ok(found)
}

/// What lies in a folder whose own name is `parent`, by name, without what file managers leave behind.
fn children(folder: &Path, parent: &str, limits: &Limits) -> Result<Vec<Entry>, DataError> {
    let failed = |source| DataError::Folder { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for child in read_dir(folder).map_err(failed)? {
        let child = child.map_err(failed)?;
        let name = name(&child, parent)?;
        let entry = Entry::new(&name, EntryKind::File(Place::File))?;
        if entry.is_litter() {
            continue;
        }
        let kind = kind(child.file_type().map_err(failed)?, &name)?;
        found.push(Entry { kind, ..entry });
        if found.len() as u64 > limits.images.saturating_mul(2) {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
    }
    found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Relative to the dataset.
fn name(child: &DirEntry, parent: &str) -> Result<String, DataError> {
    let joined = |name: &str| if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") };
    match child.file_name().to_str() {
        Some(name) => Ok(joined(name)),
        None => Err(DataError::NameNotUtf8 { entry: joined(&child.file_name().to_string_lossy()) }),
    }
}

fn kind(found: FileType, name: &str) -> Result<EntryKind, DataError> {
    match found {
        found if found.is_dir() => Ok(EntryKind::Folder),
        found if found.is_file() => Ok(EntryKind::File(Place::File)),
        _ => Err(DataError::SpecialEntry { entry: name.to_owned() }),
    }
}

fn is_shard(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::File(_)) && SHARDS.contains(&ending(&entry.name).as_str())
}

fn ending(name: &str) -> String {
    name.rsplit_once('.').map_or(String::new(), |(_, ending)| ending.to_ascii_lowercase())
}

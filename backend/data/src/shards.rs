//! Several files that are one dataset: WebDatasets in tars, or Parquet files, one behind the other.

use std::path::Path;

use eagleeye_spec::report::DatasetKind;

use crate::archive::{Archive, Arrangement};
use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::{self, Keep, Pictures, Table};
use crate::picture::{self, Picture};
use crate::sniff::{Layers, sniff};
use crate::storage::{Budget, Storage};

/// The images of all shards, where they lie.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Shard>,
    /// Number of images up to the end of each.
    ends: Vec<usize>,
}

#[derive(Debug)]
struct Shard {
    name: String,
    images: ShardImages,
}

#[derive(Debug)]
enum ShardImages {
    Archive(Archive),
    Parquet(Pictures),
}

/// What the shards of a dataset hold together.
#[derive(Debug)]
pub struct Joined {
    pub kind: DatasetKind,
    pub shards: Shards,
    /// Of all images, or none.
    pub labels: Vec<usize>,
    /// The classes' names by index, where the shards have them.
    pub names: Option<Vec<String>>,
}

/// One shard, read.
struct Opened {
    images: ShardImages,
    kind: DatasetKind,
    labels: Option<Vec<usize>>,
    names: Option<Vec<String>>,
}

/// Reads the structure and the labels of a folder's shards, in the order of `names`.
///
/// # Errors
/// [`DataError::Shard`] with the first shard that cannot be used or does not fit those before it.
pub fn open(folder: &Path, names: Vec<String>, limits: &Limits) -> Result<Joined, DataError> {
    let mut joined: Option<Joined> = None;
    for name in names {
        let in_shard = |error| in_shard(&name, error);
        let opened = Opened::read(&folder.join(&name), limits).map_err(in_shard)?;
        match &mut joined {
            None => joined = Some(Joined::of(name, opened)),
            Some(joined) => joined.append(&name, opened).map_err(in_shard)?,
        }
        if joined.as_ref().is_some_and(|joined| joined.shards.len() as u64 > limits.images) {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
    }
    joined.ok_or(DataError::EmptyFolder)
}

impl Joined {
    fn of(name: String, first: Opened) -> Self {
        let shards = Shards { ends: vec![first.images.len()], shards: vec![Shard { name, images: first.images }] };
        Self { kind: first.kind, shards, labels: first.labels.unwrap_or_default(), names: first.names }
    }

    fn append(&mut self, name: &str, next: Opened) -> Result<(), DataError> {
        match (&next.labels, self.labels.is_empty()) {
            (Some(_), true) => return Err(DataError::ShardsDiffer { has: "has labels" }),
            (None, false) => return Err(DataError::ShardsDiffer { has: "has no labels" }),
            _ if next.names != self.names => {
                return Err(DataError::ShardsDiffer { has: "names its classes otherwise" });
            }
            _ => {}
        }
        self.shards.ends.push(self.shards.len() + next.images.len());
        self.shards.shards.push(Shard { name: name.to_owned(), images: next.images });
        self.labels.extend(next.labels.unwrap_or_default());
        Ok(())
    }
}

impl Opened {
    fn read(path: &Path, limits: &Limits) -> Result<Self, DataError> {
        let storage = Storage::open("images", path)?;
        match sniff("images", &storage)? {
            Layers::Tar { gzipped: false } => Self::of_archive(Archive::from_tar(storage, limits)?.closed(path)),
            Layers::Parquet => {
                let table = parquet::read(&storage, Keep::InPlace, limits, &mut Budget::new(limits))?;
                let Table { pictures, labels, names } = table;
                let images = ShardImages::Parquet(pictures.closed(path));
                Ok(Self { images, kind: DatasetKind::Parquet, labels, names })
            }
            Layers::Tar { gzipped: true } | Layers::Idx { .. } | Layers::Zip => {
                let reason = "its content is of another kind; a shard is a tar or a Parquet file, as its ending says";
                Err(DataError::Archive { reason: reason.to_owned() })
            }
        }
    }

    fn of_archive(archive: Archive) -> Result<Self, DataError> {
        let (kind, labels) = match archive.arrangement() {
            Arrangement::Samples => (DatasetKind::WebDataset, Some(archive.labels())),
            Arrangement::Folders(classes) if classes.is_empty() => (DatasetKind::Tar, None),
            Arrangement::Folders(_) => return Err(DataError::ShardOfFolders),
        };
        Ok(Self { images: ShardImages::Archive(archive), kind, labels, names: None })
    }
}

impl Shards {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Reads one image as it is stored. `index` is below the number of images.
    pub fn picture(&self, index: usize, limits: &Limits) -> Result<Picture, DataError> {
        let (shard, index) = self.find(index);
        let bytes = match &shard.images {
            ShardImages::Archive(archive) => archive.read(index, limits),
            ShardImages::Parquet(pictures) => pictures.read(index, limits),
        };
        let picture = bytes.and_then(|bytes| picture::decode(&shard.images.entry(index), &bytes, limits));
        picture.map_err(|error| in_shard(&shard.name, error))
    }

    /// What to call an image in a message. `index` is below the number of images.
    pub fn entry(&self, index: usize) -> String {
        let (shard, index) = self.find(index);
        format!("{}: {}", shard.name, shard.images.entry(index))
    }

    /// The shard of an image, and the image's index in it.
    fn find(&self, index: usize) -> (&Shard, usize) {
        let place = self.ends.partition_point(|&end| end <= index);
        let before = if place == 0 { 0 } else { self.ends[place - 1] };
        (&self.shards[place], index - before)
    }
}

impl ShardImages {
    fn len(&self) -> usize {
        match self {
            Self::Archive(archive) => archive.len(),
            Self::Parquet(pictures) => pictures.len(),
        }
    }

    fn entry(&self, index: usize) -> String {
        match self {
            Self::Archive(archive) => archive.name(index).to_owned(),
            Self::Parquet(_) => format!("image {index}"),
        }
    }
}

fn in_shard(name: &str, source: DataError) -> DataError {
    DataError::Shard { shard: name.to_owned(), source: Box::new(source) }
}

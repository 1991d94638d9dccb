//! A dataset opened for reading: labels in memory, images where they lie until they are asked for.

use std::path::{Path, PathBuf};

use eagleeye_spec::report::DatasetKind;

use crate::archive::{Archive, Arrangement, Listing, list_folder, open_zip};
use crate::array::{Images, read_labels};
use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::{Keep, Pictures, Table};
use crate::picture::{self, Picture, SampleType, Samples};
use crate::preprocess::Preprocess;
use crate::shards::{self, Joined, Shards};
use crate::sniff::{Layers, sniff};
use crate::storage::{Budget, Storage};
use crate::{idx, npz, parquet};

/// Parquet files up to this size have their images copied, so that each of a page's is not unpacked with all others again.
const COPIED_BYTES: u64 = 4 << 30;

/// Where the bytes of a dataset are. File names mean nothing; the content tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// IDX images, the one NPZ, Parquet file or archive, or a folder of class folders or of shards.
    pub images: PathBuf,
    /// IDX labels, with IDX images only, and not even there for images without labels.
    pub labels: Option<PathBuf>,
}

/// Images, with labels or without. Several threads may decode from one dataset.
#[derive(Debug)]
pub struct Dataset {
    pub(crate) kind: DatasetKind,
    pub(crate) content: Content,
    pub(crate) limits: Limits,
    labels: Vec<usize>,
    classes: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Content {
    Array(Images),
    Archive(Archive),
    Parquet(Pictures),
    Shards(Shards),
}

impl Dataset {
    /// Opens a dataset and reads its structure and its labels, but no image.
    ///
    /// Packed arrays, tar.gz archives and the images of Parquet files that are no shards are unpacked once into temporary files;
    /// all others stay as they are. Links in a folder are refused, and its files may be more than a process can open at once.
    pub fn open(files: &Files, limits: &Limits) -> Result<Self, DataError> {
        Self::open_within(files, limits, &mut Budget::new(limits))
    }

    pub(crate) fn open_within(files: &Files, limits: &Limits, budget: &mut Budget) -> Result<Self, DataError> {
        if files.images.is_dir() {
            let dataset = Self::open_folder(&files.images, limits)?;
            return dataset.without(files.labels.as_ref());
        }
        let storage = Storage::open("images", &files.images)?;
        let layers = sniff("images", &storage)?;
        let dataset = match layers {
            Layers::Idx { gzipped } => {
                let labels = files.labels.as_ref().map(|path| Storage::open("labels", path)).transpose()?;
                return Self::open_idx((storage, gzipped), labels, limits, budget);
            }
            Layers::Tar { gzipped } => {
                let kind = if gzipped { DatasetKind::TarGz } else { DatasetKind::Tar };
                let storage = if gzipped { storage.gunzip("images", budget)? } else { storage };
                Self::from_archive(kind, Archive::from_tar(storage, limits)?, limits)
            }
            Layers::Zip => Self::open_zip(&storage, limits, budget)?,
            Layers::Parquet => {
                let keep = if storage.length() > COPIED_BYTES { Keep::InPlace } else { Keep::Copied };
                Self::from_table(parquet::read(&storage, keep, limits, budget)?, limits)
            }
        };
        dataset.without(files.labels.as_ref())
    }

    /// Refuses labels beside what includes its own.
    fn without(self, labels: Option<&PathBuf>) -> Result<Self, DataError> {
        match labels {
            Some(_) => Err(DataError::UnexpectedLabels { kind: self.kind.in_words() }),
            None => Ok(self),
        }
    }

    /// Class folders, or shards.
    fn open_folder(folder: &Path, limits: &Limits) -> Result<Self, DataError> {
        match list_folder(folder, limits)? {
            Listing::Files(entries) if entries.is_empty() => Err(DataError::EmptyFolder),
            Listing::Files(entries) => {
                let archive = Archive::from_folder(folder, entries, limits)?;
                Ok(Self::from_archive(DatasetKind::Folder, archive, limits))
            }
            Listing::Shards(names) => {
                let Joined { kind, shards, labels, names } = shards::open(folder, names, limits)?;
                let classes = names.unwrap_or_else(|| numbers(&labels));
                Ok(Self { kind, content: Content::Shards(shards), limits: *limits, labels, classes })
            }
        }
    }

    fn open_idx(
        (images, gzipped): (Storage, bool),
        labels: Option<Storage>,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Self, DataError> {
        let labels = labels.map(|labels| match sniff("labels", &labels)? {
            Layers::Idx { gzipped } => Ok((labels, gzipped)),
            Layers::Tar { .. } | Layers::Zip | Layers::Parquet => Err(DataError::LabelsNotIdx),
        });
        let labels = labels.transpose()?;
        let images = if gzipped { images.gunzip("images", budget)? } else { images };
        let images = Images::new(idx::read("images", images)?, limits)?;
        let labels = labels.map(|(labels, gzipped)| {
            let labels = if gzipped { labels.gunzip("labels", budget)? } else { labels };
            read_labels(&idx::read("labels", labels)?, limits)
        });
        let labels = labels.transpose()?;
        Self::from_arrays(DatasetKind::Idx, images, labels, limits)
    }

    /// An NPZ is a zip whose top holds `.npy` files.
    fn open_zip(storage: &Storage, limits: &Limits, budget: &mut Budget) -> Result<Self, DataError> {
        let mut archive = open_zip(storage)?;
        let is_npz = archive.file_names().any(|n| n.is_ok_and(|n| n.ends_with(".npy") && !n.contains('/')));
        if !is_npz {
            return Ok(Self::from_archive(DatasetKind::Zip, Archive::from_zip(archive, limits)?, limits));
        }
        let (images, labels) = npz::read(&mut archive, budget)?;
        let images = Images::new(images, limits)?;
        let labels = labels.map(|labels| read_labels(&labels, limits)).transpose()?;
        Self::from_arrays(DatasetKind::Npz, images, labels, limits)
    }

    fn from_arrays(
        kind: DatasetKind,
        images: Images,
        labels: Option<Vec<usize>>,
        limits: &Limits,
    ) -> Result<Self, DataError> {
        if let Some(labels) = &labels
            && images.count != labels.len()
        {
            return Err(DataError::LabelCount { images: images.count as u64, labels: labels.len() as u64 });
        }
        let labels = labels.unwrap_or_default();
        let classes = numbers(&labels);
        Ok(Self { kind, content: Content::Array(images), limits: *limits, labels, classes })
    }

    /// `container` is the kind of an archive of folders; a WebDataset is one, whatever it lies in.
    fn from_archive(container: DatasetKind, archive: Archive, limits: &Limits) -> Self {
        let labels = archive.labels();
        let (kind, classes) = match archive.arrangement() {
            Arrangement::Folders(names) => (container, names.clone()),
            Arrangement::Samples => (DatasetKind::WebDataset, numbers(&labels)),
        };
        Self { kind, content: Content::Archive(archive), limits: *limits, labels, classes }
    }

    fn from_table(Table { pictures, labels, names }: Table, limits: &Limits) -> Self {
        let labels = labels.unwrap_or_default();
        let classes = names.unwrap_or_else(|| numbers(&labels));
        Self { kind: DatasetKind::Parquet, content: Content::Parquet(pictures), limits: *limits, labels, classes }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        match &self.content {
            Content::Array(images) => images.count,
            Content::Archive(archive) => archive.len(),
            Content::Parquet(pictures) => pictures.len(),
            Content::Shards(shards) => shards.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the images have labels: either all of them or none.
    pub fn is_labelled(&self) -> bool {
        !self.labels.is_empty()
    }

    /// Class indices of all images; empty where they have no labels.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Class names by index: the sorted names of class folders, the names that a Parquet file has, else the label in digits. Empty
    /// where the images have no labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Reads one image as network input, `[channels, height, width]` in row-major order.
    pub fn decode(&self, index: usize, preprocess: &Preprocess) -> Result<Vec<f32>, DataError> {
        Ok(preprocess.normalised(&self.fitted(index, preprocess)?))
    }

    /// Reads one image in the size of the network's input, `[channels, height, width]`, its values as they are stored.
    pub fn fitted(&self, index: usize, preprocess: &Preprocess) -> Result<Samples, DataError> {
        preprocess.fitted(&self.entry(index), self.picture(index)?, self.limits.pixels)
    }

    /// What all images are made of.
    pub fn element(&self) -> SampleType {
        match &self.content {
            Content::Array(images) => images.element(),
            Content::Archive(_) | Content::Parquet(_) | Content::Shards(_) => SampleType::U8,
        }
    }

    /// Height and width of an image as it is stored, in pixels. Reads the image.
    pub fn size(&self, index: usize) -> Result<[usize; 2], DataError> {
        let picture = self.picture(index)?;
        Ok([picture.height, picture.width])
    }

    /// Reads one image as it is stored.
    pub(crate) fn picture(&self, index: usize) -> Result<Picture, DataError> {
        if index >= self.len() {
            return Err(DataError::NoSuchImage { index, images: self.len() });
        }
        match &self.content {
            Content::Array(images) => images.picture(index),
            Content::Archive(archive) => {
                let bytes = archive.read(index, &self.limits)?;
                picture::decode(archive.name(index), &bytes, &self.limits)
            }
            Content::Parquet(pictures) => {
                picture::decode(&self.entry(index), &pictures.read(index, &self.limits)?, &self.limits)
            }
            Content::Shards(shards) => shards.picture(index, &self.limits),
        }
    }

    /// What to call an image in a message.
    pub(crate) fn entry(&self, index: usize) -> String {
        match &self.content {
            Content::Archive(archive) if index < self.len() => archive.name(index).to_owned(),
            Content::Shards(shards) if index < self.len() => shards.entry(index),
            _ => format!("image {index}"),
        }
    }
}

/// Names of classes that have none: their indices, up to the largest label.
fn numbers(labels: &[usize]) -> Vec<String> {
    let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
    (0..classes).map(|index| index.to_string()).collect()
}

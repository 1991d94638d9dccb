//! A dataset opened for reading: labels in memory, images where they lie until they are asked for.

use std::path::PathBuf;

use eagleeye_spec::report::DatasetKind;

use crate::archive::{Archive, open_zip};
use crate::array::{Images, read_labels};
use crate::error::DataError;
use crate::limits::Limits;
use crate::picture::{self, Picture};
use crate::preprocess::Preprocess;
use crate::sniff::{Layers, sniff};
use crate::storage::{Budget, Storage};
use crate::{idx, npz};

/// Where the bytes of a dataset are. File names mean nothing; the content tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// IDX images, or the one NPZ or archive.
    pub images: PathBuf,
    /// IDX labels, with IDX images only.
    pub labels: Option<PathBuf>,
}

/// Labelled images. Several threads may decode from one dataset.
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
}

impl Dataset {
    /// Opens a dataset and reads its structure and its labels, but no image.
    ///
    /// Packed arrays and tar.gz archives are unpacked once into temporary files; zip archives stay as they are.
    pub fn open(files: &Files, limits: &Limits) -> Result<Self, DataError> {
        Self::open_within(files, limits, &mut Budget::new(limits))
    }

    pub(crate) fn open_within(files: &Files, limits: &Limits, budget: &mut Budget) -> Result<Self, DataError> {
        let storage = Storage::open("images", &files.images)?;
        let layers = sniff("images", &storage)?;
        let dataset = match layers {
            Layers::Idx { gzipped } => {
                let labels = files.labels.as_ref().ok_or(DataError::MissingLabels)?;
                let labels = Storage::open("labels", labels)?;
                return Self::open_idx((storage, gzipped), labels, limits, budget);
            }
            Layers::Tar { gzipped } => {
                let kind = if gzipped { DatasetKind::TarGz } else { DatasetKind::Tar };
                let storage = if gzipped { storage.gunzip("images", budget)? } else { storage };
                Self::from_archive(kind, Archive::from_tar(storage, limits)?, limits)
            }
            Layers::Zip => Self::open_zip(&storage, limits, budget)?,
        };
        match files.labels {
            Some(_) => Err(DataError::UnexpectedLabels { kind: dataset.kind.in_words() }),
            None => Ok(dataset),
        }
    }

    fn open_idx(
        (images, gzipped): (Storage, bool),
        labels: Storage,
        limits: &Limits,
        budget: &mut Budget,
    ) -> Result<Self, DataError> {
        let Layers::Idx { gzipped: labels_gzipped } = sniff("labels", &labels)? else {
            return Err(DataError::LabelsNotIdx);
        };
        let images = if gzipped { images.gunzip("images", budget)? } else { images };
        let labels = if labels_gzipped { labels.gunzip("labels", budget)? } else { labels };
        let images = Images::new(idx::read("images", images)?, limits)?;
        let labels = read_labels(&idx::read("labels", labels)?, limits)?;
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
        Self::from_arrays(DatasetKind::Npz, Images::new(images, limits)?, read_labels(&labels, limits)?, limits)
    }

    fn from_arrays(kind: DatasetKind, images: Images, labels: Vec<usize>, limits: &Limits) -> Result<Self, DataError> {
        if images.count != labels.len() {
            return Err(DataError::LabelCount { images: images.count as u64, labels: labels.len() as u64 });
        }
        let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
        let classes = (0..classes).map(|index| index.to_string()).collect();
        Ok(Self { kind, content: Content::Array(images), limits: *limits, labels, classes })
    }

    fn from_archive(kind: DatasetKind, archive: Archive, limits: &Limits) -> Self {
        let (labels, classes) = (archive.labels(), archive.classes.clone());
        Self { kind, content: Content::Archive(archive), limits: *limits, labels, classes }
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Class index of an image. Panics when `index` is not below [`Dataset::len`].
    pub fn label(&self, index: usize) -> usize {
        self.labels[index]
    }

    /// Class indices of all images.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// Class names by index: the sorted folder names of an archive, else the label in digits.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Reads one image as network input, `[channels, height, width]` in row-major order.
    pub fn decode(&self, index: usize, preprocess: &Preprocess) -> Result<Vec<f32>, DataError> {
        preprocess.apply(&self.entry(index), self.picture(index)?)
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
        }
    }

    /// What to call an image in a message.
    fn entry(&self, index: usize) -> String {
        match &self.content {
            Content::Archive(archive) if index < self.len() => archive.name(index).to_owned(),
            _ => format!("image {index}"),
        }
    }
}

//! Archives of PNG or JPEG files: with one folder per class, with a file of the class beside each image, or without
//! folders and labels. A folder on the disk is one, too.

mod folder;
mod layout;
mod samples;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ::zip::ZipArchive;

use crate::archive::layout::Entry;
use crate::error::DataError;
use crate::limits::Limits;
use crate::storage::{Storage, StorageReader};

/// What a folder holds.
pub use crate::archive::folder::{Listing, list as list_folder};
/// Opens a zip; also the way to an NPZ, which is one.
pub use crate::archive::zip::open as open_zip;

/// An archive whose images are read one by one, where they lie.
#[derive(Clone, Debug)]
pub struct Archive {
    container: Container,
    images: Vec<Image>,
    arrangement: Arrangement,
}

/// What says the classes of images.
#[derive(Clone, Debug)]
pub enum Arrangement {
    /// Folders, of which these are the names; none where all images lie at the top.
    Folders(Vec<String>),
    /// A file beside each image.
    Samples,
}

#[derive(Clone, Debug)]
enum Container {
    Zip(ZipArchive<StorageReader>),
    Tar(Storage),
    /// Files below this folder.
    Folder(PathBuf),
}

/// An image file inside.
#[derive(Clone, Debug)]
struct Image {
    name: String,
    /// `None` where nothing says the class.
    label: Option<usize>,
    place: Place,
}

/// Where a container finds an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Number of an entry of a zip.
    Zip(usize),
    /// Bytes of a tar.
    Tar { offset: u64, bytes: u64 },
    /// A file of its own, which lies where the entry's name says.
    File,
}

impl Archive {
    /// Reads the index of an opened zip.
    pub fn from_zip(archive: ZipArchive<StorageReader>, limits: &Limits) -> Result<Self, DataError> {
        let entries = zip::entries(&archive, limits)?;
        Self::new(Container::Zip(archive), entries, limits)
    }

    /// Reads the headers of an unpacked tar.
    pub fn from_tar(storage: Storage, limits: &Limits) -> Result<Self, DataError> {
        let entries = tar::entries(&storage, limits)?;
        Self::new(Container::Tar(storage), entries, limits)
    }

    /// Sorts the files below a folder, which were listed before.
    pub fn from_folder(folder: &Path, entries: Vec<Entry>, limits: &Limits) -> Result<Self, DataError> {
        Self::new(Container::Folder(folder.to_owned()), entries, limits)
    }

    /// The same archive without a descriptor of its file, a tar at `path`, between two reads.
    pub fn closed(self, path: &Path) -> Self {
        let container = match self.container {
            Container::Tar(storage) => Container::Tar(storage.closed(path)),
            other => other,
        };
        Self { container, ..self }
    }

    fn new(container: Container, entries: Vec<Entry>, limits: &Limits) -> Result<Self, DataError> {
        let (arrangement, images) = if samples::are_in(&entries) {
            let content = |entry: &str, place, limit| container.content(entry, place, limit);
            (Arrangement::Samples, samples::read(entries, limits, content)?)
        } else {
            let (classes, images) = layout::classes(entries)?;
            if classes.len() as u64 > limits.classes {
                return Err(DataError::TooManyClasses { found: classes.len() as u64, limit: limits.classes });
            }
            (Arrangement::Folders(classes), images)
        };
        if images.is_empty() {
            return Err(DataError::Empty);
        }
        if images.len() as u64 > limits.images {
            return Err(DataError::TooManyImages { limit: limits.images });
        }
        Ok(Self { container, images, arrangement })
    }

    pub fn arrangement(&self) -> &Arrangement {
        &self.arrangement
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Of all images, or none.
    pub fn labels(&self) -> Vec<usize> {
        self.images.iter().filter_map(|image| image.label).collect()
    }

    /// Full name of the image's entry.
    pub fn name(&self, index: usize) -> &str {
        &self.images[index].name
    }

    /// The packed bytes of one image; never more than `limits.image_bytes`. `index` is below the number of images.
    pub fn read(&self, index: usize, limits: &Limits) -> Result<Vec<u8>, DataError> {
        let image = &self.images[index];
        self.container.content(&image.name, image.place, limits.image_bytes)
    }

    /// Whether reading an image unpacks it. A tar's bytes were counted when it was unpacked, or are the upload's own.
    pub fn is_packed(&self) -> bool {
        matches!(self.container, Container::Zip(_))
    }

    /// As [`Archive::read`] of a packed archive, but a file that alone exceeds the limit of the whole is named for that.
    pub fn read_for_check(&self, index: usize, limits: &Limits) -> Result<Vec<u8>, DataError> {
        if limits.image_bytes < limits.unpacked_bytes {
            return self.read(index, limits);
        }
        match self.read(index, &Limits { image_bytes: limits.unpacked_bytes, ..*limits }) {
            Err(DataError::ImageBytes { .. }) => Err(DataError::UnpackedBytes { limit: limits.unpacked_bytes }),
            other => other,
        }
    }
}

impl Container {
    /// The bytes of one entry; never more than `limit`.
    fn content(&self, entry: &str, place: Place, limit: u64) -> Result<Vec<u8>, DataError> {
        match (self, place) {
            (Container::Zip(archive), Place::Zip(index)) => {
                let mut archive = archive.clone();
                let reader = archive.by_index(index).map_err(|error| unreadable(entry, error))?;
                read_counted(reader, entry, limit)
            }
            (Container::Tar(storage), Place::Tar { offset, bytes }) => {
                if bytes > limit {
                    return Err(DataError::ImageBytes { entry: entry.to_owned(), bytes, limit });
                }
                let mut content = vec![0; bytes as usize];
                storage.read_exact_at(&mut content, offset).map_err(|error| unreadable(entry, error))?;
                Ok(content)
            }
            (Container::Folder(folder), Place::File) => {
                let file = File::open(folder.join(entry)).map_err(|error| unreadable(entry, error))?;
                read_counted(file, entry, limit)
            }
            (Container::Zip(_) | Container::Tar(_) | Container::Folder(_), _) => {
                Err(unreadable(entry, "it is the file of another archive format"))
            }
        }
    }
}

fn read_counted(reader: impl Read, entry: &str, limit: u64) -> Result<Vec<u8>, DataError> {
    let mut content = Vec::new();
    let read: io::Result<usize> = reader.take(limit.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|error| unreadable(entry, error))?;
    let bytes = content.len() as u64;
    if bytes > limit {
        return Err(DataError::ImageBytes { entry: entry.to_owned(), bytes, limit });
    }
    Ok(content)
}

fn unreadable(entry: &str, reason: impl ToString) -> DataError {
    DataError::Entry { entry: entry.to_owned(), reason: reason.to_string() }
}

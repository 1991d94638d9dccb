//! Parquet files of images and labels, as Hugging Face's `datasets` writes them: a column of PNG or JPEG files, a column
//! of class indices, and the classes' names in the file's metadata.
//!
//! The crate `parquet` reads the two columns. It trusts some of what a file says of itself: it allocates what headers
//! announce, recurses into schemas as deep as they are, and panics where parts contradict each other. So headers are
//! looked at first (`footer`, `pages`), and a panic is caught and answered as a damaged file.

mod columns;
mod footer;
mod names;
mod pages;
mod pictures;
mod rows;
mod source;
mod thrift;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ::parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};

use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::columns::{Columns, Label};
use crate::parquet::pictures::{Copied, InPlace};
use crate::parquet::rows::Rows;
use crate::storage::{Budget, Copy, Storage};

pub use crate::parquet::pictures::Pictures;

/// Values read at a time. A value of the column of images may be as large as its page, and is not kept.
const IMAGES_AT_ONCE: usize = 1;
const LABELS_AT_ONCE: usize = 1024;

/// The columns of a file, read.
#[derive(Debug)]
pub struct Table {
    pub pictures: Pictures,
    /// Class indices of all images; `None` where there is no column of them.
    pub labels: Option<Vec<usize>>,
    /// The classes' names by index, if the file has them; there may be more of them than classes with images.
    pub names: Option<Vec<String>>,
}

/// Where images stay until they are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// In a temporary file, from which any of them is read at once.
    Copied,
    /// In their pages: nothing is copied, and a page is unpacked for each image that is read of it. For files that are
    /// larger than what is wanted of them.
    InPlace,
}

/// Reads a Parquet file: its labels into memory, its images into a temporary file, unless they are to stay where they are. Those
/// are looked at when they are read.
///
/// # Errors
/// [`DataError::ParquetImages`] and [`DataError::ParquetLabels`] where columns cannot be told, [`DataError::ParquetNull`]
/// and [`DataError::LabelOutOfRange`] with the first image at fault, the limit that is exceeded, or
/// [`DataError::Parquet`] for what is damaged, encrypted or in an encoding that is not read.
pub fn read(storage: &Storage, keep: Keep, limits: &Limits, budget: &mut Budget) -> Result<Table, DataError> {
    let outcome = catch_unwind(AssertUnwindSafe(|| read_checked(storage, keep, limits, budget)));
    outcome.unwrap_or_else(|_| Err(damaged("its parts contradict each other")))
}

fn read_checked(storage: &Storage, keep: Keep, limits: &Limits, budget: &mut Budget) -> Result<Table, DataError> {
    footer::check(storage).map_err(damaged)?;
    let file = SerializedFileReader::new(source::Source(storage.clone())).map_err(damaged)?;
    let metadata = file.metadata();
    let images = count(metadata, limits)?;
    let columns = Columns::find(metadata.file_metadata().schema_descr())?;
    let names = columns.label.as_ref().map(|label| names::of(metadata, &label.name, limits)).transpose()?.flatten();

    let rows = Rows { file: &file, storage, limits };
    // The same pages may be listed again and again: what is unpacked is counted beside what is kept.
    let work = &mut Budget::new(limits);
    let largest = names.as_ref().map_or(limits.classes, |names| names.len() as u64).saturating_sub(1);
    let labels = columns.label.map(|label| read_labels(&rows, &label, largest, work)).transpose()?;
    let pictures = match keep {
        Keep::Copied => copy_pictures(&rows, (columns.image, &columns.image_name), images, (work, budget))?,
        Keep::InPlace => {
            let metadata = Arc::new(metadata.clone());
            Pictures::InPlace(InPlace::new(storage.clone(), metadata, columns.image, columns.image_name))
        }
    };
    Ok(Table { pictures, labels, names })
}

/// Number of rows, which is bounded before anything is made of it.
fn count(metadata: &ParquetMetaData, limits: &Limits) -> Result<usize, DataError> {
    let mut images: u64 = 0;
    for group in metadata.row_groups() {
        let rows = u64::try_from(group.num_rows());
        images = images.saturating_add(rows.map_err(|_| damaged("a row group has a negative number of rows"))?);
    }
    match images {
        0 => Err(DataError::Empty),
        _ if images > limits.images => Err(DataError::TooManyImages { limit: limits.images }),
        _ => Ok(images as usize),
    }
}

fn read_labels(rows: &Rows, column: &Label, largest: u64, work: &mut Budget) -> Result<Vec<usize>, DataError> {
    let mut labels = Vec::new();
    let mut keep = |label: Option<i64>| {
        let index = labels.len() as u64;
        let label = label.ok_or_else(|| DataError::ParquetNull { column: column.name.clone(), index })?;
        match usize::try_from(label) {
            Ok(valid) if valid as u64 <= largest => labels.push(valid),
            _ => return Err(DataError::LabelOutOfRange { index, label, largest }),
        }
        Ok(())
    };
    if column.is_wide {
        rows.each::<Int64Type>(column.leaf, LABELS_AT_ONCE, work, |value| keep(value.copied()))?;
    } else {
        rows.each::<Int32Type>(column.leaf, LABELS_AT_ONCE, work, |value| keep(value.copied().map(i64::from)))?;
    }
    Ok(labels)
}

/// `budget` is what may be kept; `work`, what may be unpacked on the way.
fn copy_pictures(
    rows: &Rows,
    (leaf, name): (usize, &str),
    images: usize,
    (work, budget): (&mut Budget, &mut Budget),
) -> Result<Pictures, DataError> {
    let mut copy = Copy::new("images")?;
    let mut places = Vec::with_capacity(images);
    let limit = rows.limits.image_bytes;
    rows.each::<ByteArrayType>(leaf, IMAGES_AT_ONCE, work, |value| {
        let index = places.len() as u64;
        let value = value.ok_or_else(|| DataError::ParquetNull { column: name.to_owned(), index })?;
        let bytes = value.len() as u64;
        if bytes > limit {
            return Err(DataError::ImageBytes { entry: index.to_string(), bytes, limit });
        }
        places.push((copy.append(value.data(), budget)?, bytes));
        Ok(())
    })?;
    Ok(Pictures::Copied(Copied { storage: copy.finish()?, places }))
}

fn damaged(reason: impl ToString) -> DataError {
    DataError::Parquet { reason: reason.to_string() }
}

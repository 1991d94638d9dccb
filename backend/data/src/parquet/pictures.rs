//! Images of a Parquet file: copied, or where they lie.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use ::parquet::column::reader::ColumnReaderImpl;
use ::parquet::data_type::ByteArrayType;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::serialized_reader::SerializedPageReader;

use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::source::Source;
use crate::parquet::{damaged, pages};
use crate::storage::{Budget, Storage};

/// PNG and JPEG files of a column.
#[derive(Debug)]
pub enum Pictures {
    Copied(Copied),
    InPlace(InPlace),
}

/// Files one behind the other in a temporary file.
#[derive(Debug)]
pub struct Copied {
    pub storage: Storage,
    /// Where each begins, and its number of bytes.
    pub places: Vec<(u64, u64)>,
}

/// Files in the pages of a column. For each that is asked for, its page is unpacked anew; those before it in the row group are
/// stepped over by their headers.
#[derive(Debug)]
pub struct InPlace {
    storage: Storage,
    metadata: Arc<ParquetMetaData>,
    leaf: usize,
    column: String,
    /// Number of rows up to the end of each row group.
    ends: Vec<usize>,
}

impl Pictures {
    /// Number of images.
    pub fn len(&self) -> usize {
        match self {
            Self::Copied(copied) => copied.places.len(),
            Self::InPlace(in_place) => in_place.ends.last().copied().unwrap_or(0),
        }
    }

    /// The packed bytes of one image; never more than `limits.image_bytes`. `index` is below the number of images.
    pub fn read(&self, index: usize, limits: &Limits) -> Result<Vec<u8>, DataError> {
        match self {
            Self::Copied(copied) => copied.read(index),
            Self::InPlace(in_place) => {
                let outcome = catch_unwind(AssertUnwindSafe(|| in_place.read(index, limits)));
                outcome.unwrap_or_else(|_| Err(damaged("its parts contradict each other")))
            }
        }
    }

    /// The same images without a descriptor of their file, which lies at `path`, between two reads.
    pub fn closed(self, path: &Path) -> Self {
        match self {
            Self::InPlace(in_place) => Self::InPlace(InPlace { storage: in_place.storage.closed(path), ..in_place }),
            copied @ Self::Copied(_) => copied,
        }
    }
}

impl Copied {
    /// The bytes were held against the limits when they were copied.
    fn read(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let (offset, bytes) = self.places[index];
        let mut content = vec![0; bytes as usize];
        let outcome = self.storage.read_exact_at(&mut content, offset);
        outcome.map_err(|source| DataError::Read { part: "images", source })?;
        Ok(content)
    }
}

impl InPlace {
    /// `metadata` is that of `storage`, and its numbers of rows were counted.
    pub fn new(storage: Storage, metadata: Arc<ParquetMetaData>, leaf: usize, column: String) -> Self {
        let mut rows = 0;
        let end = |group: &::parquet::file::metadata::RowGroupMetaData| {
            rows += usize::try_from(group.num_rows()).unwrap_or(0);
            rows
        };
        let ends = metadata.row_groups().iter().map(end).collect();
        Self { storage, metadata, leaf, column, ends }
    }

    fn read(&self, index: usize, limits: &Limits) -> Result<Vec<u8>, DataError> {
        let place = self.ends.partition_point(|&end| end <= index);
        let before = if place == 0 { 0 } else { self.ends[place - 1] };
        let (group, row) = (self.metadata.row_group(place), index - before);
        let storage = self.storage.opened().map_err(|source| DataError::Read { part: "images", source })?;
        // What the headers said may have been written over since.
        pages::check(&storage, group.column(self.leaf), limits, &mut Budget::new(limits))?;
        let rows = self.ends[place] - before;
        let source = Arc::new(Source(storage));
        let pages = SerializedPageReader::new(source, group.column(self.leaf), rows, None).map_err(damaged)?;
        let column = self.metadata.file_metadata().schema_descr().column(self.leaf);
        let mut reader = ColumnReaderImpl::<ByteArrayType>::new(column, Box::new(pages));
        if reader.skip_records(row).map_err(damaged)? != row {
            return Err(damaged(format!("a row group has fewer rows than the {rows} that it promises")));
        }
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let read = reader.read_records(1, Some(&mut levels), None, &mut values);
        if read.map_err(damaged)?.0 != 1 {
            return Err(damaged(format!("a row group has fewer rows than the {rows} that it promises")));
        }
        let index = index as u64;
        let value = values.pop().ok_or_else(|| DataError::ParquetNull { column: self.column.clone(), index })?;
        let (bytes, limit) = (value.len() as u64, limits.image_bytes);
        if bytes > limit {
            return Err(DataError::ImageBytes { entry: index.to_string(), bytes, limit });
        }
        Ok(value.data().to_vec())
    }
}

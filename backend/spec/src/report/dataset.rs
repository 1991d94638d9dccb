//! The report of a dataset.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::stored::{REPORT_VERSION, ReportError};
use crate::stored::{current, upgraded};

/// What the check of a dataset finds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetReport {
    #[serde(flatten)]
    pub content: DatasetContent,
    pub shapes: ImageSizes,
}

/// What is in a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DatasetContent {
    /// Format of the files: `idx`, `npz`, `parquet`, `webdataset`, or what holds a folder per class: `zip`, `tar`, `tar_gz`, or a
    /// `folder` on the server.
    #[schema(value_type = String, example = "idx")]
    pub kind: DatasetKind,
    /// Number of images.
    pub images: u64,
    /// Whether the images have labels.
    #[serde(default = "yes")]
    #[schema(required)]
    pub labelled: bool,
    /// The classes with their numbers of images, by index; none where the images have no labels.
    pub classes: Vec<Class>,
    /// 1 for greyscale, 3 for colour.
    pub channels: u32,
    /// Width in pixels; the most common one if images differ. Images are resized to the model's input.
    pub width: u32,
    /// Height in pixels; the most common one if images differ.
    pub height: u32,
}

/// How a dataset is stored: IDX files, an NPZ, Parquet files, or an archive or a folder of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// IDX images, and IDX labels where they have any.
    Idx,
    Npz,
    /// A zip with a folder per class, or without folders and labels; likewise the next two.
    Zip,
    Tar,
    TarGz,
    /// A folder on a disk, as such an archive.
    Folder,
    /// A zip, tar, tar.gz or several tars with a file of the class beside each picture.
    #[serde(rename = "webdataset")]
    WebDataset,
    /// Columns of pictures and of labels.
    Parquet,
}

/// One class of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Class {
    /// The label: the index of the network's output for this class.
    pub index: u32,
    /// Name of the folder in an archive, or of the class in a Parquet file that has names; otherwise the index.
    pub name: String,
    /// Number of images.
    pub count: u64,
}

/// Sizes of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageSizes {
    /// Smallest width and smallest height, not necessarily of one image.
    pub min: ImageSize,
    /// Largest width and largest height, not necessarily of one image.
    pub max: ImageSize,
    pub most_common: ImageSize,
}

/// Pixels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImageSize {
    pub width: u32,
    pub height: u32,
}

/// Reports of the time before there were images without labels say nothing.
fn yes() -> bool {
    true
}

impl DatasetKind {
    /// The name in reports, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            DatasetKind::Idx => "idx",
            DatasetKind::Npz => "npz",
            DatasetKind::Zip => "zip",
            DatasetKind::Tar => "tar",
            DatasetKind::TarGz => "tar_gz",
            DatasetKind::Folder => "folder",
            DatasetKind::WebDataset => "webdataset",
            DatasetKind::Parquet => "parquet",
        }
    }

    pub fn in_words(self) -> &'static str {
        match self {
            DatasetKind::Idx => "an IDX file",
            DatasetKind::Npz => "an NPZ",
            DatasetKind::Zip => "a zip archive",
            DatasetKind::Tar => "a tar archive",
            DatasetKind::TarGz => "a tar.gz archive",
            DatasetKind::Folder => "a folder",
            DatasetKind::WebDataset => "a WebDataset archive",
            DatasetKind::Parquet => "a Parquet file",
        }
    }
}

impl fmt::Display for DatasetKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl DatasetReport {
    /// The report with its version, as it is stored and printed.
    ///
    /// # Errors
    /// None that a report can cause: its keys are texts.
    pub fn to_stored(&self) -> Result<Value, ReportError> {
        current(self, REPORT_VERSION)
    }

    /// Reads what this version or an older one has stored.
    pub fn from_stored(document: Value) -> Result<Self, ReportError> {
        upgraded(document, REPORT_VERSION, |_, _| {})
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_without_a_version_is_read() {
        let old = json!({
            "kind": "tar_gz", "images": 6, "classes": [{ "index": 0, "name": "cat", "count": 6 }], "channels": 3, "width": 8,
            "height": 8, "shapes": { "min": { "width": 8, "height": 7 }, "max": { "width": 9, "height": 8 },
            "most_common": { "width": 8, "height": 8 } },
        });
        let read = DatasetReport::from_stored(old.clone()).unwrap();
        assert_eq!((read.content.kind, read.content.classes[0].count), (DatasetKind::TarGz, 6));
        let mut stored = read.to_stored().unwrap();
        assert_eq!(DatasetReport::from_stored(stored.clone()).unwrap(), read);
        assert!(stored.as_object_mut().unwrap().remove("version").is_some_and(|version| version.is_u64()));
        assert_eq!(stored.as_object_mut().unwrap().remove("labelled"), Some(json!(true)), "there were labels always");
        assert_eq!(stored, old, "no field has another name");
    }

    #[test]
    fn kinds_are_called_as_they_are_stored() {
        use DatasetKind::{Folder, Idx, Npz, Parquet, Tar, TarGz, WebDataset, Zip};
        for kind in [Idx, Npz, Zip, Tar, TarGz, Folder, WebDataset, Parquet] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
    }
}

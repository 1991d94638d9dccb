//! Dataset files: what is in them, whether they are sound, and their images as network input.
//!
//! Five kinds of dataset are known by their content, never by their file names: IDX (a file of images and a file of
//! labels, each gzipped or not), NPZ (one file with both arrays), an archive (zip, tar, tar.gz) with one folder per
//! class of PNG or JPEG images, a WebDataset (such an archive with a file of the class beside each image), and Parquet
//! (a column of PNG or JPEG files and one of labels, as Hugging Face's `datasets` writes them). All but WebDatasets may
//! come without labels: IDX images alone, an NPZ with one array, an archive with all images at its top, a Parquet file
//! without a column of integers. A folder of class folders and a folder of shards, which are WebDatasets or Parquet files, are
//! datasets, too. Files come from strangers: every count, size and name in them is checked against
//! [`Limits`], and bytes are counted while they are unpacked.

mod archive;
mod array;
mod check;
mod class_order;
mod dataset;
mod error;
mod idx;
mod limits;
mod npz;
mod parquet;
mod picture;
mod pixel_file;
mod preprocess;
mod resize;
mod shards;
mod sniff;
mod split;
mod storage;
mod thumbnail;

pub use check::{check, check_sample};
pub use class_order::relabelled;
pub use dataset::{Dataset, Files};
pub use error::DataError;
pub use limits::Limits;
pub use picture::{SampleType, Samples};
pub use pixel_file::{PixelFile, PixelFileError};
pub use preprocess::Preprocess;
pub use split::{Split, SplitCounts, split};
pub use thumbnail::{THUMBNAIL_SIDE, thumbnails};

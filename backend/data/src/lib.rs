//! Dataset files: what is in them, whether they are sound, and their images as network input.
//!
//! Three kinds of dataset are known by their content, never by their file names: IDX (a file of images and a file of
//! labels, each gzipped or not), NPZ (one file with both arrays), and an archive (zip, tar, tar.gz) with one folder per
//! class of PNG or JPEG images. Each may come without labels: IDX images alone, an NPZ with one array, an archive with all
//! images at its top. Files come from strangers: every count, size and name in them is checked against
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
mod picture;
mod preprocess;
mod resize;
mod sniff;
mod split;
mod storage;
mod thumbnail;

pub use check::check;
pub use class_order::relabelled;
pub use dataset::{Dataset, Files};
pub use error::DataError;
pub use limits::Limits;
pub use preprocess::Preprocess;
pub use split::{Split, SplitCounts, split};
pub use thumbnail::{THUMBNAIL_SIDE, thumbnails};

//! What importers of both file formats share.
//!
//! An importer runs a file's operators symbolically and builds a graph as it goes. How it reads them differs from format to
//! format; what they become does not.

pub mod draft;

pub use draft::{Draft, Made};

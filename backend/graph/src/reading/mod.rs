//! What importers of both file formats share.
//!
//! An importer runs a file's operators symbolically and builds a graph as it goes. How it reads them differs from format to
//! format; what they become does not.

pub mod draft;
pub mod indices;
mod narrowed;
pub mod shapes;
mod unused;

pub use draft::{Draft, Made};
pub use narrowed::Narrowed;
pub use unused::drop_unused;

/// Why an operator cannot be read. An importer adds which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// This form of the operator is not supported.
    Unsupported(String),
    /// The operator is wrong for its inputs.
    Invalid(String),
}

//! Datasets that stay where they are, below folders that the operator has allowed.

mod changes;
mod error;
mod listing;
mod roots;

pub use changes::{Change, first_change};
pub use error::ReferenceError;
pub use listing::{Listing, ListingError};
pub use roots::{DatasetRoots, Located, LocationError, RootError};

//! Why a dataset that was registered where it lies cannot be read.

use super::changes::Change;
use super::listing::ListingError;
use super::roots::LocationError;

/// Why a registered dataset cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReferenceError {
    #[error("{0}")]
    Location(LocationError),
    #[error("{0}")]
    Listing(ListingError),
    #[error(
        "its files are no longer those that were registered{}; register it again",
        .0.as_ref().map_or_else(String::new, |change| format!(": {change}"))
    )]
    Changed(Option<Change>),
    #[error("its files were written to while they were read; register it again when they are complete")]
    WrittenTo,
    #[error("the thread that lists its files has panicked")]
    Panicked,
}

impl ReferenceError {
    /// Whether another machine may be able to read it: this one is not allowed to, or does not see the folder.
    pub fn is_of_this_machine(&self) -> bool {
        use LocationError::{NoRoots, Outside, RootMissing, Unreadable};
        matches!(self, Self::Location(NoRoots | Outside { .. } | RootMissing { .. } | Unreadable(_)))
    }
}

//! The full network on a sample of a search's images, before the search is queued.

mod command;
mod request;
mod sample;

pub use command::{CheckSearchArgs, check_search};
pub use request::CheckSearchError;

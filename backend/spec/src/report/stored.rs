//! The version of stored reports.

pub use crate::stored::StoredError as ReportError;

/// The version of what is stored today. Documents of the time before there were versions have none.
pub const REPORT_VERSION: u64 = 2;

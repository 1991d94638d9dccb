//! What a child may still reach once it is locked up.

use std::path::PathBuf;

/// What a child may still reach.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Files, and folders with everything below them, that may be read.
    pub read: Vec<PathBuf>,
    /// Folders in which files may be made, changed and removed.
    pub write: Vec<PathBuf>,
}

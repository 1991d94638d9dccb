//! What is wrong with a field of a request.

/// A field of a request that is out of range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path with dots.
    pub field: &'static str,
    /// What it must be.
    pub detail: &'static str,
}

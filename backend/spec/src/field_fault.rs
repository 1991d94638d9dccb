//! What is wrong with a field of a request.

/// A field of a request that is out of range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// Path with dots.
    pub field: &'static str,
    /// What it must be.
    pub detail: &'static str,
}

/// The faults among checks of fields, each with whether it holds, the field, and what it must be.
pub(crate) fn failed(checks: impl IntoIterator<Item = (bool, &'static str, &'static str)>) -> Vec<FieldFault> {
    let failed = checks.into_iter().filter(|(holds, _, _)| !holds);
    failed.map(|(_, field, detail)| FieldFault { field, detail }).collect()
}

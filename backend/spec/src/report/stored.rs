//! Versions of stored reports.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The version of what is stored today. Documents of the time before there were versions have none, which counts as 0.
pub const REPORT_VERSION: u64 = 1;

const VERSION: &str = "version";

/// Why a stored report cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the report is not a JSON object")]
    NoObject,
    #[error("the report has version {0}; this program reads versions up to {REPORT_VERSION}, so a newer one is needed")]
    Newer(Value),
    #[error("the report does not have the form of its version: {0}")]
    Form(#[from] serde_json::Error),
}

/// A report with its version.
pub(super) fn current<T: Serialize>(report: &T) -> Result<Value, ReportError> {
    let mut document = serde_json::to_value(report)?;
    let Value::Object(fields) = &mut document else { return Err(ReportError::NoObject) };
    fields.insert(VERSION.to_owned(), REPORT_VERSION.into());
    Ok(document)
}

/// A report of any version up to today's. Those without a version are passed to `from_unversioned` first.
pub(super) fn upgraded<T: DeserializeOwned>(
    document: Value,
    from_unversioned: impl FnOnce(&mut Map<String, Value>),
) -> Result<T, ReportError> {
    let Value::Object(mut fields) = document else { return Err(ReportError::NoObject) };
    match fields.remove(VERSION) {
        None => from_unversioned(&mut fields),
        Some(version) if version.as_u64().is_some_and(|version| version <= REPORT_VERSION) => {}
        Some(version) => return Err(ReportError::Newer(version)),
    }
    Ok(serde_json::from_value(Value::Object(fields))?)
}

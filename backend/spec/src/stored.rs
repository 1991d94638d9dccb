//! Versions of stored documents.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

const VERSION: &str = "version";

/// Why a stored document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    #[error("the document is not a JSON object")]
    NoObject,
    #[error("the document has version {found}; this program reads versions up to {known}, so a newer one is needed")]
    Newer { found: Value, known: u64 },
    #[error("the document does not have the form of its version: {0}")]
    Form(#[from] serde_json::Error),
}

/// A document with its version.
pub(crate) fn current<T: Serialize>(document: &T, version: u64) -> Result<Value, StoredError> {
    let mut document = serde_json::to_value(document)?;
    let Value::Object(fields) = &mut document else { return Err(StoredError::NoObject) };
    fields.insert(VERSION.to_owned(), version.into());
    Ok(document)
}

/// A document of any version up to `known`. Those without a version are passed to `from_unversioned` first.
pub(crate) fn upgraded<T: DeserializeOwned>(
    document: Value,
    known: u64,
    from_unversioned: impl FnOnce(&mut Map<String, Value>),
) -> Result<T, StoredError> {
    let Value::Object(mut fields) = document else { return Err(StoredError::NoObject) };
    match fields.remove(VERSION) {
        None => from_unversioned(&mut fields),
        Some(version) if version.as_u64().is_some_and(|version| version <= known) => {}
        Some(version) => return Err(StoredError::Newer { found: version, known }),
    }
    Ok(serde_json::from_value(Value::Object(fields))?)
}

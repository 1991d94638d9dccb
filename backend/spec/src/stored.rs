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

/// A document of any version up to `known`. An older one is passed to `upgrade` first, with its version; those of the time before
/// there were versions have 0.
pub(crate) fn upgraded<T: DeserializeOwned>(
    document: Value,
    known: u64,
    upgrade: impl FnOnce(u64, &mut Map<String, Value>),
) -> Result<T, StoredError> {
    let Value::Object(mut fields) = document else { return Err(StoredError::NoObject) };
    let version = match fields.remove(VERSION) {
        None => 0,
        Some(found) => match found.as_u64().filter(|&version| version <= known) {
            Some(version) => version,
            None => return Err(StoredError::Newer { found, known }),
        },
    };
    if version < known {
        upgrade(version, &mut fields);
    }
    Ok(serde_json::from_value(Value::Object(fields))?)
}

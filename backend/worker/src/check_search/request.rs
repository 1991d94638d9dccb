//! The search that is to be checked.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use eagleeye_spec::precheck::faults;
use eagleeye_spec::{FieldFault, SearchRequest};
use serde_json::{Value, json};

/// Stands for the standard input.
pub const STDIN: &str = "-";

/// Why a search cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckSearchError {
    #[error("`--request {}`: cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("`--request {}`: is not a search in JSON: {source}", path.display())]
    Request { path: PathBuf, source: serde_json::Error },
    #[error("`--request`: {0}")]
    Fields(String),
    #[error("the model's input has the shape {0:?}; images need four dimensions: batch, channels, height, width")]
    NoImages(Vec<usize>),
}

/// Reads a request from a file, or from standard input. Ids may be missing, and budgets missing or out of range.
pub fn read_request(path: &Path) -> Result<SearchRequest, CheckSearchError> {
    let mut text = String::new();
    let read = match path == Path::new(STDIN) {
        true => io::stdin().read_to_string(&mut text),
        false => File::open(path).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|source| CheckSearchError::Read { path: path.to_owned(), source })?;
    let failed = |source| CheckSearchError::Request { path: path.to_owned(), source };
    let mut body: Value = serde_json::from_str(&text).map_err(failed)?;
    if let Some(fields) = body.as_object_mut() {
        for id in ["model_id", "dataset_id"] {
            fields.entry(id).or_insert(json!(eagleeye_store::Uuid::nil()));
        }
    }
    let request: SearchRequest = serde_json::from_value(body).map_err(failed)?;
    let faults = faults(&request);
    let faults: Vec<String> = faults.iter().map(|FieldFault { field, detail }| format!("{field} {detail}")).collect();
    if faults.is_empty() { Ok(request) } else { Err(CheckSearchError::Fields(faults.join("; "))) }
}

//! The classes' names in what Hugging Face's `datasets` notes in a file.

use ::parquet::file::metadata::ParquetMetaData;
use serde_json::Value;

use crate::error::DataError;
use crate::limits::Limits;
use crate::parquet::damaged;

/// Names by index, from `info.features.COLUMN.names` of the JSON under the key `huggingface`
/// (<https://huggingface.co/docs/datasets>, `ClassLabel`). `None` where the file has no such note, or the column's feature
/// is another.
pub fn of(metadata: &ParquetMetaData, column: &str, limits: &Limits) -> Result<Option<Vec<String>>, DataError> {
    let notes = metadata.file_metadata().key_value_metadata().into_iter().flatten();
    let Some(note) = notes.filter(|note| note.key == "huggingface").find_map(|note| note.value.as_ref()) else {
        return Ok(None);
    };
    let note: Value = serde_json::from_str(note)
        .map_err(|error| damaged(format!("its metadata `huggingface` is not JSON: {error}")))?;
    let Some(names) = note["info"]["features"][column]["names"].as_array() else { return Ok(None) };
    if names.len() as u64 > limits.classes {
        return Err(DataError::TooManyClasses { found: names.len() as u64, limit: limits.classes });
    }
    let text = |name: &Value| name.as_str().map(str::to_owned);
    let names: Option<Vec<String>> = names.iter().map(text).collect();
    let names = names.ok_or_else(|| damaged(format!("`info.features.{column}.names` must be texts")))?;
    Ok((!names.is_empty()).then_some(names))
}

//! Looking again at a model that is stored: with another input shape, or for another choice of strategies.

use eagleeye_store::Model;
use serde_json::Value;

use crate::api::search_request::Space;
use crate::checker::InspectReport;
use crate::folder;
use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// Inspects a stored model. `input_shape` is [batch, channels, height, width].
pub async fn inspect_stored(
    state: &AppState,
    model: &Model,
    input_shape: &[u64],
    space: Space,
) -> Result<(InspectReport, Value), Problem> {
    let mut files = vec![(model.file_name.as_str(), &model.hash)];
    files.extend(model.data_name.as_deref().zip(model.data_hash.as_ref()));
    let folder = folder::linked(&state.store, &files).await?;
    let shape: Vec<String> = input_shape.iter().map(u64::to_string).collect();
    let path = folder.path().join(&model.file_name);
    let checked = state.checker.inspect(&path, Some(&shape.join(",")), space).await;
    checked.map_err(|error| error.into_problem(Kind::UnusableModel))
}

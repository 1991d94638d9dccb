//! Looking again at a model that is stored: with another input shape, or because an older version looked at it last.

use std::path::PathBuf;

use eagleeye_spec::report::ModelInspection;
use eagleeye_store::{Check, Model};

use crate::named_files::Folder;
use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// A stored model's files under their own names, and which of them is the model.
pub async fn placed(state: &AppState, model: &Model) -> Result<(Folder, PathBuf), Problem> {
    let local = state.store.models().local(model, Check::Once).await?;
    let folder = Folder::of(model.files().into_iter().map(|(name, _)| name).zip(local).collect()).await?;
    let path = folder.path_of(&model.file_name);
    Ok((folder, path))
}

/// Inspects a stored model. `input_shape` is [batch, channels, height, width].
pub async fn inspect_stored(state: &AppState, model: &Model, input_shape: &[u64]) -> Result<ModelInspection, Problem> {
    let (_folder, path) = placed(state, model).await?;
    let shape: Vec<String> = input_shape.iter().map(u64::to_string).collect();
    let checked = state.checker.inspect(&path, Some(&shape.join(","))).await;
    checked.map_err(|error| error.into_problem(Kind::UnusableModel))
}

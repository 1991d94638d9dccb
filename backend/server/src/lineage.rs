//! A pruned network that is a model again.

use eagleeye_spec::name::MAX_NAME;
use eagleeye_spec::{FirstModel, Lineage};
use eagleeye_store::{Check, Checkpoint, CheckpointFormat, Model, NamedUpload, NewModel};

use crate::api::checkpoints::{file_name, ready_file};
use crate::named_files::Folder;
use crate::problem::{Kind, Problem};
use crate::state::AppState;

/// What is needed to make a model whose file is a checkpoint's. It is inspected like one that is uploaded, with the input shape of
/// the model that was pruned; without a name it is called like that model and the file. The upload is the caller's to store.
///
/// # Errors
/// Where the checkpoint's file is not ready, or is in a format that no model has.
pub async fn model_of(state: &AppState, checkpoint: &Checkpoint, name: Option<String>) -> Result<NewModel, Problem> {
    let store = &state.store;
    if !matches!(
        checkpoint.format,
        CheckpointFormat::TorchScript | CheckpointFormat::Onnx | CheckpointFormat::OnnxAt(_)
    ) {
        let (id, format) = (checkpoint.id, checkpoint.format.name());
        let detail =
            format!("checkpoint {id} is in the format {format}; a model is made of one in TorchScript or ONNX");
        return Err(Problem::new(Kind::Conflict, detail));
    }
    let hash = ready_file(checkpoint)?;
    let candidate = store.candidates().get(checkpoint.candidate_id).await?;
    let pruned = store.models().get(store.searches().get(candidate.search_id).await?.model_id).await?;
    let file =
        store.files().materialize(hash, Check::Once).await.map_err(|error| error.about(|| checkpoint.owner()))?;
    let file_name = file_name(&candidate, checkpoint);
    let folder = Folder::of(vec![(&file_name, file)]).await?;
    let path = folder.path_of(&file_name);
    let shape: Vec<String> = pruned.input_shape.iter().map(u64::to_string).collect();
    let checked = state.checker.inspect(&path, Some(&shape.join(","))).await;
    let inspection = checked.map_err(|error| error.into_problem(Kind::UnusableModel))?;
    let lineage = Lineage {
        model_id: pruned.id,
        search_id: candidate.search_id,
        candidate_id: candidate.id,
        tuning_id: checkpoint.tuning_id,
        checkpoint_id: checkpoint.id,
        first: first_of(&pruned),
    };
    let name = name.unwrap_or_else(|| name_after(&pruned.name, &file_name));
    let file = NamedUpload { upload: store.upload_file(&path).await?, name: file_name };
    Ok(NewModel { name, file, data: None, inspection, lineage: Some(lineage) })
}

/// The network that a model's line began with: itself, where it was uploaded.
pub fn first_of(model: &Model) -> FirstModel {
    match &model.lineage {
        Some(lineage) => lineage.first.clone(),
        None => FirstModel { model_id: model.id, macs: model.figures.macs, parameters: model.figures.parameters },
    }
}

/// `net-candidate-3-tuned`. After some stages the beginning is what has to go.
fn name_after(pruned: &str, file_name: &str) -> String {
    let stem = file_name.rsplit_once('.').map_or(file_name, |(stem, _)| stem);
    let name = format!("{pruned}-{stem}");
    let excess = name.chars().count().saturating_sub(MAX_NAME);
    name.chars().skip(excess).collect::<String>().trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_was_pruned_and_is_never_too_long() {
        assert_eq!(name_after("net", "candidate-3-tuned.pt"), "net-candidate-3-tuned");
        let longest = "n".repeat(MAX_NAME);
        let name = name_after(&longest, "candidate-3-tuned.pt");
        assert_eq!(name.chars().count(), MAX_NAME);
        assert!(name.ends_with("nn-candidate-3-tuned"));
    }
}

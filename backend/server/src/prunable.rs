//! What can be pruned of a stored model, and what is left of its cost then; the network as it is drawn; and what its tensors are
//! like.
//!
//! All are found by the inspection at upload. Models that older versions have inspected lack them: such a model is inspected
//! once more, in the background after the start or when somebody first asks.

use eagleeye_spec::report::{ModelInspection, NetworkGraph, NetworkTensors, PrunableSpace};
use eagleeye_store::{Model, PageRequest};

use crate::inspection::inspect_stored;
use crate::problem::Problem;
use crate::state::AppState;

/// The model's prunable groups and its cost model.
///
/// # Errors
/// Where the report cannot be read, or a model of an older version cannot be inspected.
pub async fn prunable(state: &AppState, model: &Model) -> Result<PrunableSpace, Problem> {
    if let Some(space) = model.inspection()?.space {
        return Ok(space);
    }
    let found = inspected_again(state, model).await?;
    found.space.ok_or_else(|| lacks(model, "what can be pruned"))
}

/// The model's network as it is drawn.
///
/// # Errors
/// Where a model of an older version cannot be inspected.
pub async fn graph(state: &AppState, model: &Model) -> Result<NetworkGraph, Problem> {
    if let Some(graph) = state.store.models().graph(model.id).await? {
        return Ok(graph);
    }
    let found = inspected_again(state, model).await?;
    found.graph.ok_or_else(|| lacks(model, "its operations"))
}

/// How the values of the model's tensors are spread.
///
/// # Errors
/// Where a model of an older version cannot be inspected.
pub async fn tensors(state: &AppState, model: &Model) -> Result<NetworkTensors, Problem> {
    if let Some(tensors) = state.store.models().tensors(model.id).await? {
        return Ok(tensors);
    }
    let found = inspected_again(state, model).await?;
    found.tensors.ok_or_else(|| lacks(model, "its tensors"))
}

async fn inspected_again(state: &AppState, model: &Model) -> Result<ModelInspection, Problem> {
    let found = inspect_stored(state, model, &model.input_shape).await?;
    state.store.models().complete_report(model, &found).await?;
    Ok(found)
}

fn lacks(model: &Model, what: &str) -> Problem {
    Problem::internal(format!("the inspection of model {} does not list {what}", model.id))
}

async fn complete(state: &AppState, model: &Model) -> Result<(), Problem> {
    if model.inspection()?.space.is_none() || !state.store.models().is_drawn(model.id).await? {
        inspected_again(state, model).await?;
    }
    Ok(())
}

/// Completes the reports of all models that an older version has inspected, one after the other.
pub async fn complete_all(state: AppState) {
    let mut page = PageRequest::default();
    loop {
        let found = match state.store.models().list(&page).await {
            Ok(found) => found,
            Err(error) => return tracing::warn!(%error, "cannot list the models that an older version has inspected"),
        };
        for model in &found.items {
            if let Err(problem) = complete(&state, model).await {
                tracing::warn!(model = %model.id, problem = problem.detail(), "an older model cannot be inspected again");
            }
        }
        match found.next_cursor {
            None => return,
            cursor => page.cursor = cursor,
        }
    }
}

//! What can be pruned of a stored model, and what is left of its cost then.
//!
//! It is part of the model's report. Reports of older versions lack it: such a model is inspected once more, in the background
//! after the start or when a search first asks.

use eagleeye_spec::report::PrunableSpace;
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
    let found = inspect_stored(state, model, &model.input_shape).await?;
    let Some(space) = found.space.clone() else {
        let detail = format!("the inspection of model {} does not list what can be pruned", model.id);
        return Err(Problem::internal(detail));
    };
    state.store.models().complete_report(model, &found).await?;
    Ok(space)
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
            if let Err(problem) = prunable(&state, model).await {
                tracing::warn!(model = %model.id, problem = problem.detail(), "an older model cannot be inspected again");
            }
        }
        match found.next_cursor {
            None => return,
            cursor => page.cursor = cursor,
        }
    }
}

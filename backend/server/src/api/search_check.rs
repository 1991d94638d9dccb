//! The check of a search before it is queued.

use axum::Json as Answer;
use axum::extract::State;
use eagleeye_spec::{Precheck, SearchRequest, precheck};
use eagleeye_store::{Check, Dataset, Model};

use super::searches::subjects;
use crate::extract::Json;
use crate::faults::Faults;
use crate::inspection::placed;
use crate::problem::{Kind, Problem};
use crate::request_check::{check_data, known_before};
use crate::state::AppState;

/// Check a search before it is queued.
///
/// Scores the full network on a sample of the scoring images, which takes seconds: its accuracy, how often it answers each
/// class, how it does with the values of known presets, and what should be known before the search is queued. Nothing is
/// stored. The body is that of `POST /searches`; budgets may be left out or be out of reach.
#[utoipa::path(
    post, path = "/searches/check", operation_id = "checkSearch", tag = "searches",
    request_body = SearchRequest,
    responses(
        (status = 200, description = "How the full network does", body = Precheck),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, the model or dataset does not exist, they do not match, \
            there are not enough images, or the check took too long or crashed", body = Problem,
            content_type = "application/problem+json"),
        (status = 500, description = "A stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server is stopping", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn check(
    State(state): State<AppState>,
    Json(request): Json<SearchRequest>,
) -> Result<Answer<Precheck>, Problem> {
    let mut faults = Faults::default();
    faults.add_invalid(precheck::faults(&request));
    let (model, dataset) = subjects(&state, &request, &mut faults).await?;
    check_data(&request, model.as_ref(), dataset.as_ref(), &mut faults);
    faults.into_result()?;
    // Without them there is a fault.
    let Some((model, dataset)) = model.zip(dataset) else {
        return Err(Problem::internal("a search without model or dataset has no fault"));
    };
    let mut found = scored(&state, &request, &model, &dataset).await?;
    let known = known_before(Some(&model), Some(&dataset));
    let is_new = |code| found.warnings.iter().all(|warning| warning.code != code);
    let new: Vec<_> = known.into_iter().filter(|warning| is_new(warning.code)).collect();
    found.warnings.splice(0..0, new);
    Ok(Answer(found))
}

async fn scored(
    state: &AppState,
    request: &SearchRequest,
    model: &Model,
    dataset: &Dataset,
) -> Result<Precheck, Problem> {
    let (_folder, path) = placed(state, model).await?;
    let local = state.store.datasets().local(dataset, Check::Once).await?;
    let files = (local.images(), local.labels());
    let checked = state.checker.check_search(&path, &model.input_shape, files, request).await;
    checked.map_err(|error| error.into_problem(Kind::DatasetDoesNotFit))
}

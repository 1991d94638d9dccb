//! A search's report in words and numbers.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use eagleeye_spec::{Report, ReportInput, ReportedEnd};
use eagleeye_store::{SearchState, Store};
use uuid::Uuid;

use crate::extract::Path;
use crate::problem::{Kind, Problem};

/// Get a search's report.
///
/// What won under each budget, against the uniform strategy and the full network, with intervals; what is tied with it; how
/// fast it is; and what to try next. A search that is running has a report of what it has found so far.
#[utoipa::path(
    get, path = "/searches/{id}/report", operation_id = "getReport", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 200, description = "The report", body = Report),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The full network has not been scored yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn json(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Json<Report>, Problem> {
    Ok(Json(report(&store, id).await?))
}

/// Get a search's report as a document.
#[utoipa::path(
    get, path = "/searches/{id}/report.md", operation_id = "getReportAsMarkdown", tag = "searches",
    params(("id" = Uuid, Path, description = "Id of the search")),
    responses(
        (status = 200, description = "The report in Markdown", body = String, content_type = "text/markdown"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The full network has not been scored yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn markdown(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Response, Problem> {
    let text = report(&store, id).await?.to_markdown();
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], text).into_response())
}

async fn report(store: &Store, id: Uuid) -> Result<Report, Problem> {
    let search = store.searches().get(id).await?;
    let (Some(baseline), Some(split)) = (&search.baseline, search.split) else {
        let detail = format!("search {id} has not scored the full network yet; its report comes with it");
        return Err(Problem::new(Kind::Conflict, detail));
    };
    let (model, dataset) = (store.models().get(search.model_id).await?, store.datasets().get(search.dataset_id).await?);
    let stored = store.candidates().all(id).await?;
    let latencies: BTreeMap<u32, _> =
        stored.iter().map(|candidate| (candidate.index, candidate.latencies.clone())).collect();
    let candidates: Vec<_> = stored.into_iter().map(eagleeye_spec::Candidate::from).collect();
    let seconds = search.started_at.zip(search.finished_at).map(|(from, to)| (to - from).as_seconds_f64());
    Ok(Report::new(&ReportInput {
        name: search.name.as_deref(),
        model: &model.name,
        dataset: &dataset.name,
        classes: model.figures.classes,
        request: &search.request,
        baseline,
        split,
        candidates: &candidates,
        latencies: &latencies,
        latency_model: search.latency_model.as_ref(),
        warnings: &search.warnings,
        seconds,
        ended: ended(search.state),
        error: search.error.as_deref(),
    }))
}

fn ended(state: SearchState) -> ReportedEnd {
    match state {
        SearchState::Queued | SearchState::Running | SearchState::Paused => ReportedEnd::NotYet,
        SearchState::Succeeded => ReportedEnd::Succeeded,
        SearchState::Failed => ReportedEnd::Failed,
        SearchState::Cancelled => ReportedEnd::Cancelled,
    }
}

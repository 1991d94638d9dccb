//! A search's progress as server-sent events.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use eagleeye_store::{self as store, Store, StoreError};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::candidate_rows::CandidateRow;
use super::candidates::Candidate;
use super::searches::Search;
use super::stream::{self, Changes, Followed};
use crate::extract::{Path, Query};
use crate::outages::Waits;
use crate::problem::Problem;
use crate::state::AppState;

impl Followed for store::Search {
    const NAMES: (&'static str, &'static str) = ("search", "candidate");
    type Shown = Search;
    type Part = Candidate;

    fn revision(&self) -> i64 {
        self.revision
    }

    async fn get(store: &Store, id: Uuid) -> Result<Self, StoreError> {
        store.searches().get(id).await
    }

    async fn changes_since(store: &Store, id: Uuid, revision: i64) -> Result<Option<Changes<Self>>, StoreError> {
        Ok(store.searches().changes_since(id, revision).await?.map(|changes| told(changes, |search| search)))
    }
}

/// A search whose candidates are told in short.
struct InRows(store::Search);

impl Waits for InRows {
    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    fn waiting_for(&mut self) -> &mut Option<String> {
        self.0.waiting_for()
    }
}

impl From<InRows> for Search {
    fn from(InRows(search): InRows) -> Self {
        search.into()
    }
}

impl Followed for InRows {
    const NAMES: (&'static str, &'static str) = store::Search::NAMES;
    type Shown = Search;
    type Part = CandidateRow;

    fn revision(&self) -> i64 {
        self.0.revision
    }

    async fn get(store: &Store, id: Uuid) -> Result<Self, StoreError> {
        store.searches().get(id).await.map(InRows)
    }

    async fn changes_since(store: &Store, id: Uuid, revision: i64) -> Result<Option<Changes<Self>>, StoreError> {
        Ok(store.searches().changes_since(id, revision).await?.map(|changes| told(changes, InRows)))
    }
}

/// What has changed as a stream tells it.
fn told<F: Followed<Part: From<store::Candidate>>>(changes: store::Changes, row: fn(store::Search) -> F) -> Changes<F> {
    let store::Changes { search, candidates, revision } = changes;
    let parts = candidates.into_iter().map(|candidate| (candidate.revision, candidate.into()));
    Changes { parts: parts.collect(), row: row(search), revision }
}

/// What a stream says of candidates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    #[default]
    Whole,
    Rows,
}

/// How a search is followed.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FollowQuery {
    /// `rows` for a CandidateRow with each `candidate` event instead of a Candidate, which has five times as many bytes.
    #[serde(default)]
    #[param(inline, default = "whole")]
    candidates: Told,
}

/// Follow a search.
///
/// Events: `search` with a Search, `candidate` with a Candidate (or a CandidateRow), and `end` with the Search when it has ended, after
/// which the stream closes. The first events bring the client up to date; `Last-Event-ID` says what it has already
/// received, and only later events follow, but for `end`, which is told again. The stream of a search that is deleted
/// closes without `end`.
#[utoipa::path(
    get, path = "/searches/{id}/events", operation_id = "followSearch", tag = "searches",
    params(
        ("id" = Uuid, Path, description = "Id of the search"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received; any other text \
            starts from the beginning"),
        FollowQuery,
    ),
    responses(
        (status = 200, description = "Events until the search ends", body = String, content_type = "text/event-stream"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn follow(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(match query.candidates {
        Told::Whole => stream::follow::<store::Search>(state, id, &headers).await?.into_response(),
        Told::Rows => stream::follow::<InRows>(state, id, &headers).await?.into_response(),
    })
}

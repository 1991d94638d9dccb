//! A search's progress as server-sent events.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use eagleeye_store::{self as store, Store, StoreError};
use futures::Stream;
use uuid::Uuid;

use super::candidates::Candidate;
use super::searches::Search;
use super::stream::{self, Changes, Followed};
use crate::extract::Path;
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
        let changes = store.searches().changes_since(id, revision).await?;
        Ok(changes.map(|store::Changes { search, candidates }| Changes {
            row: search,
            parts: candidates.into_iter().map(|candidate| (candidate.revision, candidate.into())).collect(),
        }))
    }
}

/// Follow a search.
///
/// Events: `search` with a Search, `candidate` with a Candidate, and `end` with the Search when it has ended, after
/// which the stream closes. The first events bring the client up to date; `Last-Event-ID` says what it has already
/// received, and only later events follow, but for `end`, which is told again. The stream of a search that is deleted
/// closes without `end`.
#[utoipa::path(
    get, path = "/searches/{id}/events", operation_id = "followSearch", tag = "searches",
    params(
        ("id" = Uuid, Path, description = "Id of the search"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received; any other text \
            starts from the beginning"),
    ),
    responses(
        (status = 200, description = "Events until the search ends", body = String, content_type = "text/event-stream"),
        (status = 404, description = "The search does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn follow(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    Ok(stream::follow::<store::Search>(state, id, &headers).await?)
}

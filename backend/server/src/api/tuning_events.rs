//! A tuning's progress as server-sent events.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use eagleeye_spec::Epoch;
use eagleeye_store::{self as store, Store, StoreError, TuningChanges};
use futures::Stream;
use uuid::Uuid;

use super::stream::{self, Changes, Followed};
use super::tunings::Tuning;
use crate::extract::Path;
use crate::problem::Problem;
use crate::state::AppState;

impl Followed for store::Tuning {
    const NAMES: (&'static str, &'static str) = ("tuning", "epoch");
    type Shown = Tuning;
    type Part = Epoch;

    fn revision(&self) -> i64 {
        self.revision
    }

    async fn get(store: &Store, id: Uuid) -> Result<Self, StoreError> {
        store.tunings().get(id).await
    }

    async fn changes_since(store: &Store, id: Uuid, revision: i64) -> Result<Option<Changes<Self>>, StoreError> {
        let changes = store.tunings().changes_since(id, revision).await?;
        Ok(changes.map(|TuningChanges { tuning, epochs }| {
            let revision = tuning.revision;
            Changes { row: tuning, parts: epochs, revision }
        }))
    }
}

/// Follow a tuning.
///
/// Events: `tuning` with a Tuning, `epoch` with an Epoch, and `end` with the Tuning when it has ended, after which the stream
/// closes. The first events bring the client up to date; `Last-Event-ID` says what it has already received, and only later
/// events follow, but for `end`, which is told again. The stream of a tuning that is deleted closes without `end`.
#[utoipa::path(
    get, path = "/tunings/{id}/events", operation_id = "followTuning", tag = "tunings",
    params(
        ("id" = Uuid, Path, description = "Id of the tuning"),
        ("Last-Event-ID" = Option<String>, Header, description = "Id of the last event received; any other text \
            starts from the beginning"),
    ),
    responses(
        (status = 200, description = "Events until the tuning ends", body = String, content_type = "text/event-stream"),
        (status = 404, description = "The tuning does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn follow(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    Ok(stream::follow::<store::Tuning>(state, id, &headers).await?)
}

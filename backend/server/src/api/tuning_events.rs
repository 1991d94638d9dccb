//! A tuning's progress as server-sent events, with ids as those of a search ([`super::events`]): each revision of the tuning has two,
//! the first for the epoch that it brought, or before the end for the tuning, the second for what comes last.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use eagleeye_store::{StoreError, TuningChanges};
use futures::Stream;
use uuid::Uuid;

use super::events::{KEEP_ALIVE, PAUSE, event, first_of, known_at, last_of, seen};
use super::tunings::Tuning;
use crate::extract::Path;
use crate::problem::Problem;
use crate::state::AppState;

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
    // An unknown tuning is an answer with a status, not a stream that breaks.
    let tuning = state.store.tunings().get(id).await?;
    let events = events(state, id, seen(&headers, tuning.revision, tuning.state.is_final()));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn events(state: AppState, id: Uuid, seen: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let AppState { store, followers, shutdown, .. } = state;
        // Followed before it is looked at, so that no change falls in between.
        let mut changed = followers.follow(id);
        let mut seen = seen;
        loop {
            let mut has_failed = false;
            match store.tunings().changes_since(id, known_at(seen)).await {
                Ok(None) => {}
                Ok(Some(changes)) => {
                    let (newest, ended) = (last_of(changes.tuning.revision), changes.tuning.state.is_final());
                    for event in told(changes, seen) {
                        yield Ok(event);
                    }
                    seen = newest;
                    if ended {
                        return;
                    }
                }
                // Deleted while it was followed.
                Err(StoreError::NotFound { .. }) => return,
                Err(error) => {
                    tracing::warn!(%error, tuning = %id, "cannot read a tuning");
                    has_failed = true;
                }
            }
            // The channel does not close while the server runs.
            tokio::select! {
                () = shutdown.cancelled() => return,
                Ok(()) = changed.changed() => {}
                () = tokio::time::sleep(PAUSE), if has_failed => {}
            }
        }
    }
}

/// What comes after `seen`. The epochs come first, so that a client that sees the tuning's new progress has them already.
fn told(changes: TuningChanges, seen: i64) -> Vec<Event> {
    let (newest, ended) = (changes.tuning.revision, changes.tuning.state.is_final());
    let epochs = changes.epochs.into_iter().filter(|(revision, _)| first_of(*revision) > seen);
    let mut events: Vec<Event> = epochs.map(|(revision, epoch)| event("epoch", first_of(revision), &epoch)).collect();
    let tuning = Tuning::from(changes.tuning);
    // No epoch comes with the revision in which a tuning ends.
    let id = if ended { first_of(newest) } else { last_of(newest) };
    if id > seen {
        events.push(event("tuning", id, &tuning));
    }
    if ended {
        events.push(event("end", last_of(newest), &tuning));
    }
    events
}

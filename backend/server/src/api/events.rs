//! A search's progress as server-sent events.
//!
//! An event has the same id in every stream: each revision of the search has two, the first for the candidate that it brought,
//! or before the end for the search, the second for what comes last ([`first_of`], [`last_of`]). A client that reconnects sends
//! the last one it saw (`Last-Event-ID`, which browsers do by themselves) and gets what has happened since, and nothing twice.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use eagleeye_store::{self as store, Changes, Store, StoreError};
use futures::Stream;
use serde::Serialize;
use uuid::Uuid;

use super::candidates::Candidate;
use super::searches::Search;
use crate::extract::Path;
use crate::problem::Problem;
use crate::state::AppState;

/// When what is followed is looked at again after the database has failed.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
/// How often a stream says that it is still there.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

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
    // An unknown search is an answer with a status, not a stream that breaks.
    let search = state.store.searches().get(id).await?;
    let events = events(state, id, seen(&headers, search.revision, search.state.is_final()));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The first id of a revision.
pub(super) fn first_of(revision: i64) -> i64 {
    2 * revision - 1
}

/// The last id of a revision: who has seen it knows all up to then.
pub(super) fn last_of(revision: i64) -> i64 {
    2 * revision
}

/// The last revision of which a client that has seen the event `id` knows all.
pub(super) fn known_at(id: i64) -> i64 {
    id / 2
}

/// The last event that the client has seen, or 0. An id that this stream has not given, as after the database
/// was restored from a copy, says nothing: the stream begins anew, and everything is told.
pub(super) fn seen(headers: &HeaderMap, revision: i64, has_ended: bool) -> i64 {
    let id = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    match id {
        Some(id) if (0..=last_of(revision)).contains(&id) => {
            // A client that has seen the end and asks again is told once more, instead of waiting for ever.
            if has_ended { id.min(first_of(revision)) } else { id }
        }
        _ => 0,
    }
}

fn events(state: AppState, id: Uuid, seen: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let AppState { store, outages, followers, shutdown, .. } = state;
        // Followed before it is looked at, so that no change falls in between.
        let (mut events, mut fault) = (followers.follow(id), outages.follow());
        let mut seen = seen;
        let mut told = None;
        loop {
            let waiting_for = fault.borrow_and_update().clone();
            let mut has_failed = false;
            match look(&store, id, seen, waiting_for != told).await {
                Ok(News::None) => {}
                Ok(News::Gone) => return,
                // What the database cannot be told is told from here.
                Ok(News::Fault(search)) => yield Ok(event("search", seen, &Search::from(outages.shown(*search)))),
                Ok(News::Some(changes)) => {
                    let Changes { search, candidates } = *changes;
                    let (newest, ended) = (last_of(search.revision), search.state.is_final());
                    for event in changed(Changes { search: outages.shown(search), candidates }, seen) {
                        yield Ok(event);
                    }
                    seen = newest;
                    if ended {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, search = %id, "cannot read a search");
                    has_failed = true;
                }
            }
            // After a failure it is yet to be told.
            if !has_failed {
                told = waiting_for;
            }
            // Neither channel closes while the server runs.
            tokio::select! {
                () = shutdown.cancelled() => return,
                Ok(()) = events.changed() => {}
                Ok(()) = fault.changed() => {}
                () = tokio::time::sleep(PAUSE), if has_failed => {}
            }
        }
    }
}

/// What has happened since an event.
enum News {
    None,
    /// The search was deleted while it was followed.
    Gone,
    /// Not to the search, but it has to wait for something else now.
    Fault(Box<store::Search>),
    Some(Box<Changes>),
}

async fn look(store: &Store, id: Uuid, seen: i64, is_other_fault: bool) -> Result<News, StoreError> {
    let looked = match store.searches().changes_since(id, known_at(seen)).await {
        Ok(Some(changes)) => Ok(News::Some(Box::new(changes))),
        Ok(None) if is_other_fault => store.searches().get(id).await.map(|search| News::Fault(Box::new(search))),
        Ok(None) => Ok(News::None),
        Err(error) => Err(error),
    };
    match looked {
        Err(StoreError::NotFound { .. }) => Ok(News::Gone),
        looked => looked,
    }
}

/// What comes after `seen`. The candidates come first, so that a client that sees the search's new progress has them already.
fn changed(changes: Changes, seen: i64) -> Vec<Event> {
    let newest = changes.search.revision;
    let candidates = changes.candidates.into_iter().filter(|candidate| first_of(candidate.revision) > seen);
    let mut events: Vec<Event> = candidates
        .map(|candidate| event("candidate", first_of(candidate.revision), &Candidate::from(candidate)))
        .collect();
    let ended = changes.search.state.is_final();
    let search = Search::from(changes.search);
    // No candidate comes with the revision in which a search ends.
    let id = if ended { first_of(newest) } else { last_of(newest) };
    if id > seen {
        events.push(event("search", id, &search));
    }
    if ended {
        events.push(event("end", last_of(newest), &search));
    }
    events
}

pub(super) fn event(name: &str, id: i64, data: &impl Serialize) -> Event {
    let event = Event::default().event(name).id(id.to_string());
    event.json_data(data).unwrap_or_else(|error| {
        tracing::error!(%error, name, "an event cannot be written");
        Event::default().comment("an event could not be written")
    })
}

//! The progress of a search or a tuning as server-sent events.
//!
//! An event has the same id in every stream: each revision of what is followed has two, the first for the part (a candidate, an
//! epoch) that it brought, or before the end for the whole, the second for what comes last ([`first_of`], [`last_of`]). A client
//! that reconnects sends the last one it saw (`Last-Event-ID`, which browsers do by themselves) and gets what has happened since,
//! and nothing twice.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use eagleeye_store::{Store, StoreError};
use futures::Stream;
use serde::Serialize;
use uuid::Uuid;

use crate::outages::Waits;
use crate::state::AppState;

/// When what is followed is looked at again after the database has failed.
const PAUSE: Duration = Duration::from_secs(5);
/// How often a stream says that it is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A row that is followed until it ends, with the parts that come one after the other.
pub(super) trait Followed: Waits + Sized + Send + 'static {
    /// Names of its events and of its parts'.
    const NAMES: (&'static str, &'static str);
    /// As the API answers it.
    type Shown: Serialize + From<Self> + Send;
    /// A part, as the API answers it.
    type Part: Serialize + Send;

    fn revision(&self) -> i64;

    fn get(store: &Store, id: Uuid) -> impl Future<Output = Result<Self, StoreError>> + Send;

    /// The row and the parts that were stored since a revision, oldest first, each with the revision that it came with; `None`
    /// where nothing has changed.
    fn changes_since(
        store: &Store,
        id: Uuid,
        revision: i64,
    ) -> impl Future<Output = Result<Option<Changes<Self>>, StoreError>> + Send;
}

/// What is new with a row.
pub(super) struct Changes<F: Followed> {
    pub row: F,
    pub parts: Vec<(i64, F::Part)>,
    /// Up to which revision these go: below that of the row where there are more parts than in one answer.
    pub revision: i64,
}

/// Everything that has happened since the event that the client says it has seen, and then what happens, until the row ends.
///
/// # Errors
/// Where there is no such row: an answer with a status, not a stream that breaks.
pub(super) async fn follow<F: Followed>(
    state: AppState,
    id: Uuid,
    headers: &HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>> + use<F>>, StoreError> {
    let row = F::get(&state.store, id).await?;
    let seen = seen(headers, row.revision(), row.has_ended());
    Ok(Sse::new(events::<F>(state, id, seen)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// The first id of a revision.
fn first_of(revision: i64) -> i64 {
    2 * revision - 1
}

/// The last id of a revision: who has seen it knows all up to then.
fn last_of(revision: i64) -> i64 {
    2 * revision
}

/// The last revision of which a client that has seen the event `id` knows all.
fn known_at(id: i64) -> i64 {
    id / 2
}

/// The last event that the client has seen, or 0. An id that this stream has not given, as after the database
/// was restored from a copy, says nothing: the stream begins anew, and everything is told.
fn seen(headers: &HeaderMap, revision: i64, has_ended: bool) -> i64 {
    let id = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    match id {
        Some(id) if (0..=last_of(revision)).contains(&id) => {
            // A client that has seen the end and asks again is told once more, instead of waiting for ever.
            if has_ended { id.min(first_of(revision)) } else { id }
        }
        _ => 0,
    }
}

fn events<F: Followed>(state: AppState, id: Uuid, seen: i64) -> impl Stream<Item = Result<Event, Infallible>> {
    async_stream::stream! {
        let AppState { store, outages, followers, shutdown, .. } = state;
        // Followed before it is looked at, so that no change falls in between.
        let (mut events, mut fault) = (followers.follow(id), outages.follow());
        let mut seen = seen;
        let mut told = None;
        loop {
            let waiting_for = fault.borrow_and_update().clone();
            let mut has_failed = false;
            match look::<F>(&store, id, seen, waiting_for != told).await {
                Ok(News::None) => {}
                Ok(News::Gone) => return,
                // What the database cannot be told is told from here.
                Ok(News::Fault(row)) => yield Ok(event(F::NAMES.0, seen, &F::Shown::from(outages.shown(row)))),
                Ok(News::Some(Changes { row, parts, revision })) => {
                    for event in new_parts::<F>(parts, seen) {
                        yield Ok(event);
                    }
                    if revision < row.revision() {
                        seen = last_of(revision);
                        continue;
                    }
                    let (newest, has_ended) = (last_of(revision), row.has_ended());
                    for event in changed::<F>(outages.shown(row), seen) {
                        yield Ok(event);
                    }
                    seen = newest;
                    if has_ended {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, %id, "cannot read a {}", F::NAMES.0);
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
enum News<F: Followed> {
    None,
    /// The row was deleted while it was followed.
    Gone,
    /// Not to the row, but it has to wait for something else now.
    Fault(F),
    Some(Changes<F>),
}

async fn look<F: Followed>(store: &Store, id: Uuid, seen: i64, is_other_fault: bool) -> Result<News<F>, StoreError> {
    let looked = match F::changes_since(store, id, known_at(seen)).await {
        Ok(Some(changes)) => Ok(News::Some(changes)),
        Ok(None) if is_other_fault => F::get(store, id).await.map(News::Fault),
        Ok(None) => Ok(News::None),
        Err(error) => Err(error),
    };
    match looked {
        Err(StoreError::NotFound { .. }) => Ok(News::Gone),
        looked => looked,
    }
}

/// The parts that come after `seen`. They come before the row, so that a client that sees its new progress has them already.
fn new_parts<F: Followed>(parts: Vec<(i64, F::Part)>, seen: i64) -> Vec<Event> {
    let parts = parts.into_iter().filter(|(revision, _)| first_of(*revision) > seen);
    parts.map(|(revision, part)| event(F::NAMES.1, first_of(revision), &part)).collect()
}

/// The row where it comes after `seen`, and its end.
fn changed<F: Followed>(row: F, seen: i64) -> Vec<Event> {
    let (newest, has_ended) = (row.revision(), row.has_ended());
    let mut events = Vec::new();
    let row = F::Shown::from(row);
    // No part comes with the revision in which a row ends.
    let id = if has_ended { first_of(newest) } else { last_of(newest) };
    if id > seen {
        events.push(event(F::NAMES.0, id, &row));
    }
    if has_ended {
        events.push(event("end", last_of(newest), &row));
    }
    events
}

fn event(name: &str, id: i64, data: &impl Serialize) -> Event {
    let event = Event::default().event(name).id(id.to_string());
    event.json_data(data).unwrap_or_else(|error| {
        tracing::error!(%error, name, "an event cannot be written");
        Event::default().comment("an event could not be written")
    })
}

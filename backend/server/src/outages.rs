//! What keeps everything waiting: a database that takes no writes cannot be told what its searches wait for, so the server
//! tries now and then, and says so itself.

use std::time::Duration;

use eagleeye_store::{Search, Store, Tuning};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PERIOD: Duration = Duration::from_secs(5);
/// A write that takes longer is not waited for; writers of SQLite may keep each other waiting for seconds.
const ANSWER: Duration = Duration::from_secs(20);

/// A row with a job, which may have to wait.
pub trait Waits {
    fn has_ended(&self) -> bool;

    /// What it waits for, as a phrase that completes "waiting for".
    fn waiting_for(&mut self) -> &mut Option<String>;
}

impl Waits for Search {
    fn has_ended(&self) -> bool {
        self.state.is_final()
    }

    fn waiting_for(&mut self) -> &mut Option<String> {
        &mut self.waiting_for
    }
}

impl Waits for Tuning {
    fn has_ended(&self) -> bool {
        self.state.is_final()
    }

    fn waiting_for(&mut self) -> &mut Option<String> {
        &mut self.waiting_for
    }
}

/// What the server knows to be out of order; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Outages(watch::Sender<Option<String>>);

impl Outages {
    /// What has to come back, as a phrase that completes "waiting for".
    pub fn waiting_for(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    /// Changes when something else has to come back, or all of it has.
    pub fn follow(&self) -> watch::Receiver<Option<String>> {
        self.0.subscribe()
    }

    /// A row as it is shown: while the database takes no writes, that is what it waits for.
    pub fn shown<W: Waits>(&self, mut row: W) -> W {
        if !row.has_ended()
            && let Some(fault) = self.waiting_for()
        {
            *row.waiting_for() = Some(fault);
        }
        row
    }

    /// Keeps looking until `shutdown`.
    pub async fn watch(self, store: Store, shutdown: CancellationToken) {
        loop {
            self.note(look(&store).await);
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(PERIOD) => {}
            }
        }
    }

    fn note(&self, found: Option<String>) {
        self.0.send_if_modified(|known| {
            match (&*known, &found) {
                (None, Some(fault)) => tracing::error!("waiting for {fault}"),
                (Some(fault), None) => tracing::info!("no longer waiting for {fault}"),
                _ => {}
            }
            let is_news = *known != found;
            *known = found;
            is_news
        });
    }
}

async fn look(store: &Store) -> Option<String> {
    match tokio::time::timeout(ANSWER, store.try_write()).await {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.waits_for().unwrap_or_else(|| "the database, which refuses writes".to_owned())),
        Err(_) => Some("the database, which does not answer".to_owned()),
    }
}

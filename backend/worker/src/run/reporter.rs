//! Writes a search's results into the store as the engine finds them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use eagleeye_engine::{Baseline, Candidate, Flow, Observer, Phase};
use eagleeye_store::{Lease, NewCandidate, Progress, Split, Store, StoreError};
use tokio::runtime::Handle;

use crate::convert;
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::retry::{once, retry};
use crate::run::turns::Offers;

/// Shortest time between two reports of progress within a phase.
const PROGRESS_PERIOD: Duration = Duration::from_millis(250);

/// Candidates that are kept here while the database is away; with the next one the search waits.
const MOST_UNWRITTEN: usize = 256;

/// Lives on the engine's thread, which waits for each write: results are in the store before the next is computed. While the
/// database is away the search goes on, and what it finds is written when the database is back.
#[derive(Debug)]
pub struct Reporter {
    store: Store,
    lease: Lease,
    runtime: Handle,
    cancel: CancelFlag,
    offers: Offers,
    reported: Option<(Phase, Instant)>,
    /// What went wrong with a write; the search stops for it.
    failure: Option<StoreError>,
    /// Candidates that are not in the store yet.
    unwritten: VecDeque<NewCandidate>,
}

impl Reporter {
    /// To be called inside the runtime that drives the store.
    pub fn new(store: Store, lease: Lease, cancel: CancelFlag, offers: Offers) -> Self {
        let runtime = Handle::current();
        Self { store, lease, runtime, cancel, offers, reported: None, failure: None, unwritten: VecDeque::new() }
    }

    /// Stores the split, unless there is one; the stored one is returned.
    pub fn save_split(&self, split: &Split) -> Result<Split, StoreError> {
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        self.runtime.block_on(retry(give_up, async || store.queue().save_split(lease, split).await))
    }

    /// The outcome of what was observed; a search that was stopped because a write failed has failed for that.
    pub fn outcome<T>(self, outcome: Result<T, impl Into<JobError>>) -> Result<T, JobError> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => outcome.map_err(Into::into),
        }
    }

    /// Writes what is not in the store yet, and waits until it is.
    pub fn flush(&mut self) {
        while self.failure.is_none()
            && let Some(next) = self.unwritten.front()
        {
            let (store, lease) = (&self.store, &self.lease);
            let give_up = || self.cancel.is_set();
            let write = async || store.queue().record_candidate(lease, next.clone()).await;
            let written = self.runtime.block_on(retry(give_up, write));
            self.unwritten.pop_front();
            self.note(written);
        }
    }

    /// Writes what can be written now.
    fn write(&mut self) -> Flow {
        while let Some(next) = self.unwritten.front() {
            let (store, lease) = (&self.store, &self.lease);
            let write = async || store.queue().record_candidate(lease, next.clone()).await;
            match self.runtime.block_on(once(write)) {
                Ok(_) => _ = self.unwritten.pop_front(),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, unwritten = self.unwritten.len(), "the search goes on without the database");
                    break;
                }
                Err(error) => return self.note::<()>(Err(error)),
            }
        }
        if self.unwritten.len() > MOST_UNWRITTEN {
            self.flush();
        }
        if self.failure.is_some() { Flow::Stop } else { Flow::Go }
    }

    fn note<T>(&mut self, written: Result<T, StoreError>) -> Flow {
        match written {
            Ok(_) => Flow::Go,
            Err(error) => {
                self.failure = Some(error);
                Flow::Stop
            }
        }
    }

    /// Whether a step is worth a write. That of a candidate is written together with the candidate.
    fn is_due(&self, phase: Phase, done: u64, total: u64) -> bool {
        match self.reported {
            Some((last, at)) if last == phase => {
                phase != Phase::Candidates && (done == total || at.elapsed() >= PROGRESS_PERIOD)
            }
            _ => true,
        }
    }
}

impl Observer for Reporter {
    fn cancelled(&self) -> bool {
        self.cancel.is_set() || self.failure.is_some()
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        if !self.is_due(phase, done, total) {
            return;
        }
        let progress = Progress { phase: phase.name().to_owned(), done, total };
        let (store, lease) = (&self.store, &self.lease);
        match self.runtime.block_on(once(async || store.queue().progress(lease, &progress).await)) {
            // The next report says it as well.
            Err(error) if error.is_transient() => tracing::warn!(%error, "progress is not shown"),
            written => _ = self.note(written),
        }
        self.reported = Some((phase, Instant::now()));
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        let baseline = convert::baseline(&baseline);
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        let save = async || store.queue().save_baseline(lease, &baseline).await;
        let written = self.runtime.block_on(retry(give_up, save));
        let flow = self.note(written);
        self.offers.offer(&self.runtime, &self.cancel);
        flow
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        let (index, top1, seconds) = (candidate.index, candidate.score.top1, candidate.seconds);
        tracing::info!(index, top1, seconds, "candidate evaluated");
        self.unwritten.push_back(convert::candidate(candidate));
        let flow = self.write();
        self.offers.offer(&self.runtime, &self.cancel);
        flow
    }
}

/// For an export, whose progress nobody watches.
#[derive(Debug)]
pub struct Unwatched(pub CancelFlag);

impl Observer for Unwatched {
    fn cancelled(&self) -> bool {
        self.0.is_set()
    }

    fn phase(&mut self, _phase: Phase, _done: u64, _total: u64) {}

    fn baseline(&mut self, _baseline: Baseline) -> Flow {
        Flow::Go
    }

    fn candidate(&mut self, _candidate: Candidate) -> Flow {
        Flow::Go
    }
}

//! Writes a search's results into the store as the engine finds them.

use std::time::{Duration, Instant};

use eagleeye_engine::{Baseline, Candidate, Flow, Observer, Phase};
use eagleeye_store::{Lease, Progress, Split, Store, StoreError};
use tokio::runtime::Handle;

use crate::convert;
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::retry::retry;

/// Shortest time between two reports of progress within a phase.
const PROGRESS_PERIOD: Duration = Duration::from_millis(250);

/// Lives on the engine's thread, which waits for each write: results are in the store before the next is computed.
#[derive(Debug)]
pub struct Reporter {
    store: Store,
    lease: Lease,
    runtime: Handle,
    cancel: CancelFlag,
    reported: Option<(Phase, Instant)>,
    /// What went wrong with a write; the search stops for it.
    failure: Option<StoreError>,
}

impl Reporter {
    /// To be called inside the runtime that drives the store.
    pub fn new(store: Store, lease: Lease, cancel: CancelFlag) -> Self {
        Self { store, lease, runtime: Handle::current(), cancel, reported: None, failure: None }
    }

    /// Stores the split, unless there is one; the stored one is returned.
    pub fn save_split(&self, split: &Split) -> Result<Split, StoreError> {
        let (store, lease) = (&self.store, &self.lease);
        self.runtime.block_on(retry(async || store.queue().save_split(lease, split).await))
    }

    /// The outcome of what was observed; a search that was stopped because a write failed has failed for that.
    pub fn outcome<T>(self, outcome: Result<T, impl Into<JobError>>) -> Result<T, JobError> {
        match self.failure {
            Some(failure) => Err(failure.into()),
            None => outcome.map_err(Into::into),
        }
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
        let written = self.runtime.block_on(retry(async || store.queue().progress(lease, &progress).await));
        self.note(written);
        self.reported = Some((phase, Instant::now()));
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        let baseline = convert::baseline(&baseline);
        let (store, lease) = (&self.store, &self.lease);
        let written = self.runtime.block_on(retry(async || store.queue().save_baseline(lease, &baseline).await));
        self.note(written)
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        let (index, top1, seconds) = (candidate.index, candidate.score.top1, candidate.seconds);
        let new = convert::candidate(candidate);
        let (store, lease) = (&self.store, &self.lease);
        let written = self.runtime.block_on(retry(async || store.queue().record_candidate(lease, new.clone()).await));
        tracing::info!(index, top1, seconds, "candidate evaluated");
        self.note(written)
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

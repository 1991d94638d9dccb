//! Writes what fine-tuning tells into the store, and keeps its snapshots there.

use std::time::{Duration, Instant};

use eagleeye_engine::{Flow, Observer, Outset, Phase, Progress as Steps, Snapshot, SnapshotError, TuneObserver, Wish};
use eagleeye_spec::{Baseline, Candidate, Epoch, Evaluation, Warning};
use eagleeye_store::{EPOCHS_PHASE, Lease, Progress, Store, StoreError};
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::retry::{once, retry, retry_slow};
use crate::run::turns::Offers;

/// Shortest time between two reports of progress.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);

/// Whether a tuning is to wait for the others of its race, and where that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    /// It is trained to its end.
    None,
    /// After this epoch.
    After(u32),
    /// That epoch is done: the next snapshot is the one to go on from.
    Due,
    Done,
}

/// Lives on the engine's thread, which waits for each epoch and each snapshot to be stored. Progress is reported as far as the
/// database takes it.
#[derive(Debug)]
pub struct TuningFollower {
    store: Store,
    lease: Lease,
    runtime: Handle,
    cancel: CancelFlag,
    offers: Offers,
    snapshot_period: Duration,
    pause: Pause,
    last_snapshot: Instant,
    last_progress: Option<Instant>,
    /// Steps altogether, as far as is known.
    steps: u64,
    /// What went wrong with a write; fine-tuning stops for it.
    failure: Option<JobError>,
    /// Snapshots are written here before they are stored.
    folder: TempDir,
}

impl TuningFollower {
    /// To be called inside the runtime that drives the store.
    pub fn new(
        store: Store,
        lease: Lease,
        cancel: CancelFlag,
        offers: Offers,
        snapshot_period: Duration,
        pause_at: Option<u32>,
    ) -> Result<Self, JobError> {
        let folder = tempfile::Builder::new().prefix("eagleeye-snapshot-").tempdir().map_err(JobError::Temporary)?;
        Ok(Self {
            store,
            lease,
            runtime: Handle::current(),
            cancel,
            offers,
            snapshot_period,
            pause: pause_at.map_or(Pause::None, Pause::After),
            last_snapshot: Instant::now(),
            last_progress: None,
            steps: 0,
            failure: None,
            folder,
        })
    }

    /// The outcome of what was followed; what was stopped because a write failed has failed for that.
    pub fn outcome<T>(&mut self, outcome: Result<T, impl Into<JobError>>) -> Result<T, JobError> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => outcome.map_err(Into::into),
        }
    }

    /// Whether the tuning was stopped to wait for the others of its race. Its job has then ended.
    pub fn is_paused(&self) -> bool {
        self.pause == Pause::Done
    }

    fn is_stopped(&self) -> bool {
        self.cancel.is_set() || self.failure.is_some()
    }

    fn report(&mut self, phase: &str, done: u64, total: u64) {
        if self.last_progress.is_some_and(|last| last.elapsed() < PROGRESS_PERIOD) {
            return;
        }
        let progress = Progress { phase: phase.to_owned(), done, total };
        let (store, lease) = (&self.store, &self.lease);
        match self.runtime.block_on(once(async || store.queue().progress(lease, &progress).await)) {
            // The next report says it as well.
            Err(error) if error.is_transient() => tracing::warn!(%error, "cannot report progress"),
            written => self.note(written),
        }
        // Where the database is away the attempt alone takes longer than the period.
        self.last_progress = Some(Instant::now());
    }

    fn note(&mut self, written: Result<(), StoreError>) {
        if let Err(error) = written {
            self.failure = Some(error.into());
        }
    }

    fn store_snapshot(&self, snapshot: &Snapshot) -> Result<(), JobError> {
        let path = self.folder.path().join("snapshot");
        snapshot.write(&path).map_err(JobError::Snapshot)?;
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        // The upload is given up when it cannot be taken over, so each attempt makes its own.
        let save = async || {
            let upload = store.upload_file(&path).await?;
            match self.pause {
                Pause::Due => once(async || store.tunings().reach_end_of_rung(lease, &upload).await).await,
                _ => once(async || store.tunings().save_snapshot(lease, &upload).await).await,
            }
        };
        self.runtime.block_on(retry_slow(give_up, save))?;
        std::fs::remove_file(&path).map_err(|source| JobError::Snapshot(SnapshotError::Write { path, source }))
    }
}

impl TuneObserver for TuningFollower {
    fn cancelled(&self) -> bool {
        self.is_stopped()
    }

    fn begin(&mut self, outset: &Outset) {
        let Outset { steps, trained, snapshot_bytes, .. } = *outset;
        tracing::info!(
            steps,
            trained,
            snapshot_bytes,
            "fine-tuning begins; while a snapshot is replaced there are two"
        );
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        let begin = async || store.tunings().begin(lease, snapshot_bytes).await;
        let written = self.runtime.block_on(retry(give_up, begin));
        self.note(written);
        self.last_snapshot = Instant::now();
    }

    fn step(&mut self, progress: &Steps) -> Wish {
        self.steps = progress.total.unwrap_or(0);
        self.report(EPOCHS_PHASE, progress.steps, self.steps);
        if self.last_snapshot.elapsed() >= self.snapshot_period { Wish::Save } else { Wish::Continue }
    }

    fn epoch(&mut self, epoch: &Epoch) -> Wish {
        tracing::info!(epoch = epoch.epoch, loss = epoch.loss, top1 = epoch.validation.top1, "epoch");
        let (store, lease) = (&self.store, &self.lease);
        let give_up = || self.cancel.is_set();
        let record = async || store.tunings().record_epoch(lease, epoch).await;
        let written = self.runtime.block_on(retry(give_up, record));
        self.note(written);
        self.last_progress = None;
        self.report(EPOCHS_PHASE, epoch.steps, self.steps);
        if matches!(self.pause, Pause::After(last) if epoch.epoch >= last) {
            self.pause = Pause::Due;
        }
        Wish::Save
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Flow {
        if self.is_stopped() {
            return Flow::Stop;
        }
        if let Err(error) = self.store_snapshot(snapshot) {
            self.failure = Some(error);
            return Flow::Stop;
        }
        if self.pause == Pause::Due {
            self.pause = Pause::Done;
            return Flow::Stop;
        }
        self.last_snapshot = Instant::now();
        self.offers.offer(&self.runtime, &self.cancel);
        Flow::Go
    }
}

/// For the images, which are decoded before the first step.
impl Observer for TuningFollower {
    fn cancelled(&self) -> bool {
        self.is_stopped()
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        self.report(phase.name(), done, total);
    }

    fn baseline(&mut self, _baseline: Baseline) -> Flow {
        Flow::Go
    }

    fn candidate(&mut self, _candidate: Candidate) -> Flow {
        Flow::Go
    }

    fn evaluation(&mut self, _index: u32, _evaluation: Evaluation) -> Flow {
        Flow::Go
    }

    fn warning(&mut self, _warning: Warning) -> Flow {
        Flow::Go
    }
}

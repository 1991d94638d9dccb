//! Tells on standard error how fine-tuning goes, and keeps its snapshots.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use eagleeye_engine::{Flow, Outset, Progress, Snapshot, SnapshotError, TuneObserver, Wish};
use eagleeye_spec::Epoch;

use crate::output::progress_line;

/// Follows one fine-tuning.
pub struct Follower {
    snapshots: Option<PathBuf>,
    every: Duration,
    last: Instant,
    /// Why no snapshot can be kept.
    pub failed: Option<SnapshotError>,
}

impl Follower {
    /// Keeps snapshots in a file, if it is given, and at least so often.
    pub fn new(snapshots: Option<PathBuf>, every: Duration) -> Self {
        Self { snapshots, every, last: Instant::now(), failed: None }
    }

    fn wish(&self, is_due: bool) -> Wish {
        if is_due && self.snapshots.is_some() { Wish::Save } else { Wish::Continue }
    }
}

impl TuneObserver for Follower {
    fn cancelled(&self) -> bool {
        false
    }

    fn begin(&mut self, outset: &Outset) {
        if self.snapshots.is_some() {
            let megabytes = outset.snapshot_bytes as f64 / 1e6;
            tracing::info!("a snapshot takes {megabytes:.1} MB, and twice as much while it is written");
        }
        tracing::info!(
            steps = outset.steps,
            learning_rate = outset.learning_rate,
            trained = outset.trained,
            "fine-tuning begins"
        );
    }

    fn step(&mut self, progress: &Progress) -> Wish {
        let total = progress.total.map_or(String::new(), |total| format!(" of {total}"));
        progress_line(&format!("epoch {}: step {}{total}", progress.epoch, progress.steps));
        self.wish(self.last.elapsed() >= self.every)
    }

    fn epoch(&mut self, epoch: &Epoch) -> Wish {
        tracing::info!(
            epoch = epoch.epoch,
            loss = epoch.loss,
            validation_top1 = epoch.validation.top1,
            images_per_second = epoch.images_per_second,
            seconds_left = epoch.seconds_left,
            "epoch"
        );
        self.wish(true)
    }

    fn snapshot(&mut self, snapshot: &Snapshot) -> Flow {
        let Some(path) = &self.snapshots else { return Flow::Go };
        self.last = Instant::now();
        match snapshot.write(path) {
            Ok(()) => Flow::Go,
            Err(error) => {
                self.failed = Some(error);
                Flow::Stop
            }
        }
    }
}

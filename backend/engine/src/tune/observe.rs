//! What fine-tuning tells while it runs, and who is told.

use eagleeye_spec::Epoch;

use super::snapshot::Snapshot;
use crate::observer::Flow;

/// What is known before the first step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outset {
    /// Steps altogether; with a time limit alone, `None` until the first steps were timed.
    pub steps: Option<u64>,
    pub steps_per_epoch: u64,
    /// The largest learning rate.
    pub learning_rate: f64,
    /// Numbers that are trained.
    pub trained: u64,
    /// Bytes of one snapshot.
    pub snapshot_bytes: u64,
}

/// Where fine-tuning stands after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// From 1.
    pub epoch: u32,
    pub steps: u64,
    /// Steps altogether, as far as is known.
    pub total: Option<u64>,
    pub seconds: f64,
}

/// What the observer wants before the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Continue,
    /// A snapshot before the next step.
    Save,
}

/// Takes the results of fine-tuning as they come, and may stop it.
pub trait TuneObserver {
    /// Asked before every operation of every forward pass.
    fn cancelled(&self) -> bool;

    fn begin(&mut self, outset: &Outset);

    fn step(&mut self, progress: &Progress) -> Wish;

    /// After each epoch.
    fn epoch(&mut self, epoch: &Epoch) -> Wish;

    /// A snapshot that was wished for. [`Flow::Stop`] ends fine-tuning with [`super::TuneError::Cancelled`].
    fn snapshot(&mut self, snapshot: &Snapshot) -> Flow;
}

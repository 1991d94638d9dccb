//! What a search tells while it runs, and who is told.

use eagleeye_spec::{Baseline, Candidate};

/// What a search does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Decoding and normalising images; counts images.
    Images,
    /// Measuring the unpruned network for virtual batch norms, and scoring it; counts the two steps.
    Baseline,
    /// Evaluating strategies; counts them.
    Candidates,
}

impl Phase {
    /// The name that progress is reported under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Baseline => "baseline",
            Self::Candidates => "candidates",
        }
    }
}

/// Whether a search goes on after a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Go,
    Stop,
}

/// Takes a search's results as they come, and may stop it.
pub trait Observer {
    /// Asked often: before every operation of every forward pass.
    fn cancelled(&self) -> bool;
    fn phase(&mut self, phase: Phase, done: u64, total: u64);
    fn baseline(&mut self, baseline: Baseline) -> Flow;
    fn candidate(&mut self, candidate: Candidate) -> Flow;
}

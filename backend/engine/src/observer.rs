//! What a search tells while it runs, and who is told.

use eagleeye_spec::{Baseline, Candidate, Evaluation, Warning};

/// What a search does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Decoding and normalising images; counts images.
    Images,
    /// Measuring the unpruned network for virtual batch norms, and scoring it; counts the two steps.
    Baseline,
    /// Evaluating strategies for the first time; counts them.
    Candidates,
    /// Evaluating the better ones again on more images; counts these.
    Race,
    /// Scoring the winners on the test images; counts them.
    Test,
    /// Repairing the best candidates and scoring them; counts layers of all of them, of 0 until it is
    /// known how many.
    Repair,
    /// Training the best candidates for a short time and scoring them; counts steps of all of them.
    ShortTune,
    /// Measuring how long the leading candidates take.
    Latency,
}

impl Phase {
    /// The name that progress is reported under.
    pub fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Baseline => "baseline",
            Self::Candidates => "candidates",
            Self::Race => "race",
            Self::Test => "test",
            Self::Repair => "repair",
            Self::ShortTune => "short_tune",
            Self::Latency => "latency",
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
    /// A strategy that was evaluated for the first time.
    fn candidate(&mut self, candidate: Candidate) -> Flow;

    /// A further evaluation of the candidate with this index.
    fn evaluation(&mut self, index: u32, evaluation: Evaluation) -> Flow;

    /// By what [`make_by_recipe`](crate::make_by_recipe) makes the candidate with this index again, without an image: of those that
    /// are among the best when they are evaluated on all calibration images. Whoever does not keep it needs the images again.
    fn recipe(&mut self, _index: u32, _recipe: Vec<u8>) -> Flow {
        Flow::Go
    }

    /// Something that whoever uses the results should know. It may be told again when a search goes on.
    fn warning(&mut self, warning: Warning) -> Flow;
}

/// For whoever wants the result alone.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn cancelled(&self) -> bool {
        false
    }

    fn phase(&mut self, _: Phase, _: u64, _: u64) {}

    fn baseline(&mut self, _: Baseline) -> Flow {
        Flow::Go
    }

    fn candidate(&mut self, _: Candidate) -> Flow {
        Flow::Go
    }

    fn evaluation(&mut self, _: u32, _: Evaluation) -> Flow {
        Flow::Go
    }

    fn warning(&mut self, _: Warning) -> Flow {
        Flow::Go
    }
}

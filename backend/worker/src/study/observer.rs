//! Writes down what a study finds.

use std::time::Duration;

use eagleeye_engine::{Flow, Observer, Phase, StudyObserver, TuneObserver, Tuned};
use eagleeye_spec::{Baseline, Candidate, Evaluation, Warning};
use eagleeye_study::Tuning;

use super::arguments::Share;
use super::results::{Results, ResultsError};
use crate::output::progress_line;
use crate::search::Told;
use crate::tune::Follower;

/// Keeps what the search and the fine-tunings tell.
pub struct Recorder<'a> {
    pub results: &'a mut Results,
    pub told: Told,
    /// Why nothing more can be kept.
    pub failed: Option<ResultsError>,
}

/// Goes on where something was kept, and remembers why it was not.
fn flow(kept: Result<(), ResultsError>, failed: &mut Option<ResultsError>) -> Flow {
    match kept {
        Ok(()) => Flow::Go,
        Err(error) => {
            *failed = Some(error);
            Flow::Stop
        }
    }
}

impl Observer for Recorder<'_> {
    fn cancelled(&self) -> bool {
        false
    }

    fn phase(&mut self, phase: Phase, done: u64, total: u64) {
        self.told.phase(phase, done, total);
    }

    fn baseline(&mut self, baseline: Baseline) -> Flow {
        self.told.baseline(baseline)
    }

    fn candidate(&mut self, candidate: Candidate) -> Flow {
        flow(self.results.add_candidate(candidate), &mut self.failed)
    }

    fn evaluation(&mut self, index: u32, evaluation: Evaluation) -> Flow {
        flow(self.results.add_evaluation(index, evaluation), &mut self.failed)
    }

    fn warning(&mut self, warning: Warning) -> Flow {
        self.told.warning(warning)
    }
}

/// Keeps the fine-tunings of this process.
pub struct Tunings<'a> {
    pub results: &'a mut Results,
    /// The fine-tunings of all processes, in their order.
    pub all: Vec<(u32, u64)>,
    pub share: Share,
    /// Images that networks are scored on after each epoch and at the end.
    pub images: (u64, u64),
    pub follower: Follower,
    pub failed: Option<ResultsError>,
}

impl StudyObserver for Tunings<'_> {
    fn is_done(&self, candidate: u32, seed: u64) -> bool {
        let place = self.all.iter().position(|&each| each == (candidate, seed));
        let is_own = place.is_some_and(|place| place as u32 % self.share.of == self.share.number);
        !is_own || self.results.is_tuned(candidate, seed)
    }

    fn begin(&mut self, candidate: u32, seed: u64) -> &mut dyn TuneObserver {
        progress_line("");
        tracing::info!(candidate, seed, done = self.results.tunings(), of = self.all.len(), "fine-tuning");
        self.follower = Follower::new(None, Duration::MAX);
        &mut self.follower
    }

    fn tuned(&mut self, candidate: u32, seed: u64, tuned: Tuned, seconds: f64) -> Flow {
        let (validation_images, test_images) = self.images;
        let by_epoch = tuned.epochs.iter().map(|epoch| epoch.validation.top1).collect();
        let tuning = Tuning {
            seed,
            validation: tuned.validation,
            validation_images,
            test: tuned.test,
            test_images,
            by_epoch,
            seconds,
        };
        flow(self.results.add_tuning(candidate, tuning), &mut self.failed)
    }
}

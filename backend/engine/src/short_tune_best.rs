//! The leading candidates of each budget, trained for a short time: the usual way of judging, which adaptive batch norm replaces,
//! for those who want to see whether both agree.

use eagleeye_spec::{Candidate, Epoch, EvaluationKind, Warning};

use crate::further::{Making, Place};
use crate::judge::Judge;
use crate::network::Network;
use crate::observer::{Flow, Observer, Phase};
use crate::search_error::SearchError;
use crate::tune::{Outset, Progress, Snapshot, TuneObserver, Wish};

/// The steps of one candidate's training, once they are known.
pub struct ShortTunings(u64);

impl Making for ShortTunings {
    const KIND: EvaluationKind = EvaluationKind::ShortTuned;

    fn begin(_: &Judge, observer: &mut dyn Observer) -> Result<Self, SearchError> {
        observer.phase(Phase::ShortTune, 0, 0);
        Ok(Self(0))
    }

    fn make(
        &mut self,
        judge: &Judge,
        candidate: &Candidate,
        place: Place,
        observer: &mut dyn Observer,
    ) -> Result<Network, SearchError> {
        judge.short_tuned(candidate, &mut Steps { observer, place, steps: &mut self.0 })
    }

    fn end(self, of: u64, observer: &mut dyn Observer) {
        observer.phase(Phase::ShortTune, of * self.0, of * self.0);
    }

    fn failed(index: u32, reason: &str) -> Warning {
        Warning::not_short_tuned(index, reason)
    }
}

/// Tells the steps of one candidate as those of all.
struct Steps<'a> {
    observer: &'a mut dyn Observer,
    place: Place,
    /// Of one candidate.
    steps: &'a mut u64,
}

impl TuneObserver for Steps<'_> {
    fn cancelled(&self) -> bool {
        self.observer.cancelled()
    }

    fn begin(&mut self, outset: &Outset) {
        *self.steps = outset.steps.unwrap_or_default();
    }

    fn step(&mut self, progress: &Progress) -> Wish {
        let done = self.place.done * *self.steps + progress.steps;
        self.observer.phase(Phase::ShortTune, done, self.place.of * *self.steps);
        Wish::Continue
    }

    fn epoch(&mut self, _: &Epoch) -> Wish {
        Wish::Continue
    }

    fn snapshot(&mut self, _: &Snapshot) -> Flow {
        Flow::Go
    }
}

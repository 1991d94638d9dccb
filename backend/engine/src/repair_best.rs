//! The leading candidates of each budget, repaired: what closed-form reconstruction makes of them, beside adaptive batch norm.

use std::cell::RefCell;

use eagleeye_spec::{Candidate, EvaluationKind, Warning};

use crate::further::{Making, Place};
use crate::judge::Judge;
use crate::network::Network;
use crate::observer::{Observer, Phase};
use crate::repair::{Follow, FullOutputs};
use crate::search_error::SearchError;

/// All repairs of a search are fitted to the full network's outputs.
pub struct Repairs(FullOutputs);

impl Making for Repairs {
    const KIND: EvaluationKind = EvaluationKind::Repaired;

    fn begin(judge: &Judge, observer: &mut dyn Observer) -> Result<Self, SearchError> {
        observer.phase(Phase::Repair, 0, 0);
        Ok(Self(judge.full_outputs(&|| observer.cancelled())?))
    }

    fn make(
        &mut self,
        judge: &Judge,
        candidate: &Candidate,
        place: Place,
        observer: &mut dyn Observer,
    ) -> Result<Network, SearchError> {
        let observer = RefCell::new(observer);
        let progress = |layer, layers| {
            observer.borrow_mut().phase(Phase::Repair, place.done * layers + layer, place.of * layers);
        };
        let cancelled = || observer.borrow().cancelled();
        judge.repaired(&self.0, candidate, &Follow { cancelled: &cancelled, progress: &progress })
    }

    fn end(self, of: u64, observer: &mut dyn Observer) {
        let layers = of * self.0.layers();
        observer.phase(Phase::Repair, layers, layers);
    }

    fn failed(index: u32, reason: &str) -> Warning {
        Warning::not_repaired(index, reason)
    }
}

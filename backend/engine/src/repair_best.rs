//! The leading candidates of each budget, repaired: what closed-form reconstruction makes of them, beside adaptive batch norm.

use std::cell::RefCell;
use std::time::Instant;

use eagleeye_spec::Warning;

use crate::board::Board;
use crate::judge::{Judge, Target};
use crate::observer::{Observer, Phase};
use crate::race::leading;
use crate::repair::{Follow, FullOutputs};
use crate::search_error::{SearchError, stop_or_go};

/// Repairs the best `count` candidates of each budget and scores them on all scoring images, the finalists among them on the
/// test images too. What is on the board is not computed again. A repair that fails is warned of, and ends no search.
pub fn repair_best(
    count: usize,
    finalists: &[u32],
    judge: &Judge,
    board: &mut Board,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    let chosen = leading(board, count);
    let mut repairs = Repairs { judge, full: None, total: chosen.len() as u64 };
    for (done, &index) in (0..).zip(&chosen) {
        let targets = judge.unrepaired(board, index, finalists.contains(&index));
        match repairs.evaluate(done, index, &targets, board, observer) {
            // What a candidate is worth without a repair is known, and the search has its result.
            Err(error) if !matches!(error, SearchError::Cancelled) => {
                stop_or_go(observer.warning(Warning::not_repaired(index, &error.to_string())))?;
                // Where the full network's pass has failed, it would fail for all others.
                if repairs.full.is_none() {
                    return Ok(());
                }
            }
            outcome => outcome?,
        }
    }
    if let Some(full) = &repairs.full {
        let layers = repairs.total * full.layers();
        observer.phase(Phase::Repair, layers, layers);
    }
    Ok(())
}

struct Repairs<'a> {
    judge: &'a Judge<'a>,
    /// What all are fitted to, once one has to be.
    full: Option<FullOutputs>,
    /// Candidates to be repaired.
    total: u64,
}

impl Repairs<'_> {
    /// Evaluates a candidate, of which so many are done.
    fn evaluate(
        &mut self,
        done: u64,
        index: u32,
        targets: &[&Target],
        board: &mut Board,
        observer: &mut dyn Observer,
    ) -> Result<(), SearchError> {
        let mut missing = Vec::new();
        for &target in targets {
            match self.judge.repaired_twin(board, index, target) {
                Some(known) => {
                    board.add(index, known.clone());
                    stop_or_go(observer.evaluation(index, known))?;
                }
                None => missing.push(target),
            }
        }
        let Some(candidate) = board.get(index).filter(|_| !missing.is_empty()) else { return Ok(()) };
        let full = match &mut self.full {
            Some(full) => full,
            none => {
                observer.phase(Phase::Repair, 0, 0);
                none.insert(self.judge.full_outputs(&|| observer.cancelled())?)
            }
        };
        let mut started = Instant::now();
        let network = {
            let (observer, total) = (RefCell::new(&mut *observer), self.total);
            let progress = |layer, layers| {
                observer.borrow_mut().phase(Phase::Repair, done * layers + layer, total * layers);
            };
            let cancelled = || observer.borrow().cancelled();
            self.judge.repaired(full, candidate, &Follow { cancelled: &cancelled, progress: &progress })?
        };
        for target in missing {
            let evaluation = self.judge.repaired_on(target, &network, started, &|| observer.cancelled())?;
            board.add(index, evaluation.clone());
            stop_or_go(observer.evaluation(index, evaluation))?;
            started = Instant::now();
        }
        Ok(())
    }
}

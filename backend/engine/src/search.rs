//! One pruning search, as in *EagleEye* (ECCV 2020): propose strategies under each budget, prune them, adapt the batch norms'
//! statistics, score them on held-back training images, look closer at the better ones, score the winners on images that no
//! strategy was chosen by, and repair the best. Results go to an [`Observer`]; who keeps them is not decided here.

use std::cell::RefCell;

use eagleeye_spec::{Baseline, Candidate, LatencyModel, SearchRequest};

use crate::board::{Board, by_budget};
use crate::doubt;
use crate::further::evaluate_further;
use crate::images::Images;
use crate::judge::{Judge, Judged};
use crate::lanes::Lanes;
use crate::network::Network;
use crate::observer::{Observer, Phase};
use crate::race::{finalists, give, leaders, race};
use crate::repair_best::Repairs;
use crate::search_error::{SearchError, stop_or_go};
use crate::short_tune_best::ShortTunings;
use crate::warnings;

/// What is known before a search begins, or goes on.
#[derive(Debug, Default)]
pub struct Known {
    /// What an earlier call has found, in order of index.
    pub candidates: Vec<Candidate>,
    /// What tells the latency of strategies; needed where a budget limits that.
    pub latency: Option<LatencyModel>,
}

/// What a search has come to.
#[derive(Debug)]
pub struct Outcome {
    pub baseline: Baseline,
    /// All candidates, in order of index, those of an earlier call among them.
    pub candidates: Vec<Candidate>,
    /// Indices of the candidates that were scored on the test images: the best of each strategy under each budget.
    pub finalists: Vec<u32>,
    /// Indices of the candidates at the top of each budget's leaderboard.
    pub leaders: Vec<u32>,
}

impl Outcome {
    /// The best candidate of each budget.
    pub fn winners(&self) -> impl Iterator<Item = &Candidate> {
        by_budget(&self.candidates).into_values().filter_map(Board::best)
    }
}

/// Evaluates the strategies that the request's proposers propose, but for the candidates that are known.
///
/// `network` and `images` are on one device. The same network, images and request give the same candidates to the last digit
/// (but for `seconds`) on the same device with the same number of threads, whatever was evaluated before. With budgets of latency
/// the same model of latency belongs to what has to be the same.
///
/// # Errors
/// [`SearchError::Strategy`] before anything is computed when a budget is out of reach, [`SearchError::NoLatencyModel`] where one
/// is of latency and that of strategies is not known; [`SearchError::Doubt`] before the
/// first candidate when the full network is no better than chance, and after the last when the best is above the full network
/// by more than the noise.
pub fn search(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    known: Known,
    observer: &mut dyn Observer,
) -> Result<Outcome, SearchError> {
    let mut lanes = Lanes::new(network, request, known.latency.as_ref())?;
    observer.phase(Phase::Baseline, 0, 2);
    let judge = {
        let observer = RefCell::new(&mut *observer);
        Judge::new(network, images, request, &|| is_cancelled(images, &mut **observer.borrow_mut()))?
    };
    observer.phase(Phase::Baseline, 1, 2);
    let baseline = judge.baseline()?;
    stop_or_go(observer.baseline(baseline.clone()))?;
    for warning in warnings::before(&judge.labels, request, &baseline.score, &[]) {
        stop_or_go(observer.warning(warning))?;
    }
    doubt::full_network(&judge.labels, &baseline.score)?;

    let mut board = Board::new(known.candidates);
    propose(&mut lanes, &judge, &mut board, &baseline, observer)?;
    race(&judge, &mut board, observer)?;
    let finalists = finalists(&board);
    test(&finalists, &judge, &mut board, observer)?;
    for warning in warnings::after(&board, request) {
        stop_or_go(observer.warning(warning))?;
    }
    doubt::best_candidate(&judge.labels, &baseline, &board)?;
    evaluate_further::<Repairs>(request.repaired as usize, &finalists, &judge, &mut board, observer)?;
    evaluate_further::<ShortTunings>(request.short_tuned as usize, &finalists, &judge, &mut board, observer)?;
    let leaders = leaders(&board);
    Ok(Outcome { baseline, candidates: board.into_candidates(), finalists, leaders })
}

/// Whether to go on, while images come: who waits for them is told how many are there.
fn is_cancelled(images: &Images, observer: &mut dyn Observer) -> bool {
    if let Some((done, total)) = images.news() {
        observer.phase(Phase::Images, done, total);
    }
    observer.cancelled()
}

/// Evaluates each proposal on the first rung. Lanes take turns, so that strategies can be compared while they go on.
fn propose(
    lanes: &mut Lanes,
    judge: &Judge,
    board: &mut Board,
    baseline: &Baseline,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    lanes.take_up(board);
    let total = u64::from(lanes.most());
    let mut is_doubted = false;
    observer.phase(Phase::Candidates, board.len() as u64, total);
    while let Some((origin, strategy)) = lanes.next(&judge.importance)? {
        let Judged { found: candidate, recipe } = judge.first(board, origin, &strategy, &|| observer.cancelled())?;
        lanes.note(&candidate);
        if !is_doubted && let Some(warning) = warnings::above_full(&judge.labels, baseline, &candidate) {
            is_doubted = true;
            stop_or_go(observer.warning(warning))?;
        }
        board.push(candidate.clone());
        let index = candidate.index;
        stop_or_go(observer.candidate(candidate))?;
        give(recipe, index, board, observer)?;
        observer.phase(Phase::Candidates, board.len() as u64, total);
    }
    Ok(())
}

/// Scores the finalists on the test images.
fn test(finalists: &[u32], judge: &Judge, board: &mut Board, observer: &mut dyn Observer) -> Result<(), SearchError> {
    if judge.has_no_test_images() {
        return Ok(());
    }
    let total = finalists.len() as u64;
    for (done, &index) in (0..).zip(finalists) {
        observer.phase(Phase::Test, done, total);
        if let Some(Judged { found: evaluation, recipe }) = judge.test(board, index, &|| observer.cancelled())? {
            board.add(index, evaluation.clone());
            stop_or_go(observer.evaluation(index, evaluation))?;
            give(recipe, index, board, observer)?;
        }
    }
    observer.phase(Phase::Test, total, total);
    Ok(())
}

#[cfg(test)]
mod tests;

//! What a study adds to a search: scores from fewer calibration images, and the other half, in which every candidate of a search is fine-tuned from several seeds, so that what was known before can be
//! held against what became of it.

use std::time::Instant;

use eagleeye_spec::{Candidate, Evaluation, EvaluationKind, SearchRequest, TuneOptions};

use crate::images::Images;
use crate::judge::Judge;
use crate::made_again::make_again;
use crate::network::Network;
use crate::observer::{Flow, Observer, Phase};
use crate::repair::Follow;
use crate::search_error::{SearchError, stop_or_go};
use crate::tune::{TuneError, TuneImages, TuneObserver, Tuned, tune};

/// Takes the fine-tunings as they come.
pub trait StudyObserver {
    /// Whether this candidate needs no fine-tuning from this seed: an earlier call has done it, or another process does.
    fn is_done(&self, candidate: u32, seed: u64) -> bool;
    /// Who follows the fine-tuning that begins.
    fn begin(&mut self, candidate: u32, seed: u64) -> &mut dyn TuneObserver;
    /// What a fine-tuning has come to, and how many seconds it took.
    fn tuned(&mut self, candidate: u32, seed: u64, tuned: Tuned, seconds: f64) -> Flow;
}

/// Why a study ended early.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    #[error("candidate {candidate} cannot be made again: {source}")]
    Make { candidate: u32, source: SearchError },
    #[error("candidate {candidate}, seed {seed}: {source}")]
    Tune { candidate: u32, seed: u64, source: TuneError },
    #[error("stopped")]
    Stopped,
}

/// Evaluates each candidate by adaptive batch norm from fewer calibration images, too, on all scoring images; what it has already is
/// left out.
///
/// # Errors
/// The first candidate that cannot be made or scored; [`SearchError::Cancelled`] where the observer wished it.
pub fn adapt_by_fewer(
    full: &Network,
    images: &Images,
    request: &SearchRequest,
    candidates: &[Candidate],
    counts: &[u32],
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    let has = |candidate: &Candidate, count: u32| {
        let is_it =
            |e: &Evaluation| e.kind == EvaluationKind::Adapted && e.calibration_images == Some(u64::from(count));
        candidate.evaluations.iter().any(is_it)
    };
    if candidates.iter().all(|candidate| counts.iter().all(|&count| has(candidate, count))) {
        return Ok(());
    }
    let judge = Judge::new(full, images, request, &|| observer.cancelled())?;
    for (done, candidate) in candidates.iter().enumerate() {
        observer.phase(Phase::Candidates, done as u64, candidates.len() as u64);
        for &count in counts.iter().filter(|&&count| !has(candidate, count)) {
            let evaluation = judge.adapted_by(candidate, count, &|| observer.cancelled())?;
            stop_or_go(observer.evaluation(candidate.index, evaluation))?;
        }
    }
    Ok(())
}

/// Fine-tunes each candidate from each seed, one after the other: `options`, but for its seed. The same candidates, images,
/// options and seeds give the same results to the last bit on the CPU with the same number of threads, in any order.
///
/// `search` has the images that the candidates were made and scored with.
///
/// # Errors
/// The first candidate that cannot be made again or trained; [`StudyError::Stopped`] where the observer wished it.
pub fn tune_candidates(
    full: &Network,
    search: &Images,
    images: TuneImages,
    request: &SearchRequest,
    candidates: &[Candidate],
    (options, seeds): (&TuneOptions, &[u64]),
    observer: &mut dyn StudyObserver,
) -> Result<(), StudyError> {
    for candidate in candidates {
        let index = candidate.index;
        let missing: Vec<u64> = seeds.iter().copied().filter(|&seed| !observer.is_done(index, seed)).collect();
        if missing.is_empty() {
            continue;
        }
        let begin = made(full, search, request, candidate, options)?;
        for seed in missing {
            let started = Instant::now();
            let options = TuneOptions { seed, ..options.clone() };
            let tuned = tune(&begin, Some(full), images, &options, None, observer.begin(index, seed));
            let tuned = tuned.map_err(|source| StudyError::Tune { candidate: index, seed, source })?;
            if observer.tuned(index, seed, tuned, started.elapsed().as_secs_f64()) == Flow::Stop {
                return Err(StudyError::Stopped);
            }
        }
    }
    Ok(())
}

fn made(
    full: &Network,
    images: &Images,
    request: &SearchRequest,
    candidate: &Candidate,
    options: &TuneOptions,
) -> Result<Network, StudyError> {
    let follow = Follow { cancelled: &|| false, progress: &|_, _| {} };
    make_again(options.start, full, images, request, &candidate.origin.strategy, &candidate.strategy, &follow)
        .map_err(|source| StudyError::Make { candidate: candidate.index, source })
}

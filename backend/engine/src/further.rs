//! Further evaluations of the leading candidates, when a search is otherwise done: what a repair or a short training makes of them.

use std::time::Instant;

use eagleeye_spec::{Candidate, EvaluationKind, Warning};

use crate::board::Board;
use crate::judge::{Judge, Target};
use crate::network::Network;
use crate::observer::Observer;
use crate::race::leading;
use crate::search_error::{SearchError, stop_or_go};

/// How the networks are made that are evaluated.
pub trait Making: Sized {
    /// What their evaluations are called.
    const KIND: EvaluationKind;

    /// What all networks need, once one of them is made.
    fn begin(judge: &Judge, observer: &mut dyn Observer) -> Result<Self, SearchError>;

    /// A candidate's network; `place` says which of how many candidates it is.
    fn make(
        &mut self,
        judge: &Judge,
        candidate: &Candidate,
        place: Place,
        observer: &mut dyn Observer,
    ) -> Result<Network, SearchError>;

    /// Tells that all of so many candidates are done.
    fn end(self, of: u64, observer: &mut dyn Observer);

    /// What is said of a candidate whose network cannot be made.
    fn failed(index: u32, reason: &str) -> Warning;
}

/// The candidates that are done, and all of them.
#[derive(Clone, Copy)]
pub struct Place {
    pub done: u64,
    pub of: u64,
}

/// Evaluates what `M` makes of the best `count` candidates of each budget on all scoring images, the finalists among them on
/// the test images too. What is on the board is not computed again. A network that cannot be made is warned of, and ends no
/// search.
pub fn evaluate_further<M: Making>(
    count: usize,
    finalists: &[u32],
    judge: &Judge,
    board: &mut Board,
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    let chosen = leading(board, count);
    let of = chosen.len() as u64;
    let mut begun = None;
    for (done, &index) in (0..).zip(&chosen) {
        let targets = judge.lacking(M::KIND, board, index, finalists.contains(&index));
        let missing = copy_from_twins::<M>(judge, board, index, &targets, observer)?;
        let Some(candidate) = board.get(index).filter(|_| !missing.is_empty()) else { continue };
        let making = match &mut begun {
            Some(making) => making,
            none => match M::begin(judge, observer) {
                Ok(making) => none.insert(making),
                // It would fail for all others.
                Err(error) => return warn_or_end::<M>(index, error, observer),
            },
        };
        let started = Instant::now();
        let network = match making.make(judge, candidate, Place { done, of }, observer) {
            Ok(network) => network,
            // What a candidate is worth without it is known, and the search has its result.
            Err(error) => {
                warn_or_end::<M>(index, error, observer)?;
                continue;
            }
        };
        score::<M>(judge, board, index, &missing, (&network, started), observer)?;
    }
    if let Some(making) = begun {
        making.end(of, observer);
    }
    Ok(())
}

/// Takes the evaluations of a candidate that is the same network, and returns the sets of images that are left.
fn copy_from_twins<'t, 'a, M: Making>(
    judge: &Judge,
    board: &mut Board,
    index: u32,
    targets: &[&'t Target<'a>],
    observer: &mut dyn Observer,
) -> Result<Vec<&'t Target<'a>>, SearchError> {
    let mut missing = Vec::new();
    for &target in targets {
        match judge.of_twin(M::KIND, board, index, target) {
            Some(known) => {
                board.add(index, known.clone());
                stop_or_go(observer.evaluation(index, known))?;
            }
            None => missing.push(target),
        }
    }
    Ok(missing)
}

/// Scores a network, whose making began some time ago, on sets of images.
fn score<M: Making>(
    judge: &Judge,
    board: &mut Board,
    index: u32,
    targets: &[&Target],
    (network, mut started): (&Network, Instant),
    observer: &mut dyn Observer,
) -> Result<(), SearchError> {
    for target in targets {
        let evaluation = match judge.made_on(M::KIND, target, network, started, &|| observer.cancelled()) {
            Ok(evaluation) => evaluation,
            Err(error) => return warn_or_end::<M>(index, error, observer),
        };
        board.add(index, evaluation.clone());
        stop_or_go(observer.evaluation(index, evaluation))?;
        started = Instant::now();
    }
    Ok(())
}

fn warn_or_end<M: Making>(index: u32, error: SearchError, observer: &mut dyn Observer) -> Result<(), SearchError> {
    match error {
        SearchError::Cancelled => Err(error),
        other => stop_or_go(observer.warning(M::failed(index, &other.to_string()))),
    }
}

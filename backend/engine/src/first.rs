//! The first candidate of a request's strategy, for whoever wants a pruned network and no search.

use eagleeye_spec::{Baseline, Candidate, SearchRequest};

use crate::board::Board;
use crate::images::Images;
use crate::judge::{Judge, make_candidate};
use crate::lanes::{Lanes, strategy_of};
use crate::network::Network;
use crate::search_error::SearchError;

/// A candidate and what it is compared with.
#[derive(Debug)]
pub struct First {
    /// The full network on all scoring images.
    pub baseline: Baseline,
    /// With its evaluations on all scoring images, adapted and unadapted.
    pub candidate: Candidate,
    /// With adapted statistics.
    pub network: Network,
}

/// Makes and scores what the request's strategy proposes first under its budget.
///
/// # Errors
/// As [`search`](crate::search()), but for doubts. A budget of latency needs a model that a search measures, and is refused.
pub fn first_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    cancelled: &dyn Fn() -> bool,
) -> Result<First, SearchError> {
    let request = SearchRequest {
        uniform_reference: false,
        racing: false,
        vanilla_images: request.scoring_images,
        ..request.clone()
    };
    let mut lanes = Lanes::new(network, &request, None)?;
    let judge = Judge::new(network, images, &request, cancelled)?;
    let (origin, strategy) = lanes.next(&judge.importance)?.ok_or(SearchError::NoLane)?;
    let candidate = judge.first(&Board::new(Vec::new()), origin, &strategy, cancelled)?;
    let keep = strategy_of(&candidate).keep;
    let made = make_candidate(network, images, &request, &candidate.origin.strategy, &keep, cancelled)?;
    Ok(First { baseline: judge.baseline()?, candidate, network: made })
}

//! One candidate side by side: as it was pruned, with adaptive batch norm, and repaired. For whoever wants a pruned network and no
//! search.

use std::time::Instant;

use eagleeye_graph::Strategy;
use eagleeye_spec::{Candidate, LatencyModel, Origin, Score, SearchRequest};
use serde::Serialize;

use crate::images::Images;
use crate::judge::Judge;
use crate::lanes::Lanes;
use crate::maker::Made;
use crate::network::Network;
use crate::repair::{Follow, RepairOptions, Repaired, RepairedLayer};
use crate::search_error::SearchError;

/// The first candidate of a strategy.
#[derive(Debug)]
pub struct First {
    pub candidate: Candidate,
    /// With the statistics of the full network.
    pruned: Network,
    /// With statistics of its own.
    pub adapted: Network,
    pub scores: FirstScores,
    /// How long the adapted network took to make.
    pub seconds: f64,
}

/// Scores of the full network and of a candidate's networks on all scoring images.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FirstScores {
    pub full: Score,
    /// With the statistics of the full network.
    pub vanilla: Score,
    pub adaptive_bn: Score,
}

/// A candidate, and what a repair makes of it.
#[derive(Debug)]
pub struct Comparison {
    pub first: First,
    pub network: Network,
    pub score: Score,
    pub layers: Vec<RepairedLayer>,
    pub seconds: ComparedSeconds,
}

/// How long the networks took to make.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ComparedSeconds {
    pub adaptive_bn: f64,
    /// The full network's pass over the calibration images, which serves any number of candidates.
    pub full_outputs: f64,
    pub repair: f64,
}

/// Makes and scores the first candidate of a request's strategy; `latency` is needed where a budget limits that.
///
/// # Errors
/// [`SearchError::OnlyProbes`] where the strategy needs evaluations before it proposes anything.
pub fn first_candidate(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    latency: Option<&LatencyModel>,
    cancelled: &dyn Fn() -> bool,
) -> Result<First, SearchError> {
    let (request, images) = (&alone(request), &images.without_test()?);
    let judge = Judge::new(network, images, request, cancelled)?;
    let (origin, strategy) = proposed(network, request, latency, &judge)?;
    first(&judge, origin, &strategy, cancelled)
}

/// Makes and scores the first candidate of a request's strategy, and repairs it; `latency` is needed where a budget limits that.
///
/// # Errors
/// Those of [`first_candidate`], and those of a repair.
pub fn compare(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    latency: Option<&LatencyModel>,
    options: RepairOptions,
    follow: &Follow,
) -> Result<Comparison, SearchError> {
    let (request, images, cancelled) = (&alone(request), &images.without_test()?, follow.cancelled);
    let judge = Judge::new(network, images, request, cancelled)?;
    let (origin, strategy) = proposed(network, request, latency, &judge)?;
    let first = first(&judge, origin, &strategy, cancelled)?;
    let pruner = &judge.maker().pruner;
    let started = Instant::now();
    let full = pruner.full_outputs(&images.calibration, cancelled)?;
    let full_outputs = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let Repaired { network, layers } = pruner.repair(&full, &first.pruned, &strategy, options, follow)?;
    let repair = started.elapsed().as_secs_f64();
    let seconds = ComparedSeconds { adaptive_bn: first.seconds, full_outputs, repair };
    Ok(Comparison { score: judge.scored(&network, cancelled)?, first, network, layers, seconds })
}

/// Without a reference, which nobody asks for here.
fn alone(request: &SearchRequest) -> SearchRequest {
    SearchRequest { uniform_reference: false, ..request.clone() }
}

fn proposed(
    network: &Network,
    request: &SearchRequest,
    latency: Option<&LatencyModel>,
    judge: &Judge,
) -> Result<(Origin, Strategy), SearchError> {
    let mut lanes = Lanes::new(network, request, latency)?;
    let (origin, strategy) = lanes.next(&judge.importance)?.ok_or(SearchError::NoLane)?;
    if origin.is_probe {
        return Err(SearchError::OnlyProbes(origin.strategy.0));
    }
    Ok((origin, strategy))
}

fn first(
    judge: &Judge,
    origin: Origin,
    strategy: &Strategy,
    cancelled: &dyn Fn() -> bool,
) -> Result<First, SearchError> {
    let maker = judge.maker();
    let started = Instant::now();
    let Made { pruned, adapted, .. } = maker.make(strategy, maker.finally(&origin.strategy), cancelled)?;
    let adapted = adapted.network;
    let seconds = started.elapsed().as_secs_f64();
    let scores = FirstScores {
        full: judge.baseline()?.score,
        vanilla: judge.scored(&pruned, cancelled)?,
        adaptive_bn: judge.scored(&adapted, cancelled)?,
    };
    Ok(First { candidate: judge.candidate(0, origin, strategy), pruned, adapted, scores, seconds })
}

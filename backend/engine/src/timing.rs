//! What the parts of a candidate's evaluation take, for benchmarks: the search's own steps, one by one and without a race.

use std::time::Instant;

use eagleeye_spec::{Evaluation, ImageSet, RANKED_KIND, SearchRequest};
use serde::Serialize;
use tch::{Device, Kind, TchError, Tensor};

use crate::images::Images;
use crate::judge::Judge;
use crate::lanes::Lanes;
use crate::network::Network;
use crate::search_error::SearchError;

/// Seconds of the parts of one evaluation, on all calibration and all scoring images.
#[derive(Clone, Debug, Serialize)]
pub struct CandidateTimes {
    /// Drawing a strategy on the budget.
    pub proposing: f64,
    /// Cutting the channels out, and the costs of what is left.
    pub pruning: f64,
    pub adapting: f64,
    pub scoring: f64,
    pub macs: u64,
    pub top1: f64,
}

/// Evaluates up to `count` proposals of the request's strategies.
///
/// # Errors
/// As [`search`](crate::search()).
pub fn time_candidates(
    network: &Network,
    images: &Images,
    request: &SearchRequest,
    count: usize,
) -> Result<Vec<CandidateTimes>, SearchError> {
    let never = || false;
    let mut lanes = Lanes::new(network, request, None)?;
    let judge = Judge::new(network, images, request, &never)?;
    let mut times = Vec::with_capacity(count);
    while times.len() < count {
        let mut clock = Clock::start(network.device());
        let Some((origin, strategy)) = lanes.next(&judge.importance)? else { break };
        let proposing = clock.lap();
        let maker = judge.maker();
        let mut candidate = judge.candidate(times.len() as u32, origin, &strategy);
        let (plan, pruned) = maker.pruned(&strategy)?;
        let pruning = clock.lap();
        let adapted = maker.adapted(&plan, &pruned, judge.how(&candidate, maker.all()), &never)?;
        let adapting = clock.lap();
        let score = judge.scored(&adapted.network, &never)?;
        let scoring = clock.lap();
        times.push(CandidateTimes { proposing, pruning, adapting, scoring, macs: candidate.macs, top1: score.top1 });
        let rung = maker.all();
        let evaluation = Evaluation::new(RANKED_KIND, ImageSet::Scoring, u64::from(rung.scoring), score);
        candidate.evaluations.push(evaluation);
        lanes.note(&candidate);
    }
    Ok(times)
}

/// Takes the time of what a device has done, and not of what it was given to do.
struct Clock {
    device: Device,
    since: Instant,
}

impl Clock {
    fn start(device: Device) -> Self {
        Self { device, since: Instant::now() }
    }

    /// Seconds since the last lap.
    fn lap(&mut self) -> f64 {
        if let Device::Cuda(index) = self.device {
            tch::Cuda::synchronize(index as i64);
        }
        let seconds = self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        seconds
    }
}

/// Side of the matrices that the peak is measured with, and how often they are multiplied.
const PEAK_SIDE: i64 = 2048;
const PEAK_RUNS: usize = 8;

/// Multiply-adds a second of a `f32` matrix product on a device: the best of some runs.
///
/// # Errors
/// libtorch's own.
pub fn peak_macs(device: Device) -> Result<f64, TchError> {
    let a = Tensor::f_ones([PEAK_SIDE, PEAK_SIDE], (Kind::Float, device))?;
    let mut best = f64::INFINITY;
    for _ in 0..PEAK_RUNS {
        let mut clock = Clock::start(device);
        let _product = a.f_matmul(&a)?;
        best = best.min(clock.lap());
    }
    Ok((PEAK_SIDE as f64).powi(3) / best)
}

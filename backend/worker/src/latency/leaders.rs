//! How long a search's leading candidates take, and what is to be said of those that are slower than the full network.

use std::collections::BTreeMap;

use eagleeye_engine::{Network, SearchError, pruned_to};
use eagleeye_spec::{Candidate, Latency, Turns, Warning};

use crate::latency::measure::{MeasureError, Measured, measure};

/// How long they are measured, in each runtime: they take turns with the full network.
const TURNS: Turns = Turns { warm_up: 2, runs: 20, seconds: 2.0 };

/// Latencies by the candidate's index.
#[derive(Debug, Default)]
pub struct LeaderLatencies {
    pub by_index: BTreeMap<u32, Vec<Latency>>,
    /// Why there is no latency in ONNX Runtime, in a sentence that says how to get one.
    pub without_onnxruntime: Option<String>,
}

/// Why leaders were not measured.
#[derive(Debug, thiserror::Error)]
pub enum LeadersError {
    #[error(transparent)]
    Search(#[from] SearchError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
}

/// Measures candidates beside the full network, with one image in a batch.
pub fn measure_leaders<'a>(
    full: &Network,
    leaders: impl Iterator<Item = &'a Candidate>,
    cancelled: &dyn Fn() -> bool,
) -> Result<LeaderLatencies, LeadersError> {
    let mut indices = Vec::new();
    let mut networks = Vec::new();
    for candidate in leaders {
        let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
        indices.push(candidate.index);
        networks.push(pruned_to(full, &keep)?);
    }
    let networks: Vec<&Network> = networks.iter().collect();
    let Measured { pruned, without_onnxruntime, .. } = measure(full, &networks, 1, &TURNS, cancelled)?;
    Ok(LeaderLatencies { by_index: indices.into_iter().zip(pruned).collect(), without_onnxruntime })
}

/// What is to be said of winners that are slower than the full network in some runtime.
pub fn slower_winners(winners: &[u32], latencies: &BTreeMap<u32, Vec<Latency>>) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    let measured = winners.iter().filter_map(|winner| latencies.get(winner)).flatten();
    for latency in measured.filter(|latency| latency.milliseconds > latency.full_milliseconds) {
        let threads = if latency.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", latency.threads) };
        let runtime = format!("{} with {threads}", latency.runtime.name());
        warnings.push(Warning::winner_slower_than_full(latency.milliseconds, latency.full_milliseconds, &runtime));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use eagleeye_spec::{Runtime, WarningCode};

    use super::*;

    #[test]
    fn a_winner_that_is_slower_is_said_to_be_so_with_the_runtime() {
        let latency = |milliseconds, threads| Latency {
            runtime: Runtime::Onnxruntime,
            device: "cpu".to_owned(),
            threads,
            batch_size: 1,
            runs: 30,
            milliseconds,
            full_milliseconds: 0.33,
        };
        let latencies = BTreeMap::from([(3, vec![latency(0.56, 1), latency(0.2, 2)]), (4, vec![latency(0.9, 1)])]);
        let warnings = slower_winners(&[3], &latencies);
        assert_eq!(
            warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
            [WarningCode::WinnerSlowerThanFull]
        );
        assert!(warnings[0].message.contains("onnxruntime with 1 thread"), "{}", warnings[0].message);
    }
}

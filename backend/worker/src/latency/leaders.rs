//! How long a search's leading candidates take, and what is to be said of those that are slower than the full network.

use std::collections::BTreeMap;

use eagleeye_engine::{Network, SearchError, pruned_to};
use eagleeye_spec::warning::latency_budget_missed;
use eagleeye_spec::{Candidate, Latency, Measure, SearchRequest, Turns, Warning};

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

impl LeaderLatencies {
    /// What is to be said of winners that are slower than the full network in some runtime, or than their budget allows; and of a
    /// runtime that is missing.
    pub fn warnings<'a>(&self, request: &SearchRequest, winners: impl Iterator<Item = &'a Candidate>) -> Vec<Warning> {
        let winners: Vec<(u32, Option<u32>)> =
            winners.map(|candidate| (candidate.index, candidate.origin.budget)).collect();
        let indices: Vec<u32> = winners.iter().map(|(index, _)| *index).collect();
        let mut warnings = slower_than_full(&indices, &self.by_index);
        warnings.extend(missed_budgets(request, &winners, &self.by_index));
        warnings.extend(self.without_onnxruntime.as_deref().map(Warning::no_onnxruntime));
        warnings
    }
}

/// What is to be said of winners, each with its budget's place, that were measured to take more than their budget allows.
fn missed_budgets(
    request: &SearchRequest,
    winners: &[(u32, Option<u32>)],
    latencies: &BTreeMap<u32, Vec<Latency>>,
) -> Vec<Warning> {
    let budgets = request.budgets();
    let missed = winners.iter().filter_map(|(index, place)| {
        let allowed = budgets.get((*place)? as usize)?.limit(Measure::Latency)?;
        let measured = 1.0 / request.latency_of.among(latencies.get(index)?)?.speedup();
        let is_missed = latency_budget_missed(allowed, measured);
        is_missed.then(|| Warning::latency_budget_missed(allowed, measured, request.latency_of))
    });
    missed.collect()
}

fn slower_than_full(winners: &[u32], latencies: &BTreeMap<u32, Vec<Latency>>) -> Vec<Warning> {
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
    use serde_json::json;

    use super::*;

    fn latency(milliseconds: f64, threads: u32) -> Latency {
        Latency {
            runtime: Runtime::Onnxruntime,
            device: "cpu".to_owned(),
            threads,
            batch_size: 1,
            runs: 30,
            milliseconds,
            full_milliseconds: 0.33,
        }
    }

    #[test]
    fn a_winner_that_takes_more_than_its_budget_allows_is_said_to() {
        let request: SearchRequest = serde_json::from_value(json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "macs": 0.5, "budgets": [{ "latency": 0.5 }], "calibration_images": 64, "scoring_images": 96,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        }))
        .unwrap();
        let codes = |winners: &[(u32, Option<u32>)], of_thread: f64| {
            let latencies = BTreeMap::from([(3, vec![latency(of_thread, 1), latency(0.3, 2)])]);
            let warnings = missed_budgets(&request, winners, &latencies);
            warnings.iter().map(|warning| warning.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&[(3, Some(1))], 0.2), [WarningCode::LatencyBudgetMissed], "0.61 of the full network's");
        assert_eq!(codes(&[(3, Some(1))], 0.17), [], "0.52 is within what measuring is off by");
        assert_eq!(codes(&[(3, Some(0)), (3, None), (4, Some(1))], 0.2), [], "no budget of latency, or not measured");
    }

    #[test]
    fn a_winner_that_is_slower_is_said_to_be_so_with_the_runtime() {
        let latencies = BTreeMap::from([(3, vec![latency(0.56, 1), latency(0.2, 2)]), (4, vec![latency(0.9, 1)])]);
        let warnings = slower_than_full(&[3], &latencies);
        assert_eq!(
            warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
            [WarningCode::WinnerSlowerThanFull]
        );
        assert!(warnings[0].message.contains("onnxruntime with 1 thread"), "{}", warnings[0].message);
    }
}

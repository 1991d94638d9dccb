//! What tells the latency of strategies that nobody has measured: a model, fitted to networks that are measured now.

use std::num::NonZero;
use std::thread::available_parallelism;

use eagleeye_engine::Network;
use eagleeye_engine::latency::{in_libtorch, networks_to_measure};
use eagleeye_spec::latency_model::LEAST_NETWORKS;
use eagleeye_spec::{LatencyModel, LatencyOf, SearchRequest, Turns};

use crate::latency::leaders::LeadersError;
use crate::latency::measure::in_onnxruntime;

/// How long the networks are measured: they take turns.
const TURNS: Turns = Turns { warm_up: 2, runs: 30, seconds: 10.0 };

/// Why a budget of latency cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum LatencyModelError {
    #[error("a budget of latency needs measured networks: {0}")]
    Measure(LeadersError),
    #[error(
        "a budget of latency needs at least {LEAST_NETWORKS} networks of different sizes; {found} can be pruned from this one"
    )]
    TooFew { found: usize },
    #[error("a budget of latency needs times above 0; this machine's clock has measured none for one of the networks")]
    NoTime,
}

/// Measures networks of several sizes, with one image, and fits a model to them.
///
/// # Errors
/// Where ONNX Runtime is asked for and not installed, a network cannot be measured, or there are too few.
pub fn measure_model(
    full: &Network,
    request: &SearchRequest,
    cancelled: &dyn Fn() -> bool,
) -> Result<LatencyModel, LatencyModelError> {
    let failed = |error: LeadersError| LatencyModelError::Measure(error);
    let made = networks_to_measure(full, request).map_err(|error| failed(error.into()))?;
    let networks: Vec<&Network> = made.iter().map(|(_, network)| network).collect();
    let Some((first, others)) = networks.split_first() else { return Err(LatencyModelError::TooFew { found: 0 }) };
    let all = u32::try_from(available_parallelism().map_or(1, NonZero::get)).unwrap_or(1);
    let in_onnxruntime = |threads: u32| {
        let measured = in_onnxruntime(first, others, 1, &[threads], &TURNS, cancelled);
        measured.map(|of_threads| of_threads.into_iter().flatten().collect())
    };
    let latencies = match request.latency_of {
        LatencyOf::OnnxruntimeOneThread => in_onnxruntime(1),
        LatencyOf::OnnxruntimeAllThreads => in_onnxruntime(all),
        LatencyOf::Libtorch => in_libtorch(first, others, 1, &TURNS, cancelled).map_err(Into::into),
    };
    let latencies: Vec<_> = latencies.map_err(|error| failed(error.into()))?;
    let measured: Vec<_> = made.iter().map(|(work, _)| *work).zip(latencies).collect();
    if measured.len() < LEAST_NETWORKS {
        return Err(LatencyModelError::TooFew { found: measured.len() });
    }
    LatencyModel::fit(request.latency_of, &measured).ok_or(LatencyModelError::NoTime)
}

/// As [`measure_model`], where a budget limits latency.
pub fn needed_model(full: &Network, request: &SearchRequest) -> Result<Option<LatencyModel>, LatencyModelError> {
    request.limits_latency().then(|| measure_model(full, request, &|| false)).transpose()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use eagleeye_spec::Runtime;
    use serde_json::json;

    use super::*;
    use crate::latency::measure::MeasureError;

    fn network() -> Network {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mobilenet_v1.pt");
        eagleeye_engine::load(&path, Some(&[1, 1, 28, 28])).unwrap().network
    }

    fn request(of: LatencyOf) -> SearchRequest {
        serde_json::from_value(json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "latency": 0.5, "latency_of": of, "calibration_images": 64, "scoring_images": 96,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        }))
        .unwrap()
    }

    #[test]
    fn a_model_tells_that_less_takes_less_time() {
        let network = network();
        for of in LatencyOf::ALL {
            let model = measure_model(&network, &request(of), &|| false).unwrap();
            let runtime = if of == LatencyOf::Libtorch { Runtime::Libtorch } else { Runtime::Onnxruntime };
            assert_eq!((model.of, model.device.as_str()), (of, "cpu"));
            assert!(model.networks >= 8 && model.full_milliseconds > 0.0, "{model:?}");
            let made = networks_to_measure(&network, &request(of)).unwrap();
            let time = |place: usize| model.rates().time(&made[place].0) / 1e6;
            let (full, smallest) = (time(0), time(made.len() - 1));
            assert!(
                smallest < full && full < 3.0 * model.full_milliseconds,
                "{runtime:?}: {smallest} {full} {model:?}"
            );
        }
    }

    #[test]
    fn a_cancel_ends_the_measuring() {
        let cancelled = measure_model(&network(), &request(LatencyOf::default()), &|| true);
        let Err(LatencyModelError::Measure(LeadersError::Measure(MeasureError::Cancelled))) = cancelled else {
            panic!("{cancelled:?}")
        };
    }
}

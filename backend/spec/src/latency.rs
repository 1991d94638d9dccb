//! How long a network takes for one batch: measured, never estimated.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::turns::Medians;

/// The program that computes the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// ONNX Runtime's CPU provider, on the exported ONNX file.
    Onnxruntime,
    /// The engine on libtorch, with batch norms folded.
    Libtorch,
}

impl Runtime {
    /// All runtimes, in the order in which they are measured.
    pub const ALL: [Self; 2] = [Self::Onnxruntime, Self::Libtorch];

    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Onnxruntime => "onnxruntime",
            Self::Libtorch => "libtorch",
        }
    }

    /// The runtime of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|runtime| runtime.name() == name)
    }
}

/// How long a network takes for one batch, and how long the full network took in the same minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latency {
    pub runtime: Runtime,
    /// `cpu`, or `cuda:0` and so on.
    #[schema(examples("cpu"))]
    pub device: String,
    /// Threads of the CPU that one operation may use.
    #[schema(minimum = 1)]
    pub threads: u32,
    /// Images in a batch.
    #[schema(minimum = 1)]
    pub batch_size: u32,
    /// Timed runs of each network.
    #[schema(minimum = 1)]
    pub runs: u32,
    /// Median time of a batch, in milliseconds.
    #[schema(minimum = 0)]
    pub milliseconds: f64,
    /// Median time of the full network for a batch, in milliseconds. Both networks took turns.
    #[schema(minimum = 0)]
    pub full_milliseconds: f64,
}

impl Latency {
    /// How many times as fast as the full network; below 1 it is slower.
    pub fn speedup(&self) -> f64 {
        self.full_milliseconds / self.milliseconds
    }

    /// One latency for each network that took turns, the first of which is the full one.
    pub fn of_medians(medians: &Medians, runtime: Runtime, device: &str, threads: u32, batch_size: u32) -> Vec<Self> {
        let full_milliseconds = medians.milliseconds.first().copied().unwrap_or_default();
        let latency = |&milliseconds: &f64| Self {
            runtime,
            device: device.to_owned(),
            threads,
            batch_size,
            runs: medians.runs,
            milliseconds,
            full_milliseconds,
        };
        medians.milliseconds.iter().map(latency).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_answers_and_read_back() {
        for runtime in Runtime::ALL {
            assert_eq!(serde_json::to_value(runtime).unwrap(), runtime.name());
            assert_eq!(Runtime::named(runtime.name()), Some(runtime));
        }
        assert_eq!(Runtime::named("tensorrt"), None);
    }

    #[test]
    fn every_latency_is_seen_beside_the_full_networks() {
        let medians = Medians { runs: 7, milliseconds: vec![3.0, 1.5, 6.0] };
        let latencies = Latency::of_medians(&medians, Runtime::Onnxruntime, "cpu", 2, 4);
        assert_eq!(latencies.iter().map(Latency::speedup).collect::<Vec<_>>(), [1.0, 2.0, 0.5]);
        let expected = serde_json::json!({
            "runtime": "onnxruntime", "device": "cpu", "threads": 2, "batch_size": 4, "runs": 7, "milliseconds": 1.5,
            "full_milliseconds": 3.0,
        });
        assert_eq!(serde_json::to_value(&latencies[1]).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Latency>(expected).unwrap(), latencies[1]);
    }
}

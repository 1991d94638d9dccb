//! Measuring in every runtime.

use std::io;
use std::num::NonZero;
use std::thread::available_parallelism;

use eagleeye_engine::Network;
use eagleeye_engine::latency::{LatencyError as EngineError, in_libtorch, onnx_files};
use eagleeye_latency::{LatencyError as OnnxRuntimeError, OnnxRuntime};
use eagleeye_spec::{Latency, Turns};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    #[error("cannot make a temporary folder: {0}")]
    Folder(io::Error),
    #[error(transparent)]
    Engine(EngineError),
    #[error(transparent)]
    OnnxRuntime(OnnxRuntimeError),
    #[error("cancelled")]
    Cancelled,
}

impl From<EngineError> for MeasureError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Cancelled => Self::Cancelled,
            error => Self::Engine(error),
        }
    }
}

impl From<OnnxRuntimeError> for MeasureError {
    fn from(error: OnnxRuntimeError) -> Self {
        match error {
            OnnxRuntimeError::Cancelled => Self::Cancelled,
            error => Self::OnnxRuntime(error),
        }
    }
}

impl MeasureError {
    /// Whether this process is at fault, and not one of the networks.
    pub fn is_internal(&self) -> bool {
        match self {
            Self::Folder(_) | Self::Cancelled => true,
            Self::Engine(error) => !matches!(error, EngineError::Exec { .. } | EngineError::Export { .. }),
            Self::OnnxRuntime(_) => false,
        }
    }
}

/// The latencies of a full network and of pruned ones. A network has one for each runtime and number of threads, in the same
/// order.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    pub full: Vec<Latency>,
    pub pruned: Vec<Vec<Latency>>,
    /// Why there is no latency in ONNX Runtime, in a sentence that says how to get one; then there is libtorch's alone.
    pub without_onnxruntime: Option<String>,
}

/// Measures pruned networks beside the full one: in ONNX Runtime with one thread and with all, as the files that they would
/// be exported to, and in libtorch on their device. All networks take turns, so that a busy minute hits all alike.
///
/// Where ONNX Runtime is not installed, or fails, the answer says so and has libtorch's latencies alone.
///
/// # Errors
/// A network that libtorch cannot run, or [`MeasureError::Cancelled`].
pub fn measure(
    full: &Network,
    pruned: &[&Network],
    batch_size: usize,
    turns: &Turns,
    cancelled: &dyn Fn() -> bool,
) -> Result<Measured, MeasureError> {
    let (mut settings, without_onnxruntime) =
        match in_onnxruntime(full, pruned, batch_size, &numbers_of_threads(), turns, cancelled) {
            Ok(settings) => (settings, None),
            Err(MeasureError::Cancelled) => return Err(MeasureError::Cancelled),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
    settings.push(in_libtorch(full, pruned, batch_size, turns, cancelled)?);
    let of_network = |index: usize| settings.iter().filter_map(|networks| networks.get(index).cloned()).collect();
    let pruned = (1..=pruned.len()).map(of_network).collect();
    Ok(Measured { full: of_network(0), pruned, without_onnxruntime })
}

/// For each number of threads, the latencies of all networks.
pub fn in_onnxruntime(
    full: &Network,
    pruned: &[&Network],
    batch_size: usize,
    numbers_of_threads: &[u32],
    turns: &Turns,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Vec<Latency>>, MeasureError> {
    // Before anything is exported: an installation without it must not pay for that.
    let runtime = OnnxRuntime::find()?;
    let folder = tempfile::tempdir().map_err(MeasureError::Folder)?;
    let networks: Vec<&Network> = std::iter::once(full).chain(pruned.iter().copied()).collect();
    let files = onnx_files(&networks, folder.path(), cancelled)?;
    let input = full.graph.input_shape(batch_size);
    let measure = |threads| Ok(runtime.measure(&files, &input, threads, turns, cancelled)?);
    numbers_of_threads.iter().copied().map(measure).collect()
}

/// One, and all that there are.
fn numbers_of_threads() -> Vec<u32> {
    let all = available_parallelism().map_or(1, NonZero::get);
    let mut numbers = vec![1, u32::try_from(all).unwrap_or(1)];
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::path::Path;

    use super::*;

    #[test]
    fn a_cancel_ends_it_wherever_it_is() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/mobilenet_v1.pt");
        let network = eagleeye_engine::load(&path, Some(&[1, 1, 28, 28])).unwrap().network;
        let turns = Turns { warm_up: 0, runs: 1, seconds: 0.0 };
        let asked = Cell::new(0);
        let cancelled_after = |last: u32| {
            asked.set(0);
            let cancelled = || {
                asked.set(asked.get() + 1);
                asked.get() > last
            };
            measure(&network, &[&network], 1, &turns, &cancelled)
        };
        let measured = cancelled_after(u32::MAX).unwrap();
        assert_eq!(measured.without_onnxruntime, None);
        assert_eq!((measured.full.len(), measured.pruned[0].len()), (measured.full.len(), measured.full.len()));
        let total = asked.get();
        // While files are written, while ONNX Runtime loads and runs, and within libtorch's forward passes.
        for last in [0, 1, 3, 6, total / 2, total - 1] {
            assert!(matches!(cancelled_after(last), Err(MeasureError::Cancelled)), "after {last} of {total}");
            assert_eq!(asked.get(), last + 1);
        }
    }
}

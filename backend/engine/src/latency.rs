//! How long networks take on libtorch, and the files with which another runtime is measured.

use std::path::{Path, PathBuf};

use eagleeye_graph::{Activations, Work, channel_groups};
use eagleeye_spec::report::PrunableSpace;
use eagleeye_spec::{Latency, Runtime, SearchRequest, Turns, in_turn};
use eagleeye_strategy::{limited, spread};
use tch::{Cuda, Device, Kind, TchError, Tensor};

use crate::device::name;
use crate::exec::{self, ExecError, Hook};
use crate::export::{ExportError, export};
use crate::fold::fold;
use crate::made_again::pruned_to_each;
use crate::network::{Format, Network};
use crate::rewrite::RewriteError;
use crate::search_error::SearchError;
use eagleeye_torchscript::tensors::{reason, signed};

const SEED: i64 = 0;

/// Why a latency was not measured.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    #[error("network {index} is on another device than the full network")]
    Device { index: usize },
    #[error("the batch norms cannot be folded: {0}")]
    Fold(#[from] RewriteError),
    #[error("network {index} (0 is the full one): {error}")]
    Exec { index: usize, error: ExecError },
    #[error("libtorch: {0}")]
    Torch(String),
    #[error("network {index} (0 is the full one): {error}")]
    Export { index: usize, error: ExportError },
    #[error("cancelled")]
    Cancelled,
}

impl From<TchError> for LatencyError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// Measures networks that take turns on their device: the full one and pruned ones. Returns one latency for each, the full
/// network's own first.
///
/// Every network is measured with its batch norms folded, as it is scored, and is given the same random images. Operations
/// use as many threads as libtorch is set to. On a GPU a run ends when the device has finished.
///
/// # Errors
/// The network that cannot be run, or [`LatencyError::Cancelled`], asked for before every operation.
pub fn in_libtorch(
    full: &Network,
    pruned: &[&Network],
    batch_size: usize,
    turns: &Turns,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<Latency>, LatencyError> {
    let device = full.device();
    let others = pruned.iter().enumerate();
    if let Some((index, _)) = others.into_iter().find(|(_, network)| network.device() != device) {
        return Err(LatencyError::Device { index: index + 1 });
    }
    let networks = std::iter::once(&full).chain(pruned).map(|network| fold(network)).collect::<Result<Vec<_>, _>>()?;
    let images = random_images(full, batch_size, device)?;
    let run = |index: usize| {
        exec::run(&networks[index], std::slice::from_ref(&images), &mut Cancel(cancelled))
            .map(|_| finish(device))
            .map_err(|error| failed(index, error))
    };
    let medians = in_turn(networks.len(), turns, cancelled, run)?.ok_or(LatencyError::Cancelled)?;
    let threads = u32::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
    let batch_size = u32::try_from(batch_size).unwrap_or(u32::MAX);
    Ok(Latency::of_medians(&medians, Runtime::Libtorch, &name(device), threads, batch_size))
}

/// Writes the networks as ONNX files into a folder, each proven as every export is, and returns their paths in the same
/// order.
///
/// # Errors
/// The network that cannot be exported, or [`LatencyError::Cancelled`], asked for between files.
pub fn onnx_files(
    networks: &[&Network],
    folder: &Path,
    cancelled: &dyn Fn() -> bool,
) -> Result<Vec<PathBuf>, LatencyError> {
    let write = |(index, network): (usize, &&Network)| {
        if cancelled() {
            return Err(LatencyError::Cancelled);
        }
        let path = folder.join(format!("{index}.onnx"));
        match export(network, Format::Onnx, &path) {
            Ok(_) => Ok(path),
            Err(error) => Err(LatencyError::Export { index, error }),
        }
    };
    networks.iter().enumerate().map(write).collect()
}

/// Pruned networks from large to small, and what each has to do: measured, they say how long others take. The first is the full
/// network.
///
/// # Errors
/// What a search of the request would end with.
pub fn networks_to_measure(full: &Network, request: &SearchRequest) -> Result<Vec<(Work, Network)>, SearchError> {
    let groups = channel_groups(&full.graph)?;
    let activations = Activations::new(&full.graph, &groups);
    let prunable = limited(&PrunableSpace::of(&full.graph, &groups), &request.group_limits)?;
    let strategies = spread(&prunable, request.space(), request.seed);
    let work = strategies.iter().map(|strategy| prunable.cost.work_at(&activations, &strategy.keep));
    Ok(work.zip(pruned_to_each(full, &groups, &strategies)?).collect())
}

struct Cancel<'a>(&'a dyn Fn() -> bool);

impl Hook for Cancel<'_> {
    fn cancelled(&self) -> bool {
        (self.0)()
    }
}

fn failed(index: usize, error: ExecError) -> LatencyError {
    match error {
        ExecError::Cancelled => LatencyError::Cancelled,
        error => LatencyError::Exec { index, error },
    }
}

fn random_images(network: &Network, batch_size: usize, device: Device) -> Result<Tensor, TchError> {
    tch::manual_seed(SEED);
    let shape = signed(&network.graph.input_shape(batch_size));
    Tensor::f_randn(shape, (Kind::Float, Device::Cpu))?.f_to_device(device)
}

/// Waits until a device has done what it was given; a CPU has when it returns.
fn finish(device: Device) {
    if let Device::Cuda(index) = device {
        Cuda::synchronize(index as i64);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::testing::{Layers, classifier};

    /// A classifier of `[N, 3, 16, 16]` images whose layers are this wide.
    fn of_width(width: usize) -> Network {
        let mut net = Layers::new(1);
        let mut x = net.image(3, 16);
        for _ in 0..4 {
            x = net.conv(x, width, 3, 1, 1, false);
            x = net.batch_norm(x);
            x = net.relu(x);
        }
        let x = net.global_mean(x, false);
        let y = net.linear(x, 10);
        net.finish(y)
    }

    fn turns() -> Turns {
        Turns { warm_up: 1, runs: 9, seconds: 60.0 }
    }

    #[test]
    fn a_narrower_network_is_faster_and_the_full_one_is_measured_beside_it() {
        let (full, narrow, same) = (of_width(128), of_width(16), of_width(128));
        let found = in_libtorch(&full, &[&narrow, &same], 4, &turns(), &|| false).unwrap();
        assert_eq!(found.len(), 3);
        for latency in &found {
            assert_eq!((latency.runtime, latency.device.as_str()), (Runtime::Libtorch, "cpu"));
            assert_eq!((latency.threads as i32, latency.batch_size), (tch::get_num_threads(), 4));
            assert!(latency.milliseconds > 0.0 && latency.full_milliseconds == found[0].milliseconds, "{latency:?}");
        }
        assert!(found[1].speedup() > 2.0, "{found:?}");
        assert!(found[2].speedup() > 0.4 && found[2].speedup() < 2.5, "{found:?}");
    }

    #[test]
    fn a_cancel_ends_it_within_a_forward_pass() {
        let network = of_width(8);
        let asked = Cell::new(0);
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() > 7
        };
        let found = in_libtorch(&network, &[&network], 1, &turns(), &cancelled);
        assert!(matches!(found, Err(LatencyError::Cancelled)), "{found:?}");
        assert_eq!(asked.get(), 8);
        let folder = tempfile::tempdir().unwrap();
        let written = onnx_files(&[&network], folder.path(), &|| true);
        assert!(matches!(written, Err(LatencyError::Cancelled)), "{written:?}");
    }

    #[test]
    fn a_network_for_other_images_is_named_by_its_place() {
        let found = in_libtorch(&of_width(8), &[&of_width(8), &classifier(1, true)], 1, &turns(), &|| false);
        assert!(matches!(found, Err(LatencyError::Exec { index: 2, .. })), "{found:?}");
    }

    #[test]
    fn files_come_in_the_order_of_the_networks() {
        let folder = tempfile::tempdir().unwrap();
        let files = onnx_files(&[&of_width(16), &of_width(8)], folder.path(), &|| false).unwrap();
        let sizes: Vec<u64> = files.iter().map(|file| std::fs::metadata(file).unwrap().len()).collect();
        assert!(sizes[0] > 2 * sizes[1] && sizes[1] > 0, "{sizes:?}");
    }
}

//! `latency`: how long the networks of files take.

use std::path::{Path, PathBuf};

use clap::Args;
use eagleeye_engine::{DeviceChoice, Network, reason};
use eagleeye_spec::{Latency, Turns};
use serde::Serialize;

use crate::arguments::{InputShape, seconds};
use crate::failure::Failure;
use crate::latency::measure::{MeasureError, Measured, measure};
use crate::model_file::ModelFile;
use crate::output::{self, table};

#[derive(Debug, Args)]
pub struct LatencyArgs {
    /// The full network: TorchScript, ONNX, or a zip of one ONNX file with its external weights.
    full: PathBuf,
    /// Pruned networks, which take turns with the full one.
    pruned: Vec<PathBuf>,
    /// Shape of the first input, such as 1,3,224,224, if the files do not contain it.
    #[arg(long, value_name = "SHAPE")]
    input_shape: Option<InputShape>,
    /// Images in a batch.
    #[arg(long, value_name = "IMAGES", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    batch_size: u32,
    /// Timed runs of each network, of which the median is taken.
    #[arg(long, default_value_t = Turns::default().runs, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    runs: u32,
    /// Seconds after which fewer runs will do, in each runtime and with each number of threads.
    #[arg(long, default_value_t = Turns::default().seconds, value_parser = seconds)]
    seconds: f64,
    /// Device on which libtorch computes: auto, cpu or cuda:N.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Report {
    /// The full network's first.
    networks: Vec<FileLatencies>,
    /// What could not be measured, one sentence each.
    notices: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FileLatencies {
    file: String,
    latencies: Vec<Latency>,
}

pub fn latency(args: &LatencyArgs) -> Result<(), Failure> {
    let device = args.device.resolve()?;
    let shape = args.input_shape.as_ref().map(|shape| &shape.0[..]);
    let load = |path: &PathBuf| -> Result<Network, Failure> {
        let file = ModelFile::open(path)?;
        let network = eagleeye_engine::load(file.path(), shape)?.network;
        let moved = network.to_device(device);
        moved
            .map_err(|error| MeasureError::Engine(eagleeye_engine::latency::LatencyError::Torch(reason(&error))).into())
    };
    let full = load(&args.full)?;
    let pruned = args.pruned.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let pruned: Vec<&Network> = pruned.iter().collect();
    let turns = Turns { runs: args.runs, seconds: args.seconds, ..Turns::default() };
    let measured = measure(&full, &pruned, args.batch_size as usize, &turns, &|| false)?;
    let report = report(args, measured);
    if args.json { output::json(&report) } else { output::text(&describe(&report)) }
}

fn report(args: &LatencyArgs, measured: Measured) -> Report {
    let Measured { full, pruned, without_onnxruntime } = measured;
    let files = std::iter::once(&args.full).chain(&args.pruned).map(|path| shown(path));
    let latencies = std::iter::once(full).chain(pruned);
    let networks = files.zip(latencies).map(|(file, latencies)| FileLatencies { file, latencies }).collect();
    let notice = |reason| format!("Nothing was measured in ONNX Runtime: {reason}.");
    Report { networks, notices: without_onnxruntime.map(notice).into_iter().collect() }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// A line for each network and setting, those of a setting together.
fn describe(report: &Report) -> String {
    let head = ["network", "runtime", "device", "threads", "images", "runs", "ms", "speed"].map(str::to_owned).to_vec();
    let settings = report.networks.first().map_or(0, |network| network.latencies.len());
    let rows = (0..settings).flat_map(|setting| {
        report.networks.iter().filter_map(move |network| Some(row(&network.file, network.latencies.get(setting)?)))
    });
    let table = table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    report.notices.iter().fold(table, |text, notice| format!("{text}\n{notice}\n"))
}

fn row(file: &str, latency: &Latency) -> Vec<String> {
    vec![
        file.to_owned(),
        latency.runtime.name().to_owned(),
        latency.device.clone(),
        latency.threads.to_string(),
        latency.batch_size.to_string(),
        latency.runs.to_string(),
        format!("{:.3}", latency.milliseconds),
        format!("{:.2}x", latency.speedup()),
    ]
}

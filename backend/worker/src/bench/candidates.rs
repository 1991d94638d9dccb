//! What candidates of a search cost on this machine, part by part.

use std::time::Instant;

use clap::Args;
use eagleeye_engine::timing::{CandidateTimes, peak_macs, time_candidates};
use eagleeye_engine::{LIBTORCH_VERSION, device, reason};
use serde::Serialize;

use crate::bench::peak_memory;
use crate::failure::Failure;
use crate::hardware::Hardware;
use crate::output;
use crate::replaced::check_replaced;
use crate::search::SearchArgs;
use crate::search::inputs::inputs;
use crate::search::observer::Told;

#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    search: SearchArgs,
}

/// What was measured. Times are in seconds.
#[derive(Debug, Serialize)]
struct Measured {
    device: String,
    hardware: Option<String>,
    libtorch: &'static str,
    /// Threads of one operation.
    threads: i32,
    /// Multiply-adds a second of a matrix product in `f32`.
    peak_macs: f64,
    calibration_images: u64,
    scoring_images: u64,
    batch_size: u32,
    /// Reading the model, and reading and decoding all images.
    reading: f64,
    candidates: Vec<CandidateTimes>,
    /// The most memory that this process has taken.
    peak_memory_bytes: Option<u64>,
}

/// Evaluates the request's candidates one after the other and writes what each part took to `--out`.
pub fn bench(BenchArgs { search: args }: &BenchArgs) -> Result<(), Failure> {
    check_replaced([&*args.out], args.inputs())?;
    let started = Instant::now();
    let read = inputs(args, |_, images, channels| args.request(images, channels), &mut Told::default())?;
    let reading = started.elapsed().as_secs_f64();
    let on = args.device.resolve()?;
    let count = read.request.candidates.max(1) as usize;
    let candidates = time_candidates(&read.network, &read.images, &read.request, count)?;
    let measured = Measured {
        device: device::name(on),
        hardware: Hardware::of(on).name,
        libtorch: LIBTORCH_VERSION,
        threads: device::threads(),
        peak_macs: peak_macs(on).map_err(|error| Failure::Torch(reason(&error)))?,
        calibration_images: read.used.calibration,
        scoring_images: read.used.scoring,
        batch_size: read.request.batch_size,
        reading,
        candidates,
        peak_memory_bytes: peak_memory("self"),
    };
    let text = serde_json::to_vec_pretty(&measured).map_err(Failure::Json)?;
    std::fs::write(&args.out, text).map_err(|source| Failure::OutputFile { path: args.out.clone(), source })?;
    output::json(&measured)
}

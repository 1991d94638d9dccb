//! How fast a dataset's images are prepared, beside decoding alone.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use eagleeye_data::{Dataset, Files, Limits, Preprocess, Split};
use eagleeye_engine::{Batches, CHUNK, Device, Images, ImagesError, MEMORY_BYTES, Unobserved, decode_chunk};
use eagleeye_spec::{ChannelOrder, Filter, Resize};
use serde::Serialize;

use crate::bench::peak_memory;
use crate::failure::Failure;
use crate::output;
use crate::run::ForeignDataset;

/// Memory of the process that reads the dataset.
const READER_BYTES: u64 = 16_000_000_000;

/// Images of a batch.
const FIRST: usize = 128;

#[derive(Debug, Args)]
pub struct BenchImagesArgs {
    /// The dataset, as `search` takes it.
    images: PathBuf,
    /// The IDX file with the labels of IDX images.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Images are resized so that the shorter side has 8/7 of it, and cut to a square of it, as for ImageNet.
    #[arg(long, value_name = "PIXELS", default_value_t = 224)]
    side: usize,
    /// Channels of the network's input.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    channels: usize,
    /// Images that are decoded alone; all are prepared as a job does it.
    #[arg(long, value_name = "IMAGES", default_value_t = 4000)]
    alone: usize,
}

/// What was measured. Rates are in images a second.
#[derive(Debug, Serialize)]
struct Measured {
    images: usize,
    /// In this process, by all cores, nothing done with the images.
    decoding_alone: f64,
    /// By the process that reads a job's dataset, handed over and kept, on disk where they are more than so many bytes.
    prepared: f64,
    /// Seconds until a device has a first batch to compute with.
    first_batch: f64,
    memory_limit_bytes: u64,
    /// Reading all batches of what was prepared once, in the network's element type.
    batches: f64,
    /// The most that this process has taken, libtorch among it, and the one that reads the dataset.
    peak_memory_bytes: Option<u64>,
    reader_memory_bytes: Option<u64>,
}

/// Prints the rates as JSON.
pub fn bench_images(args: &BenchImagesArgs) -> Result<(), Failure> {
    let files = Files { images: args.images.clone(), labels: args.labels.clone() };
    let preprocess = preprocess(args);
    let (images, decoding_alone) = alone(&files, &preprocess, args.alone)?;

    let mut dataset =
        ForeignDataset::open(&files, READER_BYTES).map_err(|error| Failure::Arguments(error.to_string()))?;
    let all = Split { calibration: (0..images).collect(), ..Split::default() };
    let started = Instant::now();
    let (first_batch, decoded) = while_decoding(&mut dataset, &preprocess, &all, started)?;
    let prepared = images as f64 / started.elapsed().as_secs_f64();
    let reader_memory_bytes = dataset.process().and_then(|process| peak_memory(&process.to_string()));
    drop(dataset);

    let started = Instant::now();
    for first in (0..images).step_by(CHUNK) {
        let range = first..(first + CHUNK).min(images);
        let _batch = decoded.calibration.images.batch(range).map_err(ImagesError::from)?;
    }
    let batches = images as f64 / started.elapsed().as_secs_f64();
    output::json(&Measured {
        images,
        decoding_alone,
        prepared,
        first_batch,
        memory_limit_bytes: MEMORY_BYTES,
        batches,
        peak_memory_bytes: peak_memory("self"),
        reader_memory_bytes,
    })
}

/// Prepares all images as a search does it; a first batch is taken as soon as it is there.
fn while_decoding(
    dataset: &mut ForeignDataset,
    preprocess: &Preprocess,
    all: &Split,
    started: Instant,
) -> Result<(f64, Images), Failure> {
    Images::while_decoding(dataset, preprocess, all, Device::Cpu, None, &|| false, |images| {
        let pictures = &images.calibration.images;
        let _first = pictures.batch(0..FIRST.min(pictures.count())).map_err(ImagesError::from)?;
        let seconds = started.elapsed().as_secs_f64();
        images.complete(&mut Unobserved)?;
        Ok((seconds, images))
    })?
}

/// Number of a dataset's images, and how many a second are decoded alone.
fn alone(files: &Files, preprocess: &Preprocess, most: usize) -> Result<(usize, f64), Failure> {
    let dataset = Dataset::open(files, &Limits { unpacked_bytes: u64::MAX, ..Limits::default() })?;
    let some: Vec<usize> = (0..dataset.len().min(most)).collect();
    let started = Instant::now();
    for chunk in some.chunks(CHUNK) {
        decode_chunk(&dataset, preprocess, chunk)?;
    }
    Ok((dataset.len(), some.len() as f64 / started.elapsed().as_secs_f64()))
}

fn preprocess(args: &BenchImagesArgs) -> Preprocess {
    let size = (args.side as u32 * 8).div_ceil(7);
    Preprocess {
        channels: args.channels,
        height: args.side,
        width: args.side,
        mean: vec![0.5],
        deviation: vec![0.25],
        scale: 1.0 / 255.0,
        resize: Resize::ShorterSide { size },
        filter: Filter::default(),
        order: ChannelOrder::default(),
    }
}

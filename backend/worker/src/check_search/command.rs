//! `check-search`: the full network on a sample of a search's images, before the search is queued.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Instant;

use clap::Args;
use eagleeye_data::{Dataset, Files, Limits, relabelled};
use eagleeye_engine::device::set_threads;
use eagleeye_engine::precheck::sample_size;
use eagleeye_engine::{Device, Images, Relabelled, Unobserved, precheck};
use eagleeye_sandbox::Access;
use eagleeye_spec::{Precheck, Warning};

use super::request::{STDIN, read_request};
use super::sample::{draw, input_size, pixels, size_warnings};
use crate::arguments::ModelArgs;
use crate::confinement::{SandboxArgs, dataset_access, model_access};
use crate::failure::Failure;
use crate::model_file::ModelFile;
use crate::output::{self, grouped, table};

#[derive(Debug, Args)]
pub struct CheckSearchArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// IDX images, an NPZ file, a Parquet file, or an archive (zip, tar, tar.gz) of PNG or JPEG images with one folder per class or,
    /// as a WebDataset, with a `.cls` file beside each image; or a folder of class folders, of `.tar` WebDatasets or of `.parquet` files.
    #[arg(long, value_name = "FILE")]
    images: PathBuf,
    /// The IDX file with the labels of IDX images.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// The search as JSON, as `POST /searches` takes it; the ids and the budgets may be left out. `-` reads it from standard
    /// input.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// Images to score the network on; fewer are taken for a network of many MACs.
    #[arg(long, value_name = "IMAGES", default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
    /// Largest total size of the unpacked files, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().unpacked_bytes)]
    max_unpacked_bytes: u64,
    #[command(flatten)]
    sandbox: SandboxArgs,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl CheckSearchArgs {
    pub fn access(&self) -> Option<Access> {
        self.sandbox.access(|| {
            let mut access = model_access(&self.model.model);
            access.read.extend(dataset_access(&self.images, self.labels.as_ref()).read);
            access.read.extend(Some(self.request.clone()).filter(|path| path != Path::new(STDIN)));
            access
        })
    }
}

pub fn check_search(args: &CheckSearchArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let request = read_request(&args.request)?;
    set_threads(available_parallelism().map_or(1, usize::from));
    let file = ModelFile::open(&args.model.model)?;
    let loaded = eagleeye_engine::load(file.path(), args.model.shape())?;
    let files = Files { images: args.images.clone(), labels: args.labels.clone() };
    let limits = Limits { unpacked_bytes: args.max_unpacked_bytes, ..Limits::default() };
    let mut dataset = Dataset::open(&files, &limits)?;

    let input = input_size(&loaded.network.graph)?;
    let sample = draw(dataset.labels(), dataset.len(), &request, sample_size(&loaded.network, args.sample as usize))?;
    let sizes = size_warnings(loaded.guessed_shape, input, &dataset, &sample.scoring)?;
    let labels = relabelled(dataset.labels(), dataset.classes(), &request.class_order)?;
    let names = request.class_order.names(dataset.classes().iter().map(String::as_str));
    let mut dataset = Relabelled { source: &mut dataset, labels };
    let images = Images::decode(
        &mut dataset,
        &pixels(&request.preprocessing, input),
        &sample,
        Device::Cpu,
        None,
        &mut Unobserved,
    )?;
    let mut found = precheck(&loaded.network, &images.scoring, &request, &names)?;
    found.warnings.splice(0..0, sizes);
    found.seconds = started.elapsed().as_secs_f64();
    if args.json { output::json(&found) } else { output::text(&describe(&found)) }
}

fn describe(found: &Precheck) -> String {
    let share = |share: f64| format!("{:.1}%", 100.0 * share);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = match (found.score, found.intervals) {
        (Some(score), Some(intervals)) => writeln!(
            text,
            "{} of {} images are classified correctly (95% confidence: {} to {})",
            share(score.top1),
            grouped(found.images),
            share(intervals.top1.low),
            share(intervals.top1.high),
        ),
        _ => writeln!(text, "{} images without labels", grouped(found.images)),
    };
    let head = ["class", "index", "answers", "labels"].map(str::to_owned).to_vec();
    let rows = found.classes.iter();
    let rows = rows.map(|c| vec![c.name.clone(), c.index.to_string(), grouped(c.answers), grouped(c.labels)]);
    text.push('\n');
    text.push_str(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    if !found.presets.is_empty() {
        let head = ["preset".to_owned(), format!("top-1 on {} images", grouped(found.preset_images))].to_vec();
        let rows = found.presets.iter().map(|preset| vec![preset.name.clone(), share(preset.top1)]);
        text.push('\n');
        text.push_str(&table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()));
    }
    for Warning { code, message, .. } in &found.warnings {
        let _ = write!(text, "\n{}: {message}\n", code.title());
    }
    text
}

//! `read-model` and `read-dataset`: children of a job, in which its model and its dataset are read. They are locked up before
//! they read a byte, and hand over what they found: the graph and its weights, or labels and decoded images.

use std::io::{stdin, stdout};
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use clap::Args;
use eagleeye_data::{Dataset, Files, Limits, Samples};
use eagleeye_engine::device::set_threads;
use eagleeye_engine::{Loaded, decode_chunk, handover, load_narrowed};
use eagleeye_sandbox::Access;

use crate::arguments::ModelArgs;
use crate::confinement::{dataset_access, model_access};
use crate::failure::Failure;
use crate::model_file::ModelFile;
use crate::wire::{self, Opened, Wanted};

#[derive(Debug, Args)]
pub struct ReadModelArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Tensors to read it with instead of its own.
    #[arg(long, value_name = "FILE", requires = "input_shape")]
    narrowed: Option<PathBuf>,
}

impl ReadModelArgs {
    pub fn access(&self) -> Access {
        let mut access = model_access(&self.model.model);
        access.read.extend(self.narrowed.clone());
        access
    }
}

/// Writes the network to standard output.
pub fn read_model(args: &ReadModelArgs) -> Result<(), Failure> {
    set_threads(1);
    let file = ModelFile::open(&args.model.model)?;
    let loaded = match (&args.narrowed, args.model.shape()) {
        (Some(weights), Some(shape)) => {
            Loaded { network: load_narrowed(file.path(), shape, weights)?, guessed_shape: false }
        }
        _ => eagleeye_engine::load(file.path(), args.model.shape())?,
    };
    Ok(handover::write(loaded, &mut stdout().lock())?)
}

#[derive(Debug, Args)]
pub struct ReadDatasetArgs {
    images: PathBuf,
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
}

impl ReadDatasetArgs {
    pub fn access(&self) -> Access {
        dataset_access(&self.images, self.labels.as_ref())
    }
}

/// Writes the labels to standard output, and then the images that standard input asks for until it ends.
pub fn read_dataset(args: &ReadDatasetArgs) -> Result<(), Failure> {
    let files = Files { images: args.images.clone(), labels: args.labels.clone() };
    // The dataset was checked at upload, under the server's limit; so there is none on what it unpacks to here.
    let dataset = Dataset::open(&files, &Limits { unpacked_bytes: u64::MAX, ..Limits::default() })?;
    let labels = dataset.labels().iter().map(|&label| label as u32).collect();
    let opened = Opened { labels, images: dataset.len(), element: dataset.element() };
    wire::send(&opened, &mut stdout().lock())?;
    // Images are sent while the next ones are decoded.
    let (decoded, to_send) = sync_channel::<Samples>(1);
    std::thread::scope(|scope| {
        let sending = scope.spawn(move || {
            let mut output = stdout().lock();
            to_send.iter().try_for_each(|samples| wire::send_samples(&samples, &mut output))
        });
        let mut input = stdin().lock();
        while let Some(Wanted { indices, preprocess }) = wire::receive(&mut input)? {
            let samples = decode_chunk(&dataset, &preprocess, &indices)?;
            if decoded.send(samples).is_err() {
                break;
            }
        }
        drop(decoded);
        Ok(sending.join().unwrap_or_else(|panic| resume_unwind(panic))?)
    })
}

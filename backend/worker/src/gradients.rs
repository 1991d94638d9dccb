//! `gradients`: the loss and the gradients of one training step, for comparison with PyTorch's.

use std::path::PathBuf;

use clap::Args;
use eagleeye_engine::tune::write_gradients;

use crate::arguments::ModelArgs;
use crate::failure::Failure;
use crate::model_file::ModelFile;

#[derive(Debug, Args)]
pub struct GradientsArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// A safetensors file with the input `x` and `labels`.
    #[arg(long, value_name = "FILE")]
    batch: PathBuf,
    /// Where to write loss, gradients and running statistics, as safetensors.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn gradients(args: &GradientsArgs) -> Result<(), Failure> {
    let file = ModelFile::open(&args.model.model)?;
    let loaded = eagleeye_engine::load(file.path(), args.model.shape())?;
    Ok(write_gradients(&loaded.network, &args.batch, &args.out)?)
}

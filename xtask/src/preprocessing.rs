//! Preprocessing against torchvision's transforms: the committed images, or others.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::project::{cargo, command, root, say};
use crate::{project, python};

#[derive(Args)]
pub struct Options {
    /// Make the committed images, tensors and presets anew instead.
    #[arg(long)]
    write: bool,
    /// Images are drawn with it.
    #[arg(long, default_value_t = 1)]
    seed: u32,
    /// Times twenty images.
    #[arg(long, default_value_t = 20)]
    rounds: u32,
}

pub fn run(options: &Options) -> Result<()> {
    let python = python::ensure()?;
    let committed = root().join("backend/data/tests/torchvision");
    let make = |folder: &Path, arguments: &[String]| {
        project::run(command(&python).arg(committed.join("make.py")).arg(folder).args(arguments))
    };
    if options.write {
        let presets = root().join("backend/spec/tests/presets");
        project::run(command(&python).arg(presets.join("make.py")).arg(&presets))?;
        return make(&committed, &[]);
    }
    let folder = tempfile::tempdir()?;
    make(folder.path(), &[options.seed.to_string(), options.rounds.to_string()])?;
    say("preprocessing", "comparing");
    let test = ["test", "--package", "eagleeye-data", "--test", "it", "torchvision", "--", "--nocapture"];
    project::run(cargo().args(test).env("EAGLEEYE_TORCHVISION_CASES", folder.path()))
}

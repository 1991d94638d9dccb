//! Figures that this machine can measure, written to docs/benchmarks.md: what searches cost beside a peer, reading networks, the
//! server's answers, exports, other jobs, and preparing images.

mod answers;
mod exports;
mod images;
mod jobs;
mod machine;
mod measured;
mod missed;
mod page;
mod reading;
mod search;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Subcommand;

use self::missed::Missed;
use crate::matrix::{Script, script};
use crate::project::{Build, build, root};
use crate::{python, setup};

#[derive(Subcommand)]
pub enum Part {
    /// Seconds and memory that inspecting networks takes.
    Reading,
    /// How fast the server accepts searches, and what their followers cost it.
    Answers,
    /// Seconds from asking for a file of a search's winner until it can be downloaded.
    Exports,
    /// Repair, an epoch of fine-tuning, and the upload of a large dataset.
    Jobs,
    /// Preparing large datasets of JPEGs beside decoding alone; minutes, and 12 GB of disk in the meantime.
    Images,
    /// Candidates and whole searches beside PyTorch with Torch-Pruning; some ten minutes.
    Search {
        /// Folder with `fixtures/` and `peers/`.
        shared: PathBuf,
    },
    /// The same candidates in float32 and in bfloat16: seconds, and whether they come in the same order; some minutes.
    Precision {
        /// Folder with `fixtures/`.
        shared: PathBuf,
    },
}

/// Measures a part of an optimised build, or all but the search and the images; fails where a limit is missed.
pub fn run(part: Option<&Part>) -> Result<()> {
    setup::ensure()?;
    build(Build::Release)?;
    fs::create_dir_all(root().join("target/bench")).context("cannot make target/bench")?;
    let mut missed = Missed::default();
    match part {
        Some(Part::Reading) => measure_reading(&mut missed)?,
        Some(Part::Answers) => measure_answers(&mut missed)?,
        Some(Part::Exports) => measure_exports(&mut missed)?,
        Some(Part::Jobs) => measure_jobs()?,
        Some(Part::Images) => measure_images(&mut missed)?,
        Some(Part::Search { shared }) => search::measure(shared, &mut missed)?,
        Some(Part::Precision { shared }) => search::compare_precisions(shared, &mut missed)?,
        None => {
            measure_answers(&mut missed)?;
            measure_reading(&mut missed)?;
            measure_exports(&mut missed)?;
            measure_jobs()?;
        }
    }
    missed.into_result()
}

fn measure_reading(missed: &mut Missed) -> Result<()> {
    let python = python::ensure()?;
    let table = reading::measure_all(&mut exporter()?, &python, missed)?;
    page::publish("reading", "reading", None, &table)
}

fn measure_answers(missed: &mut Missed) -> Result<()> {
    let python = python::ensure()?;
    let sentences = answers::measure(&mut exporter()?, &python, missed)?;
    page::publish("answers", "answers", None, &sentences)
}

fn measure_exports(missed: &mut Missed) -> Result<()> {
    page::publish("exports", "exports", None, &exports::measure(missed)?)
}

fn measure_jobs() -> Result<()> {
    let table = jobs::measure_all(&python::ensure()?)?;
    page::publish("jobs", "jobs", None, &table)
}

fn measure_images(missed: &mut Missed) -> Result<()> {
    let table = images::measure_all(&python::ensure()?, missed)?;
    page::publish("images", "images", None, &table)
}

/// Writes torchvision's networks, each as a traced and as an ONNX file.
fn exporter() -> Result<Script> {
    let mut exporter = script(&python::ensure()?, "export.py");
    exporter.arg(root().join("target/bench")).arg("traced@stated,onnx@stated");
    Script::start(exporter)
}

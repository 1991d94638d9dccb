//! A program's seconds and memory, from its start to its end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::matrix::script;
use crate::project::{output, release_binary};

#[derive(Debug, Deserialize)]
pub struct Measured {
    pub seconds: f64,
    /// The most memory that it held, in units of 2²⁰ bytes.
    pub mb: f64,
    /// What it printed.
    pub output: String,
}

/// A program to be measured, which is given its arguments like any other.
pub fn measuring(python: &Path, program: impl AsRef<OsStr>) -> Command {
    let mut measuring = script(python, "measure.py");
    measuring.arg(program);
    measuring
}

/// A command of the optimised worker, without its logs.
pub fn measuring_worker(python: &Path, task: &str) -> Command {
    let mut measuring = measuring(python, release_binary("eagleeye-worker"));
    measuring.arg(task).env("RUST_LOG", "error");
    measuring
}

/// Runs what [`measuring`] has made.
pub fn measure(measuring: &mut Command) -> Result<Measured> {
    serde_json::from_str(&output(measuring)?).context("measure.py printed no JSON")
}

//! Figures of the README that this machine can measure: reading networks, and the server's answers.

mod answers;
mod reading;

use std::fs;

use anyhow::{Context, Result};

use crate::matrix::{Script, script};
use crate::project::{Build, build, root};
use crate::{python, setup};

/// Measures an optimised build; fails where a limit is missed.
pub fn run() -> Result<()> {
    setup::ensure()?;
    build(Build::Release)?;
    let python = python::ensure()?;
    let work = root().join("target/bench");
    fs::create_dir_all(&work).context("cannot make target/bench")?;
    let mut exporter = script(&python, "export.py");
    exporter.arg(&work).arg("traced@stated,onnx@stated");
    let mut exporter = Script::start(exporter)?;
    answers::measure(&mut exporter, &python)?;
    reading::measure_all(&mut exporter, &python)
}

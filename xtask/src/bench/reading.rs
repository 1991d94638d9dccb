//! How long it takes to read a network and find its channel groups, and how much memory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measured::{measure, measuring_worker};
use super::missed::Missed;
use crate::matrix::Script;
use crate::project::say;

/// Runs of each file; the fastest counts.
const RUNS: usize = 3;
/// Network, most seconds, most MB.
const LIMITS: [(&str, f64, f64); 3] =
    [("resnet50", 3.0, 500.0), ("densenet201", 20.0, f64::INFINITY), ("efficientnet_b7", 20.0, f64::INFINITY)];
/// A network that only grows deeper.
const DEEPER: [&str; 3] = ["mobilenet_v2*1", "mobilenet_v2*4", "mobilenet_v2*16"];
/// How much more a node may cost than in the network before, which is a quarter as deep; were the cost quadratic, it would be four times.
const LINEAR: f64 = 2.0;

struct Inspected {
    /// `traced` or `onnx`.
    format: String,
    shape: String,
    nodes: u64,
    seconds: f64,
    mb: f64,
}

impl Inspected {
    fn seconds_per_node(&self) -> f64 {
        self.seconds / self.nodes as f64
    }
}

/// Inspects networks at their usual sizes, as TorchScript and as ONNX, and returns a table.
pub fn measure_all(exporter: &mut Script, python: &Path, missed: &mut Missed) -> Result<String> {
    let mut table = "| model | format | nodes | seconds | ms a node | MB |\n|---|---|---|---|---|---|\n".to_owned();
    for (name, seconds, mb) in LIMITS {
        for inspected in inspect_both(name, exporter, python)? {
            table += &row(name, &inspected);
            let what = format!("inspecting {name} as {}", inspected.format);
            missed.at_most(seconds, inspected.seconds, format_args!("{what}, seconds"));
            missed.at_most(mb, inspected.mb, format_args!("{what}, MB"));
        }
    }
    let mut before: Vec<Inspected> = Vec::new();
    for name in DEEPER {
        let now = inspect_both(name, exporter, python)?;
        table.extend(now.iter().map(|inspected| row(name, inspected)));
        for (now, before) in now.iter().zip(&before) {
            let growth = now.seconds_per_node() / before.seconds_per_node();
            missed.at_most(LINEAR, growth, format_args!("a node of {name} against the shallower network's"));
        }
        before = now;
    }
    Ok(table)
}

fn row(name: &str, inspected: &Inspected) -> String {
    let Inspected { format, shape, nodes, seconds, mb } = inspected;
    let each = 1000.0 * inspected.seconds_per_node();
    format!("| {name} at {shape} | {format} | {nodes} | {seconds:.2} | {each:.2} | {mb:.0} |\n")
}

/// Inspects one network in both formats.
fn inspect_both(name: &str, exporter: &mut Script, python: &Path) -> Result<Vec<Inspected>> {
    say("bench", format!("inspecting {name}"));
    exporter.ask(&json!(name))?;
    let files = exporter.answer()?;
    let mut all = Vec::new();
    for file in files.as_array().context("export.py lists no files")? {
        let text = |field: &str| file[field].as_str().with_context(|| format!("export.py says no {field} of {name}"));
        let (path, shape, format) = (text("path")?, text("shape")?, text("format")?);
        let runs = (0..RUNS).map(|_| inspect(path, shape, format, python)).collect::<Result<Vec<_>>>()?;
        all.push(runs.into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).context("there was no run")?);
        fs::remove_dir_all(text("folder")?).context("cannot remove a network")?;
    }
    Ok(all)
}

fn inspect(path: &str, shape: &str, format: &str, python: &Path) -> Result<Inspected> {
    let measured = measure(measuring_worker(python, "inspect").args([path, "--input-shape", shape, "--json"]))?;
    let report: Value = serde_json::from_str(&measured.output).context("inspect printed no JSON")?;
    let operators = report["operators"].as_object().context("inspect lists no operators")?;
    let nodes = operators.values().filter_map(Value::as_u64).sum();
    let (format, shape) = (format.to_owned(), shape.to_owned());
    Ok(Inspected { format, shape, nodes, seconds: measured.seconds, mb: measured.mb })
}

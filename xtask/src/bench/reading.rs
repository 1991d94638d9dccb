//! How long it takes to read a network and find its channel groups, and how much memory.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::matrix::{Script, script};
use crate::project::{output, release_binary};

/// Runs of each file; the fastest counts.
const RUNS: usize = 3;
/// Network, most seconds, most MB.
const LIMITS: [(&str, f64, f64); 3] =
    [("resnet50", 3.0, 500.0), ("densenet201", 20.0, f64::INFINITY), ("efficientnet_b7", 20.0, f64::INFINITY)];
/// A network that only grows deeper.
const DEEPER: [&str; 3] = ["mobilenet_v2*1", "mobilenet_v2*4", "mobilenet_v2*16"];
/// How much more a node may cost than in the network before, which is a quarter as deep; were the cost quadratic, it would be four times.
const LINEAR: f64 = 2.0;

struct Measured {
    nodes: u64,
    seconds: f64,
    mb: f64,
}

/// Inspects networks at their usual sizes, as TorchScript and as ONNX; fails where a limit is missed.
pub fn measure_all(exporter: &mut Script, python: &Path) -> Result<()> {
    println!("| model | format | nodes | seconds | ms a node | MB |\n|---|---|---|---|---|---|");
    for (name, seconds, mb) in LIMITS {
        for (format, measured) in measure(name, exporter, python)? {
            ensure!(measured.seconds <= seconds, "{name} as {format} took {:.2} s, not {seconds}", measured.seconds);
            ensure!(measured.mb <= mb, "{name} as {format} took {:.0} MB, not {mb}", measured.mb);
        }
    }
    let mut before: Vec<f64> = Vec::new();
    for name in DEEPER {
        let measured = measure(name, exporter, python)?;
        let per_node: Vec<f64> = measured.iter().map(|(_, m)| m.seconds / m.nodes as f64).collect();
        for (now, before) in per_node.iter().zip(&before) {
            ensure!(*now <= before * LINEAR, "{name} takes {:.1} times as long for a node", now / before);
        }
        before = per_node;
    }
    Ok(())
}

/// Inspects one network in both formats and prints a line for each.
fn measure(name: &str, exporter: &mut Script, python: &Path) -> Result<Vec<(String, Measured)>> {
    exporter.ask(&json!(name))?;
    let files = exporter.answer()?;
    let mut all = Vec::new();
    for file in files.as_array().context("export.py lists no files")? {
        let text = |field: &str| file[field].as_str().with_context(|| format!("export.py says no {field} of {name}"));
        let (path, shape, format) = (text("path")?, text("shape")?, text("format")?.to_owned());
        let runs = (0..RUNS).map(|_| inspect(path, shape, python)).collect::<Result<Vec<_>>>()?;
        let fastest = runs.into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).context("there was no run")?;
        let Measured { nodes, seconds, mb } = fastest;
        let each = 1000.0 * seconds / nodes as f64;
        println!("| {name} at {shape} | {format} | {nodes} | {seconds:.2} | {each:.2} | {mb:.0} |");
        all.push((format, fastest));
        fs::remove_dir_all(text("folder")?).context("cannot remove a network")?;
    }
    Ok(all)
}

fn inspect(path: &str, shape: &str, python: &Path) -> Result<Measured> {
    let mut measure = script(python, "measure.py");
    measure.arg(release_binary("eagleeye-worker"));
    measure.args(["inspect", path, "--input-shape", shape, "--json"]);
    let measured: Value = serde_json::from_str(&output(&mut measure)?).context("measure.py printed no JSON")?;
    let number = |field: &str| measured[field].as_f64().with_context(|| format!("measure.py says no {field}"));
    let report: Value = serde_json::from_str(measured["output"].as_str().unwrap_or_default())?;
    let operators = report["operators"].as_object().context("inspect lists no operators")?;
    let nodes = operators.values().filter_map(Value::as_u64).sum();
    Ok(Measured { nodes, seconds: number("seconds")?, mb: number("mb")? })
}

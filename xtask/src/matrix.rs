//! Every torchvision classifier in every format: imported, pruned at half of its multiply-adds, exported in both formats, and
//! compared with the full network whose removed slices are zeroed.
//!
//! The comparison is made by PyTorch and ONNX Runtime on the exported files. A norm over channels makes another oracle
//! necessary, since zeroed channels still count in it: then the engine compares with the full network whose norms see the
//! channels that stay alone, and PyTorch and ONNX Runtime must agree on the exported files.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use crate::project::{Build, binary, build, command, output, root, say};
use crate::{python, setup};

#[derive(Args)]
pub struct Options {
    /// Of traced, scripted, onnx, onnx_bn, dynamo.
    #[arg(long, default_value = "traced,scripted,onnx,onnx_bn")]
    formats: String,
    /// The few networks that have every operator of all, for CI.
    #[arg(long, conflicts_with = "names")]
    slice: bool,
    /// Only compare multiply-adds with those of torchvision's weights, at the sizes that they are stated for.
    #[arg(long)]
    published: bool,
    /// Networks by torchvision's names; all classifiers when left out.
    names: Vec<String>,
}

/// Largest difference that counts as equal, relative to the largest logit.
const TOLERANCE: f64 = 1e-4;
/// Largest distance from published multiply-adds.
const PUBLISHED_TOLERANCE: f64 = 0.01;

/// Small networks that together have every operator that torchvision's classifiers have.
const SLICE: [&str; 10] = [
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "maxvit_t",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "shufflenet_v2_x0_5",
    "swin_v2_t",
];
/// The operators that the slice has; a network or an exporter that no longer brings one would leave it untested.
const OPERATORS: [&str; 35] = [
    "adaptive_avg_pool",
    "add",
    "avg_pool",
    "batch_norm",
    "cat",
    "clamp",
    "conv2d",
    "div",
    "exp",
    "expand",
    "gather",
    "gelu",
    "hard_sigmoid",
    "hard_swish",
    "layer_norm",
    "linear",
    "matmul",
    "max_pool",
    "mul",
    "mul_scalar",
    "pad",
    "permute",
    "pow_scalar",
    "reduce_mean",
    "reduce_sum",
    "relu",
    "reshape",
    "roll",
    "sigmoid",
    "silu",
    "slice",
    "softmax",
    "split",
    "sqrt",
    "tanh",
];

struct Row {
    model: String,
    format: String,
    outcome: Result<Checked>,
}

struct Checked {
    seconds: f64,
    groups: usize,
    units: u64,
    locked: usize,
    operators: BTreeSet<String>,
    proof: Proof,
}

enum Proof {
    /// Difference from the zeroed network, of the two exports the larger.
    Zeroed(f64),
    /// The same where norms over channels see the channels that stay alone.
    Present(f64),
    /// Multiply-adds, in units of those that are published.
    Published(f64),
}

pub fn run(options: &Options) -> Result<()> {
    setup::ensure()?;
    build(Build::Everything)?;
    let python = python::ensure()?;
    let work = root().join("target/matrix");
    fs::create_dir_all(&work).context("cannot make target/matrix")?;
    let formats = if options.published { "published" } else { &options.formats };
    let mut oracle = Oracle::start(&python)?;
    let mut rows = Vec::new();
    for name in &names(options, &python, &work)? {
        let files = output(python_script(&python, "export.py").arg(&work).arg(formats).arg(name))?;
        for line in files.lines() {
            let file: Value = serde_json::from_str(line).context("export.py printed no JSON")?;
            rows.extend(row(&file, &work, &mut oracle));
        }
    }
    let table = table(&rows);
    let path = work.join("matrix.md");
    fs::write(&path, &table).context("cannot write the table")?;
    println!("{table}");
    let failed = rows.iter().filter(|r| r.outcome.is_err()).count();
    ensure!(failed == 0, "{failed} of {} failed; the table is in {}", rows.len(), path.display());
    if options.slice { check_operators(&rows) } else { Ok(()) }
}

fn names(options: &Options, python: &Path, work: &Path) -> Result<Vec<String>> {
    if options.slice {
        return Ok(SLICE.map(str::to_owned).to_vec());
    }
    if !options.names.is_empty() {
        return Ok(options.names.clone());
    }
    let all = output(python_script(python, "export.py").arg(work).arg(&options.formats))?;
    Ok(all.lines().map(str::to_owned).collect())
}

/// A slice that misses an operator would leave it untested.
fn check_operators(rows: &[Row]) -> Result<()> {
    let covered: BTreeSet<&str> = operators(rows).into_iter().collect();
    let missing: Vec<&str> = OPERATORS.into_iter().filter(|o| !covered.contains(o)).collect();
    ensure!(missing.is_empty(), "the slice has no {}", missing.join(", "));
    Ok(())
}

fn operators(rows: &[Row]) -> Vec<&str> {
    let all: BTreeSet<&str> =
        rows.iter().filter_map(|r| r.outcome.as_ref().ok()).flat_map(|c| &c.operators).map(String::as_str).collect();
    all.into_iter().collect()
}

/// One file's row; none where the exporter itself cannot write the network.
fn row(file: &Value, work: &Path, oracle: &mut Oracle) -> Option<Row> {
    let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
    let (model, format, path) = (text("model"), text("format"), PathBuf::from(text("path")));
    if let Some(reason) = file["export_failed"].as_str() {
        say("matrix", format!("{model} cannot be exported as {format}: {reason}"));
        return None;
    }
    let outcome = match file["gflops"].as_f64() {
        Some(gflops) => compare_published(&path, &text("shape"), gflops),
        None => check(&path, &text("shape"), work, oracle),
    };
    match &outcome {
        Ok(c) => say("matrix", format!("{model} {format}: {} groups, {}", c.groups, c.proof.in_words())),
        Err(error) => say("matrix", format!("{model} {format}: {error:#}")),
    }
    for ending in ["", ".data"] {
        let _ = fs::remove_file(format!("{}{ending}", path.display()));
    }
    Some(Row { model, format, outcome })
}

fn check(full: &Path, shape: &str, work: &Path, oracle: &mut Oracle) -> Result<Checked> {
    let mut checked = inspect(full, shape)?;
    let report = work.join("report.json");
    let files = ["pt", "onnx"].map(|format| work.join(format!("pruned.{format}")));
    let (mut error, mut present): (f64, Option<f64>) = (0.0, None);
    for pruned in &files {
        let mut prune = worker("prune", full, shape);
        let text = output(prune.args(["--macs", "0.5", "--seed", "1", "--verify", "--json", "--out"]).arg(pruned))?;
        let printed: Value = serde_json::from_str(&text).context("prune printed no JSON")?;
        if is_normalised(&printed) {
            present = printed["zero_oracle"].as_f64();
            continue;
        }
        fs::write(&report, text).context("cannot write the report")?;
        let question = json!({ "full": full, "pruned": pruned, "report": report, "shape": shape });
        error = error.max(oracle.difference(&question).with_context(|| format!("as {}", pruned.display()))?);
    }
    checked.proof = match present {
        None => Proof::Zeroed(error),
        Some(present) => {
            let agree = oracle.difference(&json!({ "full": full, "same": files, "shape": shape }))?;
            Proof::Present(agree.max(present))
        }
    };
    Ok(checked)
}

/// Whether channels were removed that an operator normalises together with others.
fn is_normalised(report: &Value) -> bool {
    let groups = report["groups"].as_array().into_iter().flatten();
    groups.into_iter().any(|g| !g["normalised_by"].is_null() && g["kept"] != g["size"])
}

fn inspect(full: &Path, shape: &str) -> Result<Checked> {
    let started = Instant::now();
    let report = output(worker("inspect", full, shape).arg("--json"))?;
    let seconds = started.elapsed().as_secs_f64();
    let report: Value = serde_json::from_str(&report).context("inspect printed no JSON")?;
    let groups = report["groups"].as_array().context("inspect lists no groups")?;
    let (prunable, locked): (Vec<&Value>, Vec<&Value>) = groups.iter().partition(|g| g["prunable"] == true);
    for group in &locked {
        ensure!(group["reason"].is_string(), "group {} is locked without a reason", group["name"]);
    }
    let operators = report["operators"].as_object().context("inspect lists no operators")?;
    Ok(Checked {
        seconds,
        groups: prunable.len(),
        units: prunable.iter().filter_map(|g| g["size"].as_u64()).sum(),
        locked: locked.len(),
        operators: operators.keys().cloned().collect(),
        proof: Proof::Published(report["macs"].as_f64().context("inspect counts no multiply-adds")?),
    })
}

fn compare_published(full: &Path, shape: &str, gflops: f64) -> Result<Checked> {
    let mut checked = inspect(full, shape)?;
    let Proof::Published(macs) = checked.proof else { bail!("there are no multiply-adds to compare") };
    let ratio = macs / 1e9 / gflops;
    ensure!(
        (ratio - 1.0).abs() <= PUBLISHED_TOLERANCE,
        "{macs} multiply-adds are {ratio:.4} of the published {gflops} G"
    );
    checked.proof = Proof::Published(ratio);
    Ok(checked)
}

impl Proof {
    fn in_words(&self) -> String {
        match self {
            Self::Zeroed(error) => format!("{error:.1e}"),
            Self::Present(error) => format!("{error:.1e} (norms)"),
            Self::Published(ratio) => format!("{ratio:.4} of the published multiply-adds"),
        }
    }
}

fn worker(task: &str, file: &Path, shape: &str) -> std::process::Command {
    let mut worker = command(binary("eagleeye-worker"));
    worker.arg(task).arg(file).args(["--input-shape", shape]).env("RUST_LOG", "error");
    worker
}

fn python_script(python: &Path, name: &str) -> std::process::Command {
    let mut script = command(python);
    script.arg(root().join("xtask/python").join(name));
    script
}

/// The process that compares: importing PyTorch for each check would take longer than the check.
struct Oracle {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    fn start(python: &Path) -> Result<Self> {
        let mut script = python_script(python, "oracle.py");
        let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start Python")?;
        let questions = child.stdin.take().context("the oracle has no input")?;
        let answers = BufReader::new(child.stdout.take().context("the oracle has no output")?);
        Ok(Self { child, questions, answers })
    }

    fn difference(&mut self, question: &Value) -> Result<f64> {
        writeln!(self.questions, "{question}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line).context("the oracle gave no answer")?;
        if let Some(reason) = answer["failed"].as_str() {
            bail!("{reason}");
        }
        let error = answer["error"].as_f64().unwrap_or(f64::NAN);
        let moved = answer["moved"].as_f64().unwrap_or(0.0);
        ensure!(error <= TOLERANCE, "differs from the zeroed network by {error:.1e}");
        ensure!(moved > TOLERANCE, "pruning changed nothing, so the check proves nothing");
        Ok(error)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A line for each format, then one for each file.
fn table(rows: &[Row]) -> String {
    let mut text = "| format | files | pass |\n|---|---|---|\n".to_owned();
    let formats: BTreeSet<&str> = rows.iter().map(|r| r.format.as_str()).collect();
    for format in formats {
        let of_format: Vec<&Row> = rows.iter().filter(|r| r.format == format).collect();
        let passed = of_format.iter().filter(|r| r.outcome.is_ok()).count();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {format} | {} | {passed} |", of_format.len());
    }
    text.push_str("\n| model | format | import s | groups | units | locked | error |\n|---|---|---|---|---|---|---|\n");
    for Row { model, format, outcome } in rows {
        let _ = match outcome {
            Ok(c) => {
                let Checked { seconds, groups, units, locked, proof, .. } = c;
                let proof = proof.in_words();
                writeln!(text, "| {model} | {format} | {seconds:.2} | {groups} | {units} | {locked} | {proof} |")
            }
            Err(error) => writeln!(text, "| {model} | {format} | | | | | {error:#} |"),
        };
    }
    text.push_str("\n`(norms)`: norms over channels see the channels that stay alone, see `xtask/src/matrix.rs`.\n");
    let _ = writeln!(text, "\nOperators: {}.", operators(rows).join(", "));
    text
}

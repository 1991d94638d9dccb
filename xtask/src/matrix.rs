//! Every torchvision classifier in every format: imported, pruned at half of its multiply-adds, exported in both formats, and
//! compared with the full network whose removed slices are zeroed.

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
    /// Networks by torchvision's names; all classifiers when left out.
    names: Vec<String>,
}

/// Largest difference that counts as equal, relative to the largest logit.
const TOLERANCE: f64 = 1e-4;

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
    /// Of the two exports, the larger.
    error: f64,
}

pub fn run(options: &Options) -> Result<()> {
    setup::ensure()?;
    build(Build::Everything)?;
    let python = python::ensure()?;
    let work = root().join("target/matrix");
    fs::create_dir_all(&work).context("cannot make target/matrix")?;
    let names = match options.names.is_empty() {
        true => output(python_script(&python, "export.py").arg(&work).arg(&options.formats))?
            .lines()
            .map(str::to_owned)
            .collect(),
        false => options.names.clone(),
    };
    let mut oracle = Oracle::start(&python)?;
    let mut rows = Vec::new();
    for name in &names {
        let files = output(python_script(&python, "export.py").arg(&work).arg(&options.formats).arg(name))?;
        for line in files.lines() {
            let file: Value = serde_json::from_str(line).context("export.py printed no JSON")?;
            rows.extend(row(&file, &work, &mut oracle));
        }
    }
    let table = table(&rows);
    let path = root().join("target/matrix/matrix.md");
    fs::write(&path, &table).context("cannot write the table")?;
    println!("{table}");
    let failed = rows.iter().filter(|r| r.outcome.is_err()).count();
    ensure!(failed == 0, "{failed} of {} failed; the table is in {}", rows.len(), path.display());
    Ok(())
}

/// One file's row; none where the exporter itself cannot write the network.
fn row(file: &Value, work: &Path, oracle: &mut Oracle) -> Option<Row> {
    let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
    let (model, format, path) = (text("model"), text("format"), PathBuf::from(text("path")));
    if let Some(reason) = file["export_failed"].as_str() {
        say("matrix", format!("{model} cannot be exported as {format}: {reason}"));
        return None;
    }
    let outcome = check(&path, &text("shape"), work, oracle);
    match &outcome {
        Ok(c) => say("matrix", format!("{model} {format}: {} groups, {:.1e}", c.groups, c.error)),
        Err(error) => say("matrix", format!("{model} {format}: {error:#}")),
    }
    for ending in ["", ".data"] {
        let _ = fs::remove_file(format!("{}{ending}", path.display()));
    }
    Some(Row { model, format, outcome })
}

fn check(full: &Path, shape: &str, work: &Path, oracle: &mut Oracle) -> Result<Checked> {
    let started = Instant::now();
    let report = output(worker("inspect", full, shape).arg("--json"))?;
    let seconds = started.elapsed().as_secs_f64();
    let report: Value = serde_json::from_str(&report).context("inspect printed no JSON")?;
    let groups = report["groups"].as_array().context("inspect lists no groups")?;
    let prunable = |g: &&Value| g["prunable"] == true;
    let mut error: f64 = 0.0;
    for format in ["pt", "onnx"] {
        let pruned = work.join(format!("pruned.{format}"));
        let text = output(
            worker("prune", full, shape).args(["--macs", "0.5", "--seed", "1", "--json", "--out"]).arg(&pruned),
        )?;
        let report = work.join("report.json");
        fs::write(&report, text).context("cannot write the report")?;
        error = error.max(oracle.difference(full, &pruned, &report, shape).with_context(|| format!("as {format}"))?);
    }
    Ok(Checked {
        seconds,
        groups: groups.iter().filter(prunable).count(),
        units: groups.iter().filter(prunable).filter_map(|g| g["size"].as_u64()).sum(),
        locked: groups.iter().filter(|g| g["prunable"] != true).count(),
        error,
    })
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

    fn difference(&mut self, full: &Path, pruned: &Path, report: &Path, shape: &str) -> Result<f64> {
        writeln!(self.questions, "{}", json!({ "full": full, "pruned": pruned, "report": report, "shape": shape }))?;
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

fn table(rows: &[Row]) -> String {
    let mut text =
        "| model | format | import s | groups | units | locked | error |\n|---|---|---|---|---|---|---|\n".to_owned();
    for Row { model, format, outcome } in rows {
        // Writing to a string cannot fail.
        let _ = match outcome {
            Ok(c) => {
                let Checked { seconds, groups, units, locked, error } = c;
                writeln!(text, "| {model} | {format} | {seconds:.2} | {groups} | {units} | {locked} | {error:.1e} |")
            }
            Err(error) => writeln!(text, "| {model} | {format} | | | | | {error:#} |"),
        };
    }
    let passed = rows.iter().filter(|r| r.outcome.is_ok()).count();
    let _ = writeln!(text, "\n{passed} of {} files pass.", rows.len());
    text
}

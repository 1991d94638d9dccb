//! What one exported file must stand: inspected, pruned at half of its multiply-adds, exported in both formats, and each
//! compared with the full network whose removed slices are zeroed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::script::Script;
use crate::project::command;

/// Largest difference that counts as equal, relative to the largest logit.
const TOLERANCE: f64 = 1e-4;
/// Largest distance from published multiply-adds, in units of them.
const PUBLISHED_TOLERANCE: f64 = 0.01;
/// Half of the last digit that is published, in units of 10^9: of the smallest network it is more than the tolerance.
const PUBLISHED_ROUNDING: f64 = 0.0005;

/// A file that passed.
pub struct Checked {
    pub seconds: f64,
    pub groups: usize,
    pub units: u64,
    pub locked: usize,
    pub operators: BTreeSet<String>,
    pub proof: Proof,
}

pub enum Proof {
    /// Difference from the zeroed network, of the two exports the larger.
    Zeroed(f64),
    /// The same as the engine computes it, and how far PyTorch and ONNX Runtime agree on the two exports; for a reason.
    ByEngine(f64, Reason),
    /// Multiply-adds, in units of those that are published.
    Published(f64),
}

/// Why slices of the file's tensors cannot be zeroed to stand for removed channels.
#[derive(Clone, Copy, PartialEq)]
pub enum Reason {
    /// Norms over channels count zeroed channels too; the engine's see the channels that stay alone.
    Norms,
    /// The file computes a weight from its tensors: what is zeroed is a slice of the weight.
    Computed,
}

impl Reason {
    fn in_words(self) -> &'static str {
        match self {
            Self::Norms => "norms",
            Self::Computed => "computed",
        }
    }

    /// Of a pruned network, by what `prune` says of the groups that lost channels.
    fn read(report: &Value) -> Option<Self> {
        let pruned = || report["groups"].as_array().into_iter().flatten().filter(|g| g["kept"] != g["size"]);
        if pruned().any(|g| !g["normalised_by"].is_null()) {
            return Some(Self::Norms);
        }
        pruned().any(|g| g["computed"].as_array().is_some_and(|c| !c.is_empty())).then_some(Self::Computed)
    }
}

impl Proof {
    pub fn in_words(&self) -> String {
        match self {
            Self::Zeroed(error) => format!("{error:.1e}"),
            Self::ByEngine(error, reason) => format!("{error:.1e} ({})", reason.in_words()),
            Self::Published(ratio) => format!("{ratio:.4} of the published multiply-adds"),
        }
    }
}

/// Runs the worker on files and compares what it makes.
pub struct Checker {
    pub worker: PathBuf,
    /// A folder for pruned files.
    pub scratch: PathBuf,
    pub oracle: Script,
}

impl Checker {
    /// Proves that pruning a file in either format is right.
    ///
    /// Where zeroed slices of the file's tensors cannot stand for removed channels, the engine compares with the full network
    /// that it zeroes itself, and PyTorch and ONNX Runtime must agree on the exported files.
    pub fn prove(&mut self, full: &Path, shape: &str) -> Result<Checked> {
        let inspected = self.inspect(full, shape)?;
        let report = self.scratch.join("report.json");
        let files = ["pt", "onnx"].map(|format| self.scratch.join(format!("pruned.{format}")));
        let (mut error, mut by_engine): (f64, Option<(f64, Reason)>) = (0.0, None);
        for pruned in &files {
            let mut prune = self.task("prune", full, shape);
            prune.args(["--macs", &inspected.budget().to_string(), "--seed", "1", "--verify", "--json", "--out"]);
            let text = explained(prune.arg(pruned))?;
            let printed: Value = serde_json::from_str(&text).context("prune printed no JSON")?;
            if let Some(reason) = Reason::read(&printed) {
                let found = printed["zero_oracle"].as_f64().context("prune proved nothing")?;
                ensure!(found <= TOLERANCE, "differs from the zeroed network by {found:.1e}");
                by_engine = Some((found, reason));
                continue;
            }
            fs::write(&report, text).context("cannot write the report")?;
            let question = json!({ "full": full, "pruned": pruned, "report": report, "shape": shape });
            error = error.max(self.difference(&question).with_context(|| format!("as {}", pruned.display()))?);
        }
        let proof = match by_engine {
            None => Proof::Zeroed(error),
            Some((found, reason)) => {
                let agree = self.difference(&json!({ "full": full, "same": files, "shape": shape }))?;
                Proof::ByEngine(agree.max(found), reason)
            }
        };
        Ok(inspected.checked(proof))
    }

    /// Compares the multiply-adds of a file with published ones, in units of 10^9.
    pub fn compare_published(&self, full: &Path, shape: &str, gflops: f64) -> Result<Checked> {
        let inspected = self.inspect(full, shape)?;
        let ratio = inspected.macs / 1e9 / gflops;
        ensure!(
            (inspected.macs / 1e9 - gflops).abs() <= f64::max(PUBLISHED_TOLERANCE * gflops, PUBLISHED_ROUNDING),
            "{} multiply-adds are {ratio:.4} of the published {gflops} G",
            inspected.macs
        );
        Ok(inspected.checked(Proof::Published(ratio)))
    }

    fn inspect(&self, full: &Path, shape: &str) -> Result<Report> {
        let started = Instant::now();
        let report = explained(self.task("inspect", full, shape).arg("--json"))?;
        Report::read(&report, started.elapsed().as_secs_f64())
    }

    fn task(&self, task: &str, file: &Path, shape: &str) -> Command {
        let mut worker = command(&self.worker);
        worker.arg(task).arg(file).args(["--input-shape", shape]).env("RUST_LOG", "error");
        worker
    }

    fn difference(&mut self, question: &Value) -> Result<f64> {
        self.oracle.ask(question)?;
        let answer = self.oracle.answer()?;
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

/// What `inspect` says of a file.
struct Report {
    seconds: f64,
    macs: f64,
    groups: usize,
    units: u64,
    locked: usize,
    operators: BTreeSet<String>,
    /// Smallest budget within reach.
    smallest: f64,
}

impl Report {
    /// Half of the multiply-adds where that is within reach, else half of what is.
    fn budget(&self) -> f64 {
        if self.smallest < 0.5 { 0.5 } else { f64::midpoint(self.smallest, 1.0) }
    }

    fn read(report: &str, seconds: f64) -> Result<Self> {
        let report: Value = serde_json::from_str(report).context("inspect printed no JSON")?;
        let groups = report["groups"].as_array().context("inspect lists no groups")?;
        let (prunable, locked): (Vec<&Value>, Vec<&Value>) = groups.iter().partition(|g| g["prunable"] == true);
        for group in &locked {
            ensure!(group["reason"].is_string(), "group {} is locked without a reason", group["name"]);
        }
        let operators = report["operators"].as_object().context("inspect lists no operators")?;
        Ok(Self {
            seconds,
            macs: report["macs"].as_f64().context("inspect counts no multiply-adds")?,
            groups: prunable.len(),
            units: prunable.iter().filter_map(|g| g["size"].as_u64()).sum(),
            locked: locked.len(),
            operators: operators.keys().cloned().collect(),
            smallest: report["reachable"]["min"].as_f64().context("inspect says no budget")?,
        })
    }

    fn checked(self, proof: Proof) -> Checked {
        let Self { seconds, groups, units, locked, operators, .. } = self;
        Checked { seconds, groups, units, locked, operators, proof }
    }
}

/// What a worker prints; where it refuses, the reason that it gives is the error.
fn explained(worker: &mut Command) -> Result<String> {
    let output = worker.output().context("cannot start the worker")?;
    let said = String::from_utf8_lossy(&output.stderr);
    let reason = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
    ensure!(output.status.success(), "{reason}");
    String::from_utf8(output.stdout).context("the worker printed something that is not UTF-8")
}

//! What is measured against networks and tools that are not part of the repository.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use reqwest::blocking::multipart::Form;
use serde_json::{Value, json};

use crate::project::{Build, binary, build, command, output, say};
use crate::server::{Api, Server, free_port};
use crate::{demo, python, setup};

const NETWORKS: [&str; 3] = ["mobilenet_v1", "resnet20", "vgg"];
const FILES: [&str; 4] = ["traced.pt", "scripted.pt", "bn_kept.onnx", "bn_folded.onnx"];
const SEARCHED: [&str; 3] = ["traced.pt", "bn_kept.onnx", "bn_folded.onnx"];
/// Fraction of the multiply-adds to keep.
const TARGET: f64 = 0.5;
/// The best candidate of a search must reach this before any fine-tuning.
const GOOD_TOP1: f64 = 0.915;

/// How much of it.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Options {
    /// Skip the searches (some minutes), check pruning only.
    #[arg(long)]
    quick: bool,
    /// Write each file in one format, by turns, and search on the file without batch norms only.
    #[arg(long)]
    slice: bool,
}

/// Prunes every fixture in every format and checks it; then searches on MobileNetV1.
pub fn run(shared: &Path, Options { quick, slice }: Options) -> Result<()> {
    let shared = fs::canonicalize(shared).with_context(|| format!("there is no folder {}", shared.display()))?;
    setup::ensure()?;
    build(Build::Everything)?;
    let python = python::ensure()?;
    let scratch = tempfile::tempdir().context("cannot make a scratch folder")?;
    let mut place = 0;
    for network in NETWORKS {
        for file in FILES {
            let full = shared.join(format!("fixtures/models/{network}.{file}"));
            let round_to: &[u32] = if network == "mobilenet_v1" { &[1, 8] } else { &[1] };
            for &round_to in round_to {
                for format in formats(slice, place) {
                    check_pruning(&shared, &python, &full, scratch.path(), format, round_to)?;
                }
                place += 1;
            }
        }
    }
    match (quick, slice) {
        (true, _) => Ok(()),
        (false, true) => check_searches(&shared, &SEARCHED[2..]),
        (false, false) => check_searches(&shared, &SEARCHED),
    }
}

/// Those in which a file is written; with `slice` each second one in the other format.
fn formats(slice: bool, place: usize) -> &'static [&'static str] {
    const BOTH: [&str; 2] = ["pt", "onnx"];
    match (slice, place % 2) {
        (false, _) => &BOTH,
        (true, 0) => &BOTH[..1],
        (true, _) => &BOTH[1..],
    }
}

/// One `prune`, within 1% of the target and equal to the full network with the removed slices zeroed.
fn check_pruning(shared: &Path, python: &Path, full: &Path, scratch: &Path, format: &str, round_to: u32) -> Result<()> {
    let pruned = scratch.join(format!("pruned.{format}"));
    let mut prune = command(binary("eagleeye-worker"));
    prune.arg("prune").arg(full).args(["--input-shape", "1,1,28,28", "--macs", &TARGET.to_string(), "--seed", "7"]);
    prune.args(["--round-to", &round_to.to_string(), "--json", "--out"]).arg(&pruned).env("RUST_LOG", "warn");
    let text = output(&mut prune)?;
    let report: Value = serde_json::from_str(&text).context("prune printed no JSON")?;
    let ratio = report["macs"]["after"].as_f64().unwrap_or(0.0) / report["macs"]["before"].as_f64().unwrap_or(1.0);
    let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
    ensure!((ratio / TARGET - 1.0).abs() <= 0.01, "{name}: pruned to {ratio:.4} of the multiply-adds, not {TARGET}");

    let report = scratch.join("report.json");
    fs::write(&report, text).context("cannot write the report")?;
    let mut check = command(python);
    check.arg(shared.join("tools/check_pruned.py")).args([full, &pruned, &report]);
    let verdict = output(&mut check).with_context(|| format!("{name} as {format}, rounded to {round_to}"))?;
    say("accept", format!("{name:<28} -> {format:<4} round-to {round_to} macs {ratio:.4} {}", verdict.trim()));
    Ok(())
}

/// Searches on files of MobileNetV1 through the REST API.
fn check_searches(shared: &Path, files: &[&str]) -> Result<()> {
    let data = tempfile::tempdir().context("cannot make a scratch folder")?;
    let server = Server::start(free_port()?, data.path())?;
    let api = Api::new(&server)?;
    let images = shared.join("fixtures/fashion-mnist");
    let form = Form::new()
        .file("images", images.join("train-images-idx3-ubyte.gz"))?
        .file("labels", images.join("train-labels-idx1-ubyte.gz"))?;
    let dataset = api.upload("/datasets", form)?;
    for file in files {
        let path = shared.join(format!("fixtures/models/mobilenet_v1.{file}"));
        let model = api.upload("/models", Form::new().text("input_shape", "1,1,28,28").file("file", path)?)?;
        let search = api.post("/searches", &search_request(&model, &dataset))?;
        let search = demo::follow(&api, search["id"].as_str().context("a search without an id")?)?;
        let best = best_candidate(&api, &search)?;
        let full = search["baseline"]["score"]["top1"].as_f64().unwrap_or(f64::NAN);
        let without = best["score_without_adaptation"]["top1"].as_f64().unwrap_or(f64::NAN);
        let top1 = best["score"]["top1"].as_f64().unwrap_or(f64::NAN);
        say("accept", format!("{file:<14} full {full:.4}, best of 24 {top1:.4}, without adaptive BN {without:.4}"));
        if top1.is_nan() || top1 < GOOD_TOP1 {
            bail!("the best candidate from {file} has {top1:.4} top-1, below {GOOD_TOP1}");
        }
    }
    Ok(())
}

fn search_request(model: &Value, dataset: &Value) -> Value {
    json!({
        "model_id": model["id"],
        "dataset_id": dataset["id"],
        "macs": TARGET,
        "candidates": 24,
        "seed": 0,
        // Any channel count, as in the searches that the threshold was set by.
        "round_to": 1,
        "calibration_images": 3200,
        "scoring_images": 5000,
        "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 1.0 / 255.0 },
    })
}

fn best_candidate(api: &Api, search: &Value) -> Result<Value> {
    api.get(&format!("/candidates/{}", search["best_candidate_id"].as_str().context("no best candidate")?))
}

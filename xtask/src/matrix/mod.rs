//! Every torchvision classifier in every format: imported, pruned at half of its multiply-adds, exported in both formats, and
//! compared with the full network whose removed slices are zeroed, by PyTorch and ONNX Runtime on the exported files.

mod check;
mod figures;
mod script;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::{Value, json};

use self::check::{Checked, Checker};
pub use self::script::{Script, script};
use self::table::{Outcome, Row, operators, table};
use crate::project::{Build, binary, build, output, release_binary, root, run as run_command, say};
use crate::{python, setup};

#[derive(Args)]
pub struct Options {
    /// Of traced, scripted, onnx, onnx_bn, dynamo [default: the first four; for --timm: traced].
    #[arg(long)]
    formats: Option<String>,
    /// The few networks that have every operator of all, for CI.
    #[arg(long, conflicts_with = "names")]
    slice: bool,
    /// Only compare multiply-adds with those of torchvision's weights, at the sizes that they are stated for.
    #[arg(long)]
    published: bool,
    /// The smallest network of each of timm's families instead of torchvision's classifiers.
    #[arg(long, conflicts_with_all = ["names", "slice", "published"])]
    timm: bool,
    /// Networks by torchvision's names, or as timm/NAME; all of torchvision's classifiers when left out.
    names: Vec<String>,
}

const WORKER: &str = "eagleeye-worker";
/// Part of timm's families that must be proven; the table says why the others are refused.
const PROVEN_OF_TIMM: f64 = 0.95;

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
/// Small networks whose classes differ in what they do with channels: sums, depthwise convolutions, concatenations, and a
/// flattened image.
const REBUILT: [&str; 4] = ["resnet18", "mobilenet_v2", "densenet121", "vgg11_bn"];
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

pub fn run(options: &Options) -> Result<()> {
    setup::ensure()?;
    let worker = if options.slice {
        build(Build::Everything)?;
        binary(WORKER)
    } else {
        // Optimised: large networks have gigabytes to read and to write.
        build(Build::Release)?;
        release_binary(WORKER)
    };
    let python = python::ensure()?;
    let work = root().join("target/matrix");
    fs::create_dir_all(&work).context("cannot make target/matrix")?;
    let formats = match &options.formats {
        _ if options.published => "traced@stated",
        Some(formats) => formats,
        None if options.timm => "traced",
        None => "traced,scripted,onnx,onnx_bn",
    };
    let names = names(options, &python)?;
    let mut exporter = script(&python, "export.py");
    exporter.arg(&work).arg(formats);
    let mut exporter = Script::start(exporter)?;
    let mut checker = Checker { worker, scratch: work.clone(), oracle: Script::start(script(&python, "oracle.py"))? };
    let path = work.join("matrix.md");
    let mut rows = Vec::new();
    exporter.ask(&json!(names.first().context("no network is named")?))?;
    for (i, name) in names.iter().enumerate() {
        let files = exporter.answer()?;
        // The next network is exported while this one is checked.
        if let Some(next) = names.get(i + 1) {
            exporter.ask(&json!(next))?;
        }
        for file in files.as_array().with_context(|| format!("export.py lists no files of {name}"))? {
            rows.push(row(file, &mut checker));
            fs::write(&path, table(&rows)).context("cannot write the table")?;
        }
    }
    println!("{}", table(&rows));
    let failed = rows.iter().filter(|r| r.failed()).count();
    if options.timm {
        let tried = rows.iter().filter(|r| r.failed() || r.checked().is_some()).count();
        say("matrix", format!("{} of timm's {tried} families that can be exported are proven", tried - failed));
        ensure!(
            (tried - failed) as f64 >= PROVEN_OF_TIMM * tried as f64,
            "fewer than {PROVEN_OF_TIMM} of timm's families"
        );
        return Ok(());
    }
    ensure!(failed == 0, "{failed} of {} failed; the table is in {}", rows.len(), path.display());
    if options.slice { check_slice(&rows) } else { check_others(&rows) }
}

/// Has a script check networks, or those of the slice, with the worker.
pub fn of_slice(name: &str, names: &[String]) -> Result<()> {
    setup::ensure()?;
    build(Build::Everything)?;
    let work = root().join("target/matrix");
    fs::create_dir_all(&work).context("cannot make target/matrix")?;
    let mut comparison = script(&python::ensure()?, name);
    comparison.arg(binary(WORKER)).arg(work);
    if names.is_empty() {
        comparison.args(SLICE)
    } else {
        comparison.args(names)
    };
    run_command(&mut comparison)
}

/// Rebuilds pruned networks from their classes, in PyTorch.
pub fn state_dict(all: bool, names: &[String]) -> Result<()> {
    setup::ensure()?;
    let worker = if all {
        build(Build::Release)?;
        release_binary(WORKER)
    } else {
        build(Build::Everything)?;
        binary(WORKER)
    };
    let python = python::ensure()?;
    let work = root().join("target/matrix");
    fs::create_dir_all(&work).context("cannot make target/matrix")?;
    let listed = if all { output(script(&python, "state_dict.py").arg("--names"))? } else { String::new() };
    let mut check = script(&python, "state_dict.py");
    check.arg(worker).arg(work);
    match (all, names) {
        (true, _) => check.args(listed.lines()),
        (false, []) => check.args(REBUILT),
        (false, names) => check.args(names),
    };
    run_command(&mut check)
}

fn names(options: &Options, python: &Path) -> Result<Vec<String>> {
    if options.slice {
        return Ok(SLICE.map(str::to_owned).to_vec());
    }
    if !options.names.is_empty() {
        return Ok(options.names.clone());
    }
    let all = output(script(python, "export.py").arg(if options.timm { "--timm" } else { "--names" }))?;
    Ok(all.lines().map(str::to_owned).collect())
}

/// A slice that misses an operator would leave it untested.
fn check_slice(rows: &[Row]) -> Result<()> {
    let covered = operators(rows);
    let missing: Vec<&str> = OPERATORS.into_iter().filter(|o| !covered.contains(o)).collect();
    ensure!(missing.is_empty(), "the slice has no {}", missing.join(", "));
    Ok(())
}

/// An operator that is not in the list would not be missed in the slice.
fn check_others(rows: &[Row]) -> Result<()> {
    let others: Vec<&str> = operators(rows).into_iter().filter(|o| !OPERATORS.contains(o)).collect();
    ensure!(others.is_empty(), "the slice is not held to have {}", others.join(", "));
    Ok(())
}

/// Checks one file and removes it.
fn row(file: &Value, checker: &mut Checker) -> Row {
    let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
    let (model, format) = (text("model"), text("format"));
    let outcome = match file["export_failed"].as_str() {
        Some(reason) => Outcome::NotExported(reason.to_owned()),
        None => Outcome::Checked(check(file, checker)),
    };
    let says = match &outcome {
        Outcome::Checked(Ok(checked)) => format!("{} groups, {}", checked.groups, checked.proof.in_words()),
        Outcome::Checked(Err(error)) => format!("{error:#}"),
        Outcome::NotExported(reason) => format!("the exporter cannot write it: {reason}"),
    };
    say("matrix", format!("{model} {format}: {says}"));
    let _ = fs::remove_dir_all(text("folder"));
    Row { model, format, outcome }
}

fn check(file: &Value, checker: &mut Checker) -> Result<Checked> {
    let text = |field: &str| file[field].as_str().with_context(|| format!("export.py says no {field}"));
    let (full, shape) = (PathBuf::from(text("path")?), text("shape")?);
    if let Some(gflops) = file["gflops"].as_f64() {
        return checker.compare_published(&full, shape, gflops);
    }
    let checked = checker.prove(&full, shape)?;
    if text("format")? == "traced" {
        figures::compare(text("model")?, checked.groups, checked.units)?;
    }
    Ok(checked)
}

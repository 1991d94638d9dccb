//! Other jobs than searches, on the example: repair, an epoch of fine-tuning, and the upload of a large dataset.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result};
use reqwest::blocking::multipart::Form;
use serde_json::Value;

use super::measured::{Measured, measure, measuring_worker};
use crate::project::{release_binary, root, say};
use crate::server::{Api, Server, free_port};

/// Runs of each job; the fastest counts.
const RUNS: usize = 3;
const CALIBRATION: u32 = 1024;
const SCORING: u32 = 2000;

/// Side of the uploaded images, as of those of the example, and how many of them are 256 MB.
const SIDE: u32 = 28;
const IMAGES: u32 = 256_000_000 / (SIDE * SIDE);

/// A line of the table.
struct Row {
    job: String,
    seconds: f64,
    /// And of what.
    each_second: Option<(f64, &'static str)>,
    mb: Option<f64>,
}

/// Runs the jobs one after the other and returns a table.
pub fn measure_all(python: &Path) -> Result<String> {
    let mut rows = Vec::from(measure_repair(python)?);
    rows.extend(measure_tuning(python)?);
    rows.push(measure_upload()?);
    Ok(table(&rows))
}

fn measure_repair(python: &Path) -> Result<[Row; 2]> {
    say("bench", "repair");
    let (whole, report) = fastest(|out| on_example(measuring_worker(python, "repair"), out))?;
    let seconds = number(&report, "/seconds/full_outputs")? + number(&report, "/seconds/repair")?;
    let fitting = Row {
        job: format!("`repair`: fitting all layers on {CALIBRATION} images"),
        seconds,
        each_second: Some((f64::from(CALIBRATION) / seconds, "images")),
        mb: None,
    };
    Ok([whole_command("repair", &whole), fitting])
}

fn measure_tuning(python: &Path) -> Result<[Row; 2]> {
    say("bench", "one epoch of fine-tuning");
    let (whole, report) = fastest(|out| {
        let mut tune = on_example(measuring_worker(python, "tune"), out);
        tune.args(["--epochs", "1"]);
        tune
    })?;
    let epoch = Row {
        job: "`tune`: the epoch".to_owned(),
        seconds: number(&report, "/epochs/0/seconds")?,
        each_second: Some((number(&report, "/epochs/0/images_per_second")?, "images")),
        mb: None,
    };
    Ok([whole_command("tune", &whole), epoch])
}

fn whole_command(task: &str, whole: &Measured) -> Row {
    let job = format!("`{task}`: the whole command");
    Row { job, seconds: whole.seconds, each_second: None, mb: Some(whole.mb) }
}

/// The fastest run of a command of the worker, and what it reported.
fn fastest(command: impl Fn(&Path) -> Command) -> Result<(Measured, Value)> {
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let runs = (0..RUNS).map(|run| measure(&mut command(&folder.path().join(format!("{run}.onnx")))));
    let runs = runs.collect::<Result<Vec<_>>>()?;
    let fastest = runs.into_iter().min_by(|a, b| a.seconds.total_cmp(&b.seconds)).context("there was no run")?;
    let report = serde_json::from_str(&fastest.output).context("the worker printed no JSON")?;
    Ok((fastest, report))
}

/// The example's network at a quarter of its multiply-adds, as in README.md.
fn on_example(mut command: Command, out: &Path) -> Command {
    let examples = root().join("examples");
    command.arg(examples.join("mobilenet_v1.pt")).args(["--input-shape", "1,1,28,28"]);
    command.arg("--images").arg(examples.join("fashion-mnist-images-idx3-ubyte.gz"));
    command.arg("--labels").arg(examples.join("fashion-mnist-labels-idx1-ubyte.gz"));
    command.args(["--mean", "0.2860", "--deviation", "0.3530", "--macs", "0.25", "--strategy", "uniform"]);
    command.args(["--calibration", &CALIBRATION.to_string(), "--scoring", &SCORING.to_string()]);
    command.args(["--device", "cpu", "--json", "--out"]).arg(out);
    command
}

/// Uploads are answered when every image has been read in the sandbox and the files are stored.
fn measure_upload() -> Result<Row> {
    say("bench", "the upload of a large dataset");
    let folder = tempfile::tempdir().context("cannot make a scratch folder")?;
    let data = folder.path().join("data");
    let server = Server::start_with(&release_binary("eagleeye"), free_port()?, &data, &["--workers", "0"])?;
    let api = Api::new(&server)?;
    let (images, labels) = (folder.path().join("images-idx3-ubyte"), folder.path().join("labels-idx1-ubyte"));
    let mut seconds = f64::INFINITY;
    for run in 0..RUNS {
        // Other files in each run, because a file that is stored already is not stored again.
        write_idx(&images, &[IMAGES, SIDE, SIDE], |index| noise(index + run as u64))?;
        write_idx(&labels, &[IMAGES], |index| ((index + run as u64) % 10) as u8)?;
        let form = Form::new().file("images", &images)?.file("labels", &labels)?;
        let began = Instant::now();
        api.upload("/datasets", form)?;
        seconds = seconds.min(began.elapsed().as_secs_f64());
    }
    let megabytes = images.metadata().context("the images are gone")?.len() as f64 / 1e6;
    let job = format!("upload of a dataset of {IMAGES} images ({megabytes:.0} MB) until it can be used");
    Ok(Row { job, seconds, each_second: Some((megabytes / seconds, "MB")), mb: None })
}

/// Writes unsigned bytes in the form of MNIST's files.
fn write_idx(path: &Path, sizes: &[u32], byte: impl Fn(u64) -> u8) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).context("cannot make a dataset")?);
    file.write_all(&[0, 0, 8, sizes.len() as u8])?;
    for size in sizes {
        file.write_all(&size.to_be_bytes())?;
    }
    for index in 0..sizes.iter().map(|size| u64::from(*size)).product() {
        file.write_all(&[byte(index)])?;
    }
    file.flush().context("cannot write a dataset")
}

/// A byte that follows from a number, and does not look like it (Fibonacci hashing).
fn noise(index: u64) -> u8 {
    (index.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

fn number(report: &Value, pointer: &str) -> Result<f64> {
    report.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("the worker reports no {pointer}"))
}

fn table(rows: &[Row]) -> String {
    let mut table = "| job | seconds | each second | MB of memory |\n|---|---|---|---|\n".to_owned();
    for Row { job, seconds, each_second, mb } in rows {
        let each = each_second.map(|(count, what)| format!("{count:.0} {what}")).unwrap_or_default();
        let mb = mb.map(|mb| format!("{mb:.0}")).unwrap_or_default();
        table += &format!("| {job} | {seconds:.2} | {each} | {mb} |\n");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idx_file_has_its_sizes_and_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("idx");
        write_idx(&path, &[2, 3], |index| index as u8).unwrap();
        assert_eq!(std::fs::read(path).unwrap(), [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_row_leaves_out_what_is_not_known() {
        let row = |each_second, mb| Row { job: "job".to_owned(), seconds: 1.234, each_second, mb };
        let table = table(&[row(Some((99.6, "images")), None), row(None, Some(300.4))]);
        assert!(table.ends_with("| job | 1.23 | 100 images |  |\n| job | 1.23 |  | 300 |\n"), "{table}");
    }
}

//! What a study writes: the report for people and for programs, and the figure.

use std::path::Path;

use eagleeye_engine::{Device, LIBTORCH_VERSION};
use eagleeye_study::{StudyReport, figure, markdown};
use serde::Serialize;

use super::arguments::StudyArgs;
use super::results::Plan;
use crate::failure::Failure;
use crate::hardware::Hardware;
use crate::output;

/// The report with all that is needed to make it again.
#[derive(Debug, Serialize)]
struct Written<'a> {
    version: &'static str,
    machine: Machine,
    /// As it was given, word by word.
    command: Vec<String>,
    plan: &'a Plan,
    report: &'a StudyReport,
}

#[derive(Debug, Serialize)]
struct Machine {
    /// Of the processor or card that it computed on.
    hardware: String,
    system: &'static str,
    libtorch: &'static str,
}

pub fn write(args: &StudyArgs, device: Device, plan: &Plan, report: &StudyReport) -> Result<(), Failure> {
    let words = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned());
    let command: Vec<String> = words.collect();
    let command = std::iter::once("eagleeye-worker".to_owned()).chain(command).collect();
    let written = Written { version: env!("CARGO_PKG_VERSION"), machine: machine(device), command, plan, report };
    let text = described(&written);
    let out = &args.tune.search.out;
    let [json_path, svg] = args.beside();
    put(out, text.as_bytes())?;
    put(&svg, figure(report)?.as_bytes())?;
    let json = serde_json::to_vec_pretty(&written).map_err(Failure::Json)?;
    put(&json_path, &json)?;
    if args.tune.search.json { output::json(&written) } else { output::text(&text) }
}

fn put(path: &Path, content: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, content).map_err(|source| Failure::OutputFile { path: path.to_owned(), source })
}

fn machine(device: Device) -> Machine {
    Machine {
        hardware: Hardware::of(device).name.unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        system: std::env::consts::OS,
        libtorch: LIBTORCH_VERSION,
    }
}

fn described(written: &Written) -> String {
    let Machine { hardware, libtorch, .. } = &written.machine;
    let Plan { device, threads, training_images, request, .. } = written.plan;
    let published = request.template().map_or(String::new(), |one| format!("\n{}\n", one.published_text()));
    let quoted = |word: &String| match word.is_empty()
        || word.contains(|c: char| !(c.is_alphanumeric() || "-_./,=:".contains(c)))
    {
        true => format!("'{}'", word.replace('\'', r"'\''")),
        false => word.clone(),
    };
    let command = written.command.iter().map(quoted).collect::<Vec<_>>().join(" ");
    format!(
        "# Which evaluation predicts the accuracy after fine-tuning\n\n{}{published}\n## How it was made\nEagleEye {} with libtorch {libtorch}, on {device} ({hardware}), with \
         `--threads {threads}`, on {training_images} training images:\n\n```sh\n{command}\n```\n\nThe figure lies beside this file, and all numbers \
         as JSON.\n",
        markdown(written.report),
        written.version
    )
}

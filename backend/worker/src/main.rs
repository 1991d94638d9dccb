//! `eagleeye-worker`: does the queue's jobs with the engine, and offers the engine to scripts.
//!
//! Standard output carries what was asked for and nothing else; logs go to standard error. Exit code 2 means that what
//! was given cannot be used, with the reason as one line `error: …`; exit code 3 means that the disk has no room for
//! temporary files; exit code 4 means that the work on a file broke down, by a panic or for want of memory; exit code 1
//! means that the fault is here.

mod arguments;
mod bench;
mod card;
mod check_dataset;
mod check_search;
mod confinement;
mod convert;
mod environment;
mod failure;
mod foreign;
mod gradients;
mod hardware;
mod inspect;
mod latency;
mod model_file;
mod network_file;
mod output;
mod provenance;
mod prune;
mod repair;
mod replaced;
mod run;
mod search;
mod study;
#[cfg(test)]
mod testing;
mod tune;
mod wire;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use eagleeye_sandbox::exit::UNUSABLE;
use tracing_subscriber::EnvFilter;

use crate::confinement::limited;
use crate::failure::{Failure, one_line};

/// Label propagation and importers recurse at most a little, libtorch's passes may go deep.
const STACK_BYTES: usize = 64 << 20;

#[derive(Debug, Parser)]
#[command(name = "eagleeye-worker", version, about = "Prunes convolutional classifiers (EagleEye, ECCV 2020)")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Report on a network: its cost, its operators and its channel groups.
    Inspect(inspect::InspectArgs),
    /// Prune a network to a budget, without data; batch norm statistics are unchanged.
    Prune(prune::PruneArgs),
    /// Prune a network by one strategy, fit its layers to the full network on unlabelled images, write it and report.
    Repair(Box<repair::RepairArgs>),
    /// Measure how long networks take in ONNX Runtime and in libtorch, beside the first of them.
    Latency(latency::LatencyArgs),
    /// Search for the best pruned network under one budget or several, write it and report: the whole job without a server.
    Search(Box<search::SearchCommandArgs>),
    /// Prune a network by one strategy, fine-tune it on all images but the scoring images, write it and report.
    Tune(Box<tune::TuneArgs>),
    /// Fine-tune every candidate of a search from several seeds and report which evaluation predicts what comes of it.
    Study(Box<study::StudyArgs>),
    /// Read every image of a dataset, or a sample, and report on it.
    CheckDataset(check_dataset::CheckDatasetArgs),
    /// Score the full network on a sample of a search's images: whether model, data and preprocessing go together.
    CheckSearch(check_search::CheckSearchArgs),
    /// Take the time of the parts of some candidates' evaluations, without a race, and write it as JSON.
    #[command(hide = true)]
    Bench(Box<bench::BenchArgs>),
    /// Evaluate candidates in float32 and in bfloat16, and compare their order.
    #[command(hide = true)]
    BenchPrecision(Box<bench::BenchPrecisionArgs>),
    /// Take the time of preparing a dataset's images as a job does it, beside decoding them alone.
    #[command(hide = true)]
    BenchImages(bench::BenchImagesArgs),
    /// Print the page of all supported operators.
    Operators,
    /// Read a model for a job.
    #[command(hide = true)]
    ReadModel(foreign::ReadModelArgs),
    /// Read a dataset for a job.
    #[command(hide = true)]
    ReadDataset(foreign::ReadDatasetArgs),
    /// Write the loss and the gradients of one training step.
    #[command(hide = true)]
    Gradients(gradients::GradientsArgs),
    /// Work on queued jobs until the server that started this worker exits.
    Run(run::RunArgs),
}

impl Command {
    /// Whether it computes with several threads.
    fn computes(&self) -> bool {
        use Command::{
            Bench, BenchImages, BenchPrecision, CheckSearch, Latency, Prune, Repair, Run, Search, Study, Tune,
        };
        matches!(
            self,
            Prune(_)
                | Repair(_)
                | Search(_)
                | Study(_)
                | Tune(_)
                | Latency(_)
                | CheckSearch(_)
                | Bench(_)
                | BenchPrecision(_)
                | BenchImages(_)
                | Run(_)
        )
    }
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    // What takes long says how far it is.
    start_logging(matches!(cli.command, Command::Run(_) | Command::Tune(_) | Command::Study(_)));
    if cli.command.computes()
        && let Err(error) = environment::settle()
    {
        tracing::warn!(%error, "waiting threads will spin, and memory is taken anew for each layer");
    }
    match perform(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {}", one_line(&failure));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(args) => Ok(run::run(args)?),
        Command::Operators => output::text(&eagleeye_engine::operators::page()),
        Command::Inspect(args) => limited(args.access(), move || inspect::inspect(&args)),
        Command::Prune(args) => limited(None, move || prune::prune(&args)),
        Command::Repair(args) => limited(None, move || repair::repair(&args)),
        Command::Search(args) => limited(None, move || search::search(&args)),
        Command::Tune(args) => limited(None, move || tune::tune(&args)),
        Command::Study(args) => limited(None, move || study::study(&args)),
        Command::Latency(args) => limited(None, move || latency::latency(&args)),
        Command::BenchImages(args) => limited(None, move || bench::bench_images(&args)),
        Command::BenchPrecision(args) => limited(None, move || bench::bench_precision(&args)),
        Command::Bench(args) => limited(None, move || bench::bench(&args)),
        Command::Gradients(args) => limited(None, move || gradients::gradients(&args)),
        Command::ReadModel(args) => limited(Some(args.access()), move || foreign::read_model(&args)),
        Command::ReadDataset(args) => limited(Some(args.access()), move || foreign::read_dataset(&args)),
        Command::CheckSearch(args) => limited(args.access(), move || check_search::check_search(&args)),
        Command::CheckDataset(args) => limited(args.access(), move || check_dataset::check_dataset(&args)),
    }
}

/// Help and version are what was asked for; anything else is a wrong argument, told in one line.
fn explain(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let printed = error.print();
        return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let text = error.to_string();
    let says = text.split("\n\n").next().unwrap_or(&text);
    eprintln!("{}; see --help", one_line(says));
    ExitCode::from(UNUSABLE)
}

fn start_logging(is_long: bool) {
    let default = if is_long { "info" } else { "warn" };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colours).init();
}

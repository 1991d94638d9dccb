//! The importers under fuzzing: cargo-fuzz on the targets beside each importer, with the limits that a file must keep to.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::project::{command, root, run as run_command, say};
use crate::setup;

#[derive(Args)]
pub struct Options {
    /// Both, one after the other, when left out.
    #[arg(value_enum)]
    importer: Option<Importer>,
    /// For each importer.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Importer {
    Onnx,
    Torchscript,
}

/// A fuzz target and what one of its files may cost. Seconds are far more than any file takes, and far less than the server
/// gives a check; memory is that of the process, in which libtorch does not give everything back.
struct Target {
    folder: &'static str,
    name: &'static str,
    bytes: usize,
    seconds: u64,
    megabytes: usize,
}

const ONNX: Target =
    Target { folder: "backend/onnx/fuzz", name: "import", bytes: 16 << 10, seconds: 60, megabytes: 4 << 10 };
const TORCHSCRIPT: Target = Target {
    folder: "backend/torchscript/fuzz",
    name: "torchscript",
    bytes: 64 << 10,
    seconds: 60,
    megabytes: 6 << 10,
};

pub fn run(options: &Options) -> Result<()> {
    ensure_tools()?;
    let importers = match options.importer {
        Some(importer) => vec![importer],
        None => vec![Importer::Onnx, Importer::Torchscript],
    };
    for importer in importers {
        match importer {
            Importer::Onnx => fuzz(&ONNX, options.minutes)?,
            Importer::Torchscript => {
                setup::ensure()?;
                fuzz(&TORCHSCRIPT, options.minutes)?;
            }
        }
    }
    Ok(())
}

/// Sanitizers and coverage need a nightly compiler; the project itself does not.
fn ensure_tools() -> Result<()> {
    let works = |arguments: &[&str]| {
        let status = nightly(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    ensure!(works(&["rustc", "--version"]), "there is no nightly compiler; run `rustup toolchain install nightly`");
    ensure!(works(&["cargo", "fuzz", "--version"]), "cargo-fuzz is missing; run `cargo install cargo-fuzz`");
    Ok(())
}

/// Runs a target on its seeds and on what earlier runs have found worth keeping.
fn fuzz(target: &Target, minutes: u64) -> Result<()> {
    let (work, seeds) = (root().join("target/fuzz"), root().join(target.folder).join("seeds").join(target.name));
    let corpus = work.join("corpus").join(target.name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    say("fuzz", format!("{} for {minutes} minutes", target.folder));
    let mut fuzz = nightly(&["cargo", "fuzz", "run", "--sanitizer", "none", "--fuzz-dir", target.folder]);
    // libtorch is not built for a sanitizer, and there is no unsafe code besides the calls into it.
    fuzz.arg("--target-dir").arg(&work).arg(target.name).arg(&corpus).arg(&seeds).arg("--");
    fuzz.arg(format!("-max_total_time={}", 60 * minutes));
    fuzz.arg(format!("-timeout={}", target.seconds));
    fuzz.arg(format!("-rss_limit_mb={}", target.megabytes));
    fuzz.arg(format!("-max_len={}", target.bytes));
    fuzz.arg("-print_final_stats=1");
    if let Err(error) = run_command(&mut fuzz) {
        let found = root().join(target.folder).join("artifacts").join(target.name);
        bail!("{error}; what was found, if anything, is in {}", found.display());
    }
    Ok(())
}

/// A program of the nightly toolchain, whichever toolchain runs this.
fn nightly(arguments: &[&str]) -> Command {
    let mut command = command("rustup");
    command.args(["run", "nightly"]).args(arguments);
    command.env_remove("CARGO").env_remove("RUSTUP_TOOLCHAIN").env("OMP_NUM_THREADS", "1");
    command
}

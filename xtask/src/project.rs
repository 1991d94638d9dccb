//! Where things are, and how programs are run.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root.
pub fn root() -> &'static Path {
    const MANIFEST: &str = env!("CARGO_MANIFEST_DIR");
    Path::new(MANIFEST).parent().unwrap_or(Path::new(MANIFEST))
}

/// Says what is being done, on standard error.
pub fn say(task: &str, what: impl AsRef<str>) {
    eprintln!("{task:>8}: {}", what.as_ref());
}

/// A command in the repository's root.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// `cargo`, as this task was started with.
pub fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// `npm` in the front end's folder.
pub fn npm() -> Command {
    let mut npm = command("npm");
    npm.current_dir(root().join("frontend"));
    npm
}

/// Runs a command to its end; a failure names the whole command line.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs a command and returns what it printed on standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("cannot start {}", line(command)))?;
    if !output.status.success() {
        bail!("{} failed: {}", line(command), output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} printed something that is not UTF-8", line(command)))
}

/// A built program of the workspace.
pub fn binary(name: &str) -> PathBuf {
    target().join("debug").join(name)
}

/// A program that [`Build::Release`] built.
pub fn release_binary(name: &str) -> PathBuf {
    target().join("release").join(name)
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Build {
    /// The server and the worker, for somebody who wants to see them run.
    Programs,
    /// The same with optimisations.
    Release,
    /// Programs and tests. Cargo chooses the features of libraries by what is built together; checks that share this build
    /// compile everything once.
    Everything,
}

/// Builds the server and the worker, and what belongs to them.
pub fn build(what: Build) -> Result<()> {
    build_with(what, &[])
}

/// [`build`] with further cargo features.
pub fn build_with(what: Build, features: &[&str]) -> Result<()> {
    let programs = ["--package", "eagleeye-server", "--package", "eagleeye-worker"];
    let mut build = cargo();
    build.arg("build");
    match what {
        Build::Programs => {
            say("build", "server and worker");
            build.args(programs);
        }
        Build::Release => {
            say("build", "server and worker, optimised");
            build.args(programs).arg("--release");
        }
        Build::Everything => {
            say("build", "programs and tests");
            build.args(["--workspace", "--all-targets"]);
        }
    }
    if !features.is_empty() {
        build.args(["--features", &features.join(",")]);
    }
    run(&mut build)
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

//! Everything that must hold before a change lands, but for the browser.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::project::{self, Build, build, cargo, npm, say};
use crate::{licences, setup, tidy};

pub fn run() -> Result<()> {
    setup::ensure()?;
    tidy::run()?;
    licences::run()?;
    say("test", "formatting");
    project::run(cargo().args(["fmt", "--all", "--check"]))?;
    say("test", "front end: types, logic, build");
    project::run(npm().args(["run", "--silent", "check"]))?;
    project::run(npm().args(["run", "--silent", "test"]))?;
    setup::page()?;
    // The black-box tests start the programs, so these must be there first.
    build(Build::Everything)?;
    say("test", "Rust");
    run_tests()?;
    say("test", "lints");
    project::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    say("test", "API documentation");
    project::run(cargo().args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
}

/// The tests that look at a database, against a server of PostgreSQL instead of SQLite.
pub fn on_postgres() -> Result<()> {
    const ADDRESS: &str = "EAGLEEYE_TEST_POSTGRES";
    ensure!(
        std::env::var_os(ADDRESS).is_some(),
        "set {ADDRESS} to postgres://user:password@host:port/database; each test makes a database of its own there"
    );
    setup::ensure()?;
    build(Build::Everything)?;
    say("test", "the store on PostgreSQL, and workers while it is away");
    match has_nextest() {
        true => nextest(&["--filterset", "package(eagleeye-store) | (package(eagleeye-worker) & test(/outage/))"]),
        false => project::run(one_thread(cargo().args([
            "test",
            "--package",
            "eagleeye-store",
            "--package",
            "eagleeye-worker",
            "--test",
            "it",
        ]))),
    }
}

/// nextest where it is installed: it runs each test in a process of its own and reports better.
fn run_tests() -> Result<()> {
    match has_nextest() {
        true => nextest(&[]),
        false => project::run(one_thread(cargo().args(["test", "--workspace", "--no-fail-fast"]))),
    }
}

fn has_nextest() -> bool {
    cargo().args(["nextest", "--version"]).output().is_ok_and(|o| o.status.success())
}

/// Always the whole workspace: cargo chooses the features of libraries by what is built together.
fn nextest(which: &[&str]) -> Result<()> {
    project::run(one_thread(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"]).args(which)))
}

/// Tests run side by side, as many as there are cores; programs that take all cores each would only wait for each other.
fn one_thread(command: &mut Command) -> &mut Command {
    command.env("OMP_NUM_THREADS", "1")
}

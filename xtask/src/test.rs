//! Everything that must hold before a change lands, but for the browser.

use anyhow::Result;

use crate::project::{self, Build, build, cargo, npm, say};
use crate::{setup, tidy};

pub fn run() -> Result<()> {
    setup::ensure()?;
    tidy::run()?;
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
    project::run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))
}

/// nextest where it is installed: it runs each test in a process of its own and reports better.
fn run_tests() -> Result<()> {
    let has_nextest = cargo().args(["nextest", "--version"]).output().is_ok_and(|o| o.status.success());
    match has_nextest {
        true => project::run(cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"])),
        false => project::run(cargo().args(["test", "--workspace", "--no-fail-fast"])),
    }
}

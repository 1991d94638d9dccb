//! The page in a real Chromium, against a real server and a real worker.

use anyhow::{Context, Result};

use crate::project::{self, Build, binary, npm, say};
use crate::server::{Server, free_port};
use crate::setup;

/// The browser's tests; with `screenshots`, also the pictures of all screens in `docs/screenshots`, from the same run.
pub fn run(screenshots: bool) -> Result<()> {
    setup::ensure()?;
    setup::page()?;
    project::build(Build::Everything)?;
    let data = tempfile::tempdir().context("cannot make a scratch folder")?;
    let server = Server::start(free_port()?, data.path())?;
    say("browser", format!("driving {}", server.url));
    let script = if screenshots { "screenshots" } else { "test:e2e" };
    let mut tests = npm();
    tests.args(["run", "--silent", script]).env("EAGLEEYE_URL", &server.url);
    // One test starts a server of its own, to kill it.
    project::run(tests.env("EAGLEEYE_PROGRAM", binary("eagleeye")))
}

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
    let datasets = tempfile::tempdir().context("cannot make a folder of datasets")?;
    let root = datasets.path().to_str().context("the folder of datasets has no name in UTF-8")?;
    let server = Server::start_with(&binary("eagleeye"), free_port()?, data.path(), &["--dataset-roots", root])?;
    say("browser", format!("driving {}", server.url));
    let script = if screenshots { "screenshots" } else { "test:e2e" };
    let mut tests = npm();
    tests.args(["run", "--silent", script]).env("EAGLEEYE_URL", &server.url);
    // Tests put datasets there, to register them.
    tests.env("EAGLEEYE_DATASETS", root);
    // One test starts a server of its own, to kill it.
    project::run(tests.env("EAGLEEYE_PROGRAM", binary("eagleeye")))
}

//! What a fresh machine lacks: libtorch, ONNX Runtime and the front end's packages. Every step is idempotent.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::libtorch::{self, Variant};
use crate::onnxruntime;
use crate::project::{self, npm, root, say};

/// Every step, with the given libtorch.
pub fn run(variant: Variant) -> Result<()> {
    libtorch::ensure(Some(variant))?;
    onnxruntime::ensure()?;
    packages()
}

/// Every step, with the libtorch that is there, or the CPU's.
pub fn ensure() -> Result<()> {
    libtorch::ensure(None)?;
    onnxruntime::ensure()?;
    packages()
}

/// Installs the packages of `frontend/package-lock.json`, unless they are installed already.
fn packages() -> Result<()> {
    let frontend = root().join("frontend");
    let lock = read(&frontend.join("package-lock.json"))?;
    let stamp = frontend.join("node_modules/.eagleeye-lock");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
        say("setup", "front end packages are in place");
        return Ok(());
    }
    say("setup", "installing the front end's packages");
    project::run(npm().args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Builds the page into `frontend/dist`, from where the server's build embeds it.
pub fn page() -> Result<()> {
    say("build", "page");
    project::run(npm().args(["run", "--silent", "build"]))
}

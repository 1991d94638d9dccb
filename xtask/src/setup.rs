//! What a fresh machine lacks: libtorch, ONNX Runtime and the front end's packages. Every step is idempotent.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::libtorch::{self, Variant};
use crate::project::{self, npm, root, say};
use crate::{onnxruntime, torch_of};

/// Every step, with the libtorch of this interpreter's torch, or a variant that is fetched.
pub fn run(torch_of: Option<&Path>, variant: Variant) -> Result<()> {
    match torch_of {
        Some(python) => torch_of::link(&libtorch::home(), python)?,
        None => fetched_or_linked(Some(variant))?,
    }
    onnxruntime::ensure()?;
    packages()
}

/// Every step, with the libtorch that is there, or the CPU's.
pub fn ensure() -> Result<()> {
    fetched_or_linked(None)?;
    onnxruntime::ensure()?;
    packages()
}

/// Keeps the torch of an interpreter where one is linked, unless CUDA is asked for; else the variant is fetched.
fn fetched_or_linked(wanted: Option<Variant>) -> Result<()> {
    if wanted != Some(Variant::Cuda) && torch_of::is_in_place(&libtorch::home())? {
        return Ok(());
    }
    libtorch::ensure(wanted)
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

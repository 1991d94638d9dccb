//! Pythons with PyTorch and others, for the checks that compare with them. Nothing else needs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::project::{command, root, run, say};

const PACKAGES: [&str; 7] =
    ["torch==2.13.0", "torchvision==0.28.0", "timm==1.0.31", "numpy", "onnx", "onnxruntime", "onnxscript"];

/// The interpreter of a virtual environment in `.venv`, made when it is missing.
pub fn ensure() -> Result<PathBuf> {
    environment(&root().join(".venv"), &PACKAGES)
}

/// The interpreter of a virtual environment with these packages, made when it is missing or has others.
pub fn environment(home: &Path, packages: &[&str]) -> Result<PathBuf> {
    let (python, stamp) = (home.join("bin/python"), home.join("eagleeye-packages"));
    let wanted = packages.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    say("setup", format!("installing {} into {} (3 GB)", packages.join(", "), home.display()));
    run(command("python3").args(["-m", "venv"]).arg(home))?;
    run(command(&python).args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet"]).args(packages))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write into {}", home.display()))?;
    Ok(python)
}

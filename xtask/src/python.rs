//! A Python with PyTorch and ONNX Runtime, for the checks that compare with them. Nothing else needs it.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::project::{command, root, run, say};

const PACKAGES: [&str; 7] =
    ["torch==2.13.0", "torchvision==0.28.0", "timm==1.0.31", "numpy", "onnx", "onnxruntime", "onnxscript"];

/// The interpreter of a virtual environment in `.venv`, made when it is missing.
pub fn ensure() -> Result<PathBuf> {
    let home = root().join(".venv");
    let (python, stamp) = (home.join("bin/python"), home.join("eagleeye-packages"));
    let wanted = PACKAGES.join("\n");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    say("setup", "installing PyTorch and ONNX Runtime into .venv (3 GB)");
    run(command("python3").args(["-m", "venv"]).arg(&home))?;
    run(command(&python).args(["-m", "pip", "install", "--disable-pip-version-check", "--quiet"]).args(PACKAGES))?;
    fs::write(&stamp, wanted).context("cannot write into .venv")?;
    Ok(python)
}

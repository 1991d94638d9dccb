//! A worker for a GPU host, built on any machine: linked with PyTorch's CUDA wheel, it must need `libtorch_cuda.so`.
//!
//! Nothing names a symbol of that library, so a linker that leaves out what is not needed gives a program that sees no GPU.

use anyhow::{Result, bail};

use crate::libtorch::{self, Variant};
use crate::project::{self, cargo, command, output, root, say};

const CUDA_LIBRARY: &str = "libtorch_cuda.so";

pub fn run() -> Result<()> {
    let home = root().join("target/cuda");
    libtorch::ensure_in(&home.join("libtorch"), Variant::CudaToLink)?;
    say("cuda", "building the worker");
    let mut build = cargo();
    build.args(["build", "--package", "eagleeye-worker", "--bin", "eagleeye-worker"]);
    build.env("LIBTORCH", home.join("libtorch")).env("CARGO_TARGET_DIR", &home);
    project::run(&mut build)?;
    let needed = output(command("readelf").args(["--dynamic", "--wide"]).arg(home.join("debug/eagleeye-worker")))?;
    if !needed.lines().any(|line| line.contains("(NEEDED)") && line.contains(CUDA_LIBRARY)) {
        bail!("the worker that was built against the CUDA wheel does not need {CUDA_LIBRARY}:\n{needed}");
    }
    say("cuda", format!("the worker needs {CUDA_LIBRARY}"));
    Ok(())
}

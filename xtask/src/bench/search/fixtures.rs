//! The files that both sides read, and what both are asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

pub const NETWORKS: [&str; 2] = ["mobilenet_v1", "resnet20"];
/// Fraction of the multiply-adds to keep.
pub const MACS: f64 = 0.5;
pub const CALIBRATION: u64 = 3200;
pub const SCORING: u64 = 5000;

/// A folder with `fixtures/` and `peers/`.
pub struct Fixtures(PathBuf);

impl Fixtures {
    pub fn in_folder(shared: &Path) -> Result<Self> {
        let shared = fs::canonicalize(shared).with_context(|| format!("there is no folder {}", shared.display()))?;
        Ok(Self(shared))
    }

    pub fn folder(&self) -> PathBuf {
        self.0.join("fixtures")
    }

    pub fn peer_script(&self) -> PathBuf {
        self.0.join("peers/torch_pruning_search.py")
    }

    /// Tells a command of the worker the network, the images and the budget.
    pub fn give(&self, command: &mut Command, network: &str) {
        let images = self.folder().join("fashion-mnist");
        command.arg(self.folder().join(format!("models/{network}.traced.pt"))).args(["--input-shape", "1,1,28,28"]);
        command.arg("--images").arg(images.join("train-images-idx3-ubyte.gz"));
        command.arg("--labels").arg(images.join("train-labels-idx1-ubyte.gz"));
        command.args(["--mean", "0.2860", "--deviation", "0.3530", "--macs", &MACS.to_string()]);
        command.args(["--calibration", &CALIBRATION.to_string(), "--scoring", &SCORING.to_string()]);
        command.args(["--device", "cpu"]);
    }
}

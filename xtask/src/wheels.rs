//! Python wheels: the only place that has libtorch and ONNX Runtime as libraries in a package registry.

use std::env::consts::{ARCH, OS};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use zip::ZipArchive;

use crate::project::{command, run};

/// Fetches wheels with pip into a folder, with what they need or without. Platform and Python tags are explicit, so that the
/// local Python's version does not matter.
pub fn download(packages: &[&str], with_dependencies: bool, to: &Path) -> Result<()> {
    if ARCH != "x86_64" || OS != "linux" {
        bail!("no wheels of {} are known for this platform", packages.join(", "));
    }
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let mut pip = command("python3");
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--only-binary=:all:"]);
    pip.args(["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]);
    // pip matches these tags one by one; the wheels were built against various versions of the C library.
    for minor in 17..=28 {
        pip.arg(format!("--platform=manylinux_2_{minor}_x86_64"));
    }
    pip.arg("--platform=manylinux2014_x86_64").arg("--dest").arg(to).args(packages);
    if !with_dependencies {
        pip.arg("--no-deps");
    }
    run(&mut pip)
}

/// Unpacks the wheels of a folder into `home`, which is made anew. `destination` says where in it a file belongs, if it is
/// needed.
pub fn unpack(wheels: &Path, home: &Path, destination: impl Fn(&Path) -> Option<PathBuf>) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("cannot remove the old {}", home.display()))?;
    }
    fs::create_dir_all(home).with_context(|| format!("cannot make {}", home.display()))?;
    for entry in fs::read_dir(wheels).context("cannot list the downloaded wheels")? {
        let wheel = entry?.path();
        if wheel.extension().is_some_and(|e| e == "whl") {
            unpack_wheel(&wheel, home, &destination).with_context(|| format!("cannot unpack {}", wheel.display()))?;
        }
    }
    Ok(())
}

fn unpack_wheel(wheel: &Path, home: &Path, destination: &impl Fn(&Path) -> Option<PathBuf>) -> Result<()> {
    let mut archive = ZipArchive::new(File::open(wheel)?)?;
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let style = ProgressStyle::with_template("   setup: unpacking {msg} [{bar:30}] {pos}/{len}")?;
    let bar = ProgressBar::new(archive.len() as u64).with_style(style).with_message(name);
    for index in 0..archive.len() {
        bar.inc(1);
        let mut file = archive.by_index(index)?;
        let Some(inside) = file.enclosed_name() else { continue };
        let Some(target) = destination(&inside) else { continue };
        if file.is_dir() {
            continue;
        }
        let target = home.join(target);
        fs::create_dir_all(target.parent().unwrap_or(home))?;
        io::copy(&mut file, &mut File::create(&target)?)?;
    }
    bar.finish_and_clear();
    Ok(())
}

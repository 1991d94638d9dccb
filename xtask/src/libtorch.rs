//! libtorch, out of PyTorch's wheels: the only place that has it in a package registry.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use zip::ZipArchive;

use crate::project::{command, root, run, say};

/// The version that tch 0.26 is written for.
const TORCH: &str = "2.13.0";
/// Libraries that `libtorch_cpu.so` of the CUDA wheel links; it runs on a machine without a GPU all the same.
const CUDA_STUBS: [&str; 2] = ["nvidia-cuda-cupti==13.0.*", "nvidia-cuda-runtime==13.0.*"];
const CPU_LIBRARIES: [&str; 5] = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcupti.so.13", "libcudart.so.13"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    Cpu,
    Cuda,
    /// Everything of PyTorch's CUDA wheel and nothing of NVIDIA's: enough to link a program, not to run it.
    CudaToLink,
}

impl Variant {
    /// What the stamp file says when this variant is unpacked whole.
    fn stamp(self) -> String {
        let name = match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::CudaToLink => "cuda to link",
        };
        format!("libtorch {TORCH} {name}")
    }
}

/// Makes `.libtorch/{lib,include}`, unless the wanted variant (or any, for `None`) is there.
pub fn ensure(wanted: Option<Variant>) -> Result<()> {
    let home = root().join(".libtorch");
    let found = fs::read_to_string(home.join("stamp")).unwrap_or_default();
    if wanted.is_none() && found == Variant::Cuda.stamp() {
        say("setup", format!("{found} is in place"));
        return Ok(());
    }
    ensure_in(&home, wanted.unwrap_or(Variant::Cpu))
}

/// Makes `home/{lib,include}` of this variant, unless it is there.
pub fn ensure_in(home: &Path, variant: Variant) -> Result<()> {
    let stamp = home.join("stamp");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == variant.stamp()) {
        say("setup", format!("{} is in place", variant.stamp()));
        return Ok(());
    }
    say("setup", format!("fetching {} into {}", variant.stamp(), home.display()));
    let wheels = root().join("target/wheels");
    download(variant, &wheels)?;
    unpack(variant, &wheels, home)?;
    fs::write(&stamp, variant.stamp()).with_context(|| format!("cannot write {}", stamp.display()))?;
    fs::remove_dir_all(&wheels).context("cannot remove the downloaded wheels")
}

/// Fetches wheels with pip. Platform and Python tags are explicit, so that the local Python's version does not matter.
fn download(variant: Variant, to: &Path) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" || std::env::consts::OS != "linux" {
        bail!("no libtorch is known for this platform; set LIBTORCH to a folder with libtorch {TORCH} yourself");
    }
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let mut pip = command("python3");
    pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--only-binary=:all:"]);
    pip.args(["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--abi", "none"]);
    // pip matches these tags one by one; the wheels were built against various versions of the C library.
    for minor in 17..=28 {
        pip.arg(format!("--platform=manylinux_2_{minor}_x86_64"));
    }
    pip.arg("--platform=manylinux2014_x86_64").arg("--dest").arg(to).arg(format!("torch=={TORCH}"));
    match variant {
        Variant::Cpu => pip.arg("--no-deps").args(CUDA_STUBS),
        Variant::CudaToLink => pip.arg("--no-deps"),
        Variant::Cuda => &mut pip,
    };
    run(&mut pip)
}

fn unpack(variant: Variant, wheels: &Path, home: &Path) -> Result<()> {
    if home.exists() {
        fs::remove_dir_all(home).with_context(|| format!("cannot remove the old {}", home.display()))?;
    }
    fs::create_dir_all(home.join("lib")).with_context(|| format!("cannot make {}", home.display()))?;
    for entry in fs::read_dir(wheels).context("cannot list the downloaded wheels")? {
        let wheel = entry?.path();
        if wheel.extension().is_some_and(|e| e == "whl") {
            unpack_wheel(variant, &wheel, home).with_context(|| format!("cannot unpack {}", wheel.display()))?;
        }
    }
    if variant == Variant::Cpu {
        // torch-sys links `-ltorch`; the wheel's own libtorch.so would pull in the CUDA half.
        std::os::unix::fs::symlink("libtorch_cpu.so", home.join("lib/libtorch.so"))?;
        if let Some(missing) = CPU_LIBRARIES.iter().find(|l| !home.join("lib").join(l).exists()) {
            bail!("the wheels hold no {missing}");
        }
    }
    Ok(())
}

fn unpack_wheel(variant: Variant, wheel: &Path, home: &Path) -> Result<()> {
    let mut archive = ZipArchive::new(File::open(wheel)?)?;
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let style = ProgressStyle::with_template("   setup: unpacking {msg} [{bar:30}] {pos}/{len}")?;
    let bar = ProgressBar::new(archive.len() as u64).with_style(style).with_message(name);
    for index in 0..archive.len() {
        bar.inc(1);
        let mut file = archive.by_index(index)?;
        let Some(inside) = file.enclosed_name() else { continue };
        let Some(target) = destination(variant, &inside) else { continue };
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

/// Where a file of a wheel belongs in `.libtorch`, if it is needed.
fn destination(variant: Variant, inside: &Path) -> Option<PathBuf> {
    if let Ok(header) = inside.strip_prefix("torch/include") {
        return Some(Path::new("include").join(header));
    }
    let name = inside.file_name()?.to_str()?;
    let wanted = match variant {
        Variant::Cpu => CPU_LIBRARIES.contains(&name),
        Variant::Cuda | Variant::CudaToLink => {
            name.contains(".so") && inside.components().any(|c| c.as_os_str() == "lib")
        }
    };
    wanted.then(|| Path::new("lib").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_variant_takes_headers_and_five_libraries() {
        let place = |inside: &str| destination(Variant::Cpu, Path::new(inside));
        assert_eq!(place("torch/include/ATen/ATen.h"), Some("include/ATen/ATen.h".into()));
        assert_eq!(place("torch/lib/libtorch_cpu.so"), Some("lib/libtorch_cpu.so".into()));
        assert_eq!(place("nvidia/cu13/lib/libcudart.so.13"), Some("lib/libcudart.so.13".into()));
        assert_eq!(place("torch/lib/libtorch_cuda.so"), None);
        assert_eq!(place("torch/nn/__init__.py"), None);
    }

    #[test]
    fn the_cuda_variant_takes_every_library() {
        let place = |inside: &str| destination(Variant::Cuda, Path::new(inside));
        assert_eq!(place("torch/lib/libtorch_cuda.so"), Some("lib/libtorch_cuda.so".into()));
        assert_eq!(place("nvidia/cu13/lib/libcublas.so.13"), Some("lib/libcublas.so.13".into()));
        assert_eq!(place("torch/bin/protoc"), None);
    }
}

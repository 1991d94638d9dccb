//! libtorch, out of PyTorch's wheels.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::project::{root, say};
use crate::wheels;

/// The version that tch 0.26 is written for.
pub const TORCH: &str = "2.13.0";
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

/// Where builds look for libtorch, as `.cargo/config.toml` says.
pub fn home() -> PathBuf {
    root().join(".libtorch")
}

/// The version that was fetched into `home`, if one was.
pub fn version(home: &Path) -> Option<String> {
    let stamp = fs::read_to_string(home.join("stamp")).ok()?;
    stamp.split(' ').nth(1).map(str::to_owned)
}

/// Makes `.libtorch/{lib,include}`, unless the wanted variant (or any, for `None`) is there.
pub fn ensure(wanted: Option<Variant>) -> Result<()> {
    let home = home();
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
    let folder = root().join("target/wheels");
    download(variant, &folder)?;
    unpack(variant, &folder, home)?;
    fs::write(&stamp, variant.stamp()).with_context(|| format!("cannot write {}", stamp.display()))?;
    fs::remove_dir_all(&folder).context("cannot remove the downloaded wheels")
}

/// Fetches the wheels that a variant is taken out of.
fn download(variant: Variant, to: &Path) -> Result<()> {
    let torch = format!("torch=={TORCH}");
    let packages = match variant {
        Variant::Cpu => [&[torch.as_str()], &CUDA_STUBS[..]].concat(),
        Variant::Cuda | Variant::CudaToLink => vec![torch.as_str()],
    };
    wheels::download(&packages, variant == Variant::Cuda, to)
        .with_context(|| format!("cannot fetch libtorch {TORCH}; LIBTORCH may name a folder that has it"))
}

fn unpack(variant: Variant, from: &Path, home: &Path) -> Result<()> {
    wheels::unpack(from, home, |inside| destination(variant, inside))?;
    if variant == Variant::Cpu {
        // torch-sys links `-ltorch`; the wheel's own libtorch.so would pull in the CUDA half.
        std::os::unix::fs::symlink("libtorch_cpu.so", home.join("lib/libtorch.so"))?;
        if let Some(missing) = CPU_LIBRARIES.iter().find(|l| !home.join("lib").join(l).exists()) {
            bail!("the wheels hold no {missing}");
        }
    }
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

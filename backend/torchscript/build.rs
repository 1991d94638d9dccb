//! Compiles the TorchScript shim against the libtorch that tch uses, and lets this crate's tests find it.

#[path = "build/link.rs"]
mod link;

use std::path::{Path, PathBuf};

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let libtorch = libtorch()?;
    let include = libtorch.join("include");
    // Another libtorch in the same place has other headers.
    println!("cargo:rerun-if-changed={}", libtorch.join("lib").display());
    cc::Build::new()
        .cpp(true)
        .pic(true)
        .std("c++20")
        .opt_level(1)
        .define("_GLIBCXX_USE_CXX11_ABI", "1")
        .flag("-isystem")
        .flag(include.display().to_string())
        .flag("-isystem")
        .flag(include.join("torch/csrc/api/include").display().to_string())
        .files(["cpp/torchscript.cpp", "cpp/compute.cpp", "cpp/gradients.cpp", "cpp/layers.cpp"])
        .compile("eagleeye_torchscript");
    // Loops over numbers, without libtorch's headers.
    cc::Build::new().cpp(true).pic(true).std("c++20").opt_level(3).file("cpp/norm.cpp").compile("eagleeye_norm");
    println!("cargo:rustc-env=EAGLEEYE_LIBTORCH={}", version(&include)?);
    println!("cargo:rustc-link-search=native={}", libtorch.join("lib").display());
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    for argument in link::arguments(&libtorch.join("lib")) {
        println!("cargo:rustc-link-arg={argument}");
    }
    Ok(())
}

/// As in `2.13.0`, without what a build adds to it.
fn version(include: &Path) -> Result<String, String> {
    let header = include.join("torch/headeronly/version.h");
    let text = std::fs::read_to_string(&header).map_err(|error| format!("{}: {error}", header.display()))?;
    let number = |part: &str| {
        let begin = format!("#define TORCH_VERSION_{part} ");
        let found = text.lines().find_map(|line| line.strip_prefix(&begin));
        found.map(str::trim).ok_or_else(|| format!("{} has no TORCH_VERSION_{part}", header.display()))
    };
    Ok(format!("{}.{}.{}", number("MAJOR")?, number("MINOR")?, number("PATCH")?))
}

/// The folder with `lib` and `include`, which `cargo xtask setup` makes.
fn libtorch() -> Result<PathBuf, String> {
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    Path::new(&folder).canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))
}

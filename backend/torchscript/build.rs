//! Compiles the TorchScript shim against the libtorch that tch uses, and lets this crate's tests find it.

#[path = "build/link.rs"]
mod link;

use std::path::{Path, PathBuf};

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-changed=cpp");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let libtorch = libtorch()?;
    let include = libtorch.join("include");
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
        .files(["cpp/torchscript.cpp", "cpp/compute.cpp", "cpp/gradients.cpp"])
        .compile("eagleeye_torchscript");
    println!("cargo:rustc-link-search=native={}", libtorch.join("lib").display());
    println!("cargo:rustc-link-lib=torch_cpu");
    println!("cargo:rustc-link-lib=c10");
    for argument in link::arguments(&libtorch.join("lib")) {
        println!("cargo:rustc-link-arg={argument}");
    }
    Ok(())
}

/// The folder with `lib` and `include`, which `cargo xtask setup` makes.
fn libtorch() -> Result<PathBuf, String> {
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    Path::new(&folder).canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))
}

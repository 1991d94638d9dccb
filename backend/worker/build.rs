//! Lets the worker find libtorch: where `cargo xtask setup` put it, and in `../lib` beside an installed binary.

#[path = "../torchscript/build/link.rs"]
mod link;

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    let folder = std::path::Path::new(&folder);
    let folder = folder.canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))?;
    let lib = folder.join("lib");
    // Another variant of libtorch in the same folder is another program.
    println!("cargo:rerun-if-changed={}", lib.display());
    for argument in link::arguments(&lib) {
        println!("cargo:rustc-link-arg={argument}");
    }
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
    // For the test of the link.
    println!("cargo:rustc-env=EAGLEEYE_LIBTORCH={}", folder.display());
    Ok(())
}

//! Lets this crate's tests find the libtorch that the TorchScript shim is linked with.

#[path = "../torchscript/build/link.rs"]
mod link;

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    let folder = std::path::Path::new(&folder);
    let folder = folder.canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))?;
    let lib = folder.join("lib");
    // Another libtorch in the same place may be a link to another folder.
    println!("cargo:rerun-if-changed={}", lib.display());
    for argument in link::arguments(&lib) {
        println!("cargo:rustc-link-arg={argument}");
    }
    Ok(())
}

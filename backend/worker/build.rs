//! Lets the worker find libtorch: where `cargo xtask setup` put it, and in `../lib` beside an installed binary.

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    let folder = std::path::Path::new(&folder);
    let folder = folder.canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))?;
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
    println!("cargo:rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib");
    Ok(())
}

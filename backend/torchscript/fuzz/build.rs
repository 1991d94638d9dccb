//! Lets the fuzz target find libtorch, as the build scripts of the crates with libtorch do for its tests.

use std::path::Path;

fn main() -> Result<(), String> {
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    let folder = std::env::var_os("LIBTORCH").ok_or("LIBTORCH is not set; run `cargo xtask setup`")?;
    let folder =
        Path::new(&folder).canonicalize().map_err(|error| format!("LIBTORCH {}: {error}", folder.display()))?;
    println!("cargo:rustc-link-arg=-Wl,-rpath,{}", folder.join("lib").display());
    Ok(())
}

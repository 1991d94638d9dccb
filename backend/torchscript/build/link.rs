//! How programs of this workspace are linked with libtorch: shared by the build scripts that make one, and by their test.

use std::path::Path;

/// The half of libtorch that knows CUDA devices. `libtorch_cpu.so` finds it by what it registers when it is loaded.
pub const CUDA_LIBRARY: &str = "libtorch_cuda.so";

/// Arguments for the linker driver, in order. `lib` is libtorch's folder of libraries.
///
/// Nothing names a symbol of `libtorch_cuda`, so a linker that drops what is not needed (`--as-needed`, the default of Debian's
/// and of Rust's) would leave it out, and the program would see no CUDA device. Where the library is there it is linked in any
/// case. Its own libraries (cuBLAS, cuDNN, ...) need not be at hand to link: the host that runs the program has them.
///
/// `lib` may be a link to the folder of a Python's torch (`cargo xtask setup --torch-of`). Programs are told of the folder
/// itself: its libraries look for NVIDIA's relative to it, and programs outlive the link.
pub fn arguments(lib: &Path) -> Vec<String> {
    let lib = lib.canonicalize().unwrap_or_else(|_| lib.to_path_buf());
    let mut arguments = vec![format!("-Wl,-rpath,{}", lib.display())];
    if lib.join(CUDA_LIBRARY).exists() {
        arguments.push(format!("-L{}", lib.display()));
        let forced = ["-Wl,--push-state,--no-as-needed", "-ltorch_cuda", "-Wl,--pop-state"];
        arguments.extend(forced.map(String::from));
        arguments.push("-Wl,--allow-shlib-undefined".into());
    }
    arguments
}

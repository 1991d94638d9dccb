//! Compiles the ONNX message definitions. protox parses them in Rust, so that no `protoc` has to be installed.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto/onnx.proto");
    let files = protox::compile(["proto/onnx.proto"], ["proto"])?;
    // Tensors then share the memory of the file instead of being copied out of it.
    prost_build::Config::new().bytes(["."]).compile_fds(files)?;
    Ok(())
}

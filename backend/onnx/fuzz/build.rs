//! Compiles the ONNX message definitions once more: the importer keeps its own to itself.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../proto/onnx.proto");
    let files = protox::compile(["../proto/onnx.proto"], ["../proto"])?;
    prost_build::Config::new().compile_fds(files)?;
    Ok(())
}

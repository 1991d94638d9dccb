//! What the fuzz target `torchscript` is made of: mutations of archives, code and pickles, and what is done with a file.

mod archive;
mod code;
pub mod flow;
pub mod mutate;
mod pickle;
#[path = "../../../onnx/fuzz/src/random.rs"]
mod random;

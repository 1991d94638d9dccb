//! The engine on the repository's example network, through its public interface.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod damage;
mod difference;
mod example;
mod onnx_file;
mod onnx_operators;
mod state_dict;

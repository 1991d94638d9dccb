//! TorchScript files in and out: the only code, beside the engine's, that knows libtorch.
//!
//! Reading: [`read`] loads a module as data through the C++ shim, runs its code symbolically and builds the graph.
//! Writing: [`write()`] builds a module tree under the original names and a `forward` in source text.

mod archive;
mod batched;
mod call;
mod description;
mod error;
mod export;
mod fault;
mod ffi;
mod file_constants;
pub mod functions;
mod grid_sampler;
mod import;
mod interpreter;
mod known;
mod lowering;
mod names;
pub mod operators;
mod source;
mod state;
pub mod tensors;
mod value;
mod weight;

pub use error::TorchScriptError;
pub use export::{write, write_in};
pub use ffi::layers::{Activation, AdaptingNorm, Addend, Convolution, computes_bfloat16};
pub use ffi::{GpuGradients, MixedPrecision, ModuleBuilder, Slot};
pub use grid_sampler::sampling_codes;
pub use import::{Imported, read, read_with};

/// The version of libtorch that this is built against.
pub const LIBTORCH_VERSION: &str = env!("EAGLEEYE_LIBTORCH");

/// Key of the metadata that says the input's shape, for example `1,3,224,224`.
pub const INPUT_SHAPE: &str = "input_shape";

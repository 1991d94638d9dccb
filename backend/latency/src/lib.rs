//! How long exported networks take in ONNX Runtime on the CPU.
//!
//! The only crate that knows `ort`. ONNX Runtime's library is loaded when it is first needed, so that neither building nor
//! running EagleEye depends on it: [`OnnxRuntime::find`] says how to get it where it is missing. Whatever is found in its
//! place, the answer is a [`LatencyError`] and no panic.

mod error;
mod guard;
mod images;
mod library;
mod names;
mod runtime;

pub use error::LatencyError;
pub use names::{LIBRARY, VARIABLE};
pub use runtime::OnnxRuntime;

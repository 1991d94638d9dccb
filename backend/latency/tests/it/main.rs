//! Measuring with ONNX Runtime as it is installed.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod measure;
mod model;

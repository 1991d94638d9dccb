//! The engine: networks in, pruned networks out. The only crate that knows libtorch.

pub mod device;
pub mod exec;
pub mod network;
pub mod tensors;

pub use device::{DeviceChoice, DeviceError};
pub use network::{Format, Network};

//! The engine: networks in, pruned networks out. The only crate that knows libtorch.

pub mod adapt;
mod batches;
pub mod device;
pub mod exec;
pub mod fold;
pub mod network;
pub mod prune;
mod rewrite;
pub mod score;
pub mod tensors;
#[cfg(test)]
mod testing;
pub mod virtual_bn;

pub use adapt::Adaptation;
pub use device::{DeviceChoice, DeviceError};
pub use exec::{ExecError, forward};
pub use network::{Format, Network};
pub use rewrite::RewriteError;
pub use score::Score;

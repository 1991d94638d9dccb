//! How long networks take: in ONNX Runtime as exported files, and in libtorch.

mod command;
mod leaders;
mod measure;

pub use command::{LatencyArgs, latency};
pub use leaders::{LeaderLatencies, LeadersError, measure_leaders, slower_winners};
pub use measure::MeasureError;

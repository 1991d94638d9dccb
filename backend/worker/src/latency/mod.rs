//! How long networks take: in ONNX Runtime as exported files, and in libtorch.

mod command;
mod leaders;
mod measure;
mod model;

pub use command::{LatencyArgs, latency};
pub use leaders::{LeaderLatencies, LeadersError, measure_leaders};
pub use measure::MeasureError;
pub use model::{LatencyModelError, measure_model, needed_model};

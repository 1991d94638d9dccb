//! What jobs are done with.

use std::time::Duration;

use eagleeye_engine::Device;

/// What a worker may use for its jobs.
#[derive(Debug, Clone, Copy)]
pub struct Resources {
    pub device: Device,
    pub threads: usize,
    /// Memory in bytes that the child that reads a model or a dataset may take.
    pub file_memory_bytes: u64,
    /// Longest time between two snapshots of fine-tuning.
    pub snapshot_period: Duration,
}

//! The worker's program, black box.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod check_search;
mod command_line;
mod cuda_link;
mod datasets;
mod exports;
mod external_weights;
mod latency;
mod outage;
mod postgres;
mod protobuf;
mod repair;
mod reports;
mod sandbox;
mod service;
mod study;
mod support;
mod tuning;
mod tuning_job;
mod tuning_race;
mod waiting;

//! One file per table. Rows never leave this crate: repositories turn them into domain structs.

pub(crate) mod candidate;
pub(crate) mod checkpoint;
pub(crate) mod dataset;
pub(crate) mod evaluation;
pub(crate) mod event;
pub(crate) mod file;
pub(crate) mod job;
pub(crate) mod model;
pub(crate) mod model_graph;
pub(crate) mod pipeline;
pub(crate) mod pipeline_stage;
pub(crate) mod property;
pub(crate) mod recipe;
pub(crate) mod resumable_upload;
mod run_state;
pub(crate) mod search;
pub(crate) mod split;
pub(crate) mod study;
pub(crate) mod thumbnail;
pub(crate) mod tuning;
pub(crate) mod tuning_epoch;
pub(crate) mod tuning_race;
pub(crate) mod upload;
pub(crate) mod upload_part;
pub(crate) mod worker;

pub use run_state::RunState;

//! The worker's program, black box.

mod command_line;
mod datasets;
mod service;
mod support;

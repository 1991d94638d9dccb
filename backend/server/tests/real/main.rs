//! The server with the real worker, black box: what only holds when both work together.
//!
//! Needs `eagleeye-worker` beside the server's binary: `cargo build -p eagleeye-worker` (`cargo xtask test` does it).

mod files;
mod harness;
mod main_job;
mod wrong_input;

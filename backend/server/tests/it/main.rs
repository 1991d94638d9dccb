//! The server, black box: the program is started on a port of its own, and spoken to over HTTP.
//!
//! Most tests give it `fake_worker.sh` to check uploads, and play the worker of its searches themselves. Those below
//! `real` use `eagleeye-worker`, which must lie beside the server: `cargo build -p eagleeye-worker` (`cargo xtask test`
//! does it).

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod cancelling;
mod changes;
mod contract;
mod damage;
mod disk;
mod documents;
mod downloads;
mod edges;
mod events;
mod extending;
mod files;
mod guard;
mod health;
mod leaderboard;
mod lists;
mod memory;
mod page;
mod pipelines;
#[path = "../../../worker/tests/it/postgres.rs"]
mod postgres;
mod processes;
#[path = "../../../worker/tests/it/protobuf.rs"]
mod protobuf;
mod puppet;
mod queue;
mod real;
mod references;
mod refusals;
mod repaired;
mod requests;
mod resumable;
mod retrying;
mod sandbox;
mod search_checks;
mod server;
mod settings;
mod studies;
mod tuning_races;
mod tunings;
mod uploads;
mod waiting;

//! The store from outside, on a SQLite file of each test's own.
//!
//! With `EAGLEEYE_TEST_POSTGRES=postgres://user:password@host/database` set, the same tests run on PostgreSQL; each
//! makes a database of its own on that server and leaves it there.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cache;
mod candidates;
mod claims;
mod endings;
mod evaluations;
mod events;
mod files;
mod garbage;
mod identity;
mod kinds;
mod line;
mod pausing;
mod pipelines;
mod races;
mod references;
mod repaired;
mod repositories;
mod resumable;
mod resuming;
mod revisions;
mod schema;
mod setting_aside;
mod studies;
mod support;
mod trained;
mod tuning_races;
mod tuning_races_ended;
mod tunings;
mod upgrades;
mod workers;

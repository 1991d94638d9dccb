//! The server: the only crate that speaks HTTP. Handlers parse, call the store and convert; queries are the store's.
//! It does not know libtorch: untrusted files are looked at, and searches are run, by `eagleeye-worker` processes.

pub mod api;
pub mod app;
pub mod checker;
mod conditional;
pub mod config;
mod encoding;
pub mod extract;
mod faults;
mod fields;
mod followers;
pub mod guard;
mod inspection;
mod lineage;
mod named_files;
pub mod outages;
mod pipelines;
pub mod problem;
mod prunable;
mod request_check;
mod request_head;
pub mod serve;
mod spawner;
pub mod state;
mod store_problem;
mod study_report;
pub mod supervisor;
pub mod upload;
pub mod warnings;
pub mod web;

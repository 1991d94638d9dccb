//! Dataset files from outside: what is read from sound ones, and how each unsound one is refused.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used)]

mod archives;
mod class_orders;
mod folders;
mod hostile;
mod idx;
mod limits;
mod npz;
mod parquet;
mod parquet_damage;
mod parquet_files;
mod preprocessing;
mod splitting;
mod support;
mod thumbnails;
mod torchvision;
mod webdatasets;

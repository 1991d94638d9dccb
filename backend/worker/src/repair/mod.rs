//! `repair`: one strategy's candidate, repaired on unlabelled images, without a server.

mod command;

pub use command::{RepairArgs, repair};

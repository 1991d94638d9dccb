//! `search`: the whole job without a server, from a model and a dataset to the winner's file and a report.

mod arguments;
mod command;
pub mod inputs;
pub mod observer;

pub use arguments::SearchArgs;
pub use command::{SearchCommandArgs, search};
pub use inputs::{Inputs, Model, check_labels, check_single, inputs, model};
pub use observer::Told;

//! `tune`: one strategy's candidate, fine-tuned, without a server.

mod arguments;
mod command;
mod inputs;
mod observer;

pub use arguments::TuneArgs;
pub use command::tune;
pub use inputs::{Inputs, inputs_of_many};
pub use observer::Follower;

//! `study`: which evaluation predicts the accuracy after fine-tuning, on one's own network, without a server.

mod arguments;
mod command;
mod observer;
mod results;
mod written;

pub use arguments::StudyArgs;
pub use command::study;
pub use results::ResultsError;

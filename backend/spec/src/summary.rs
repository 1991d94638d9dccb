//! What a finished search has to say, in numbers and in words: as JSON and as Markdown.
//!
//! Everything follows from what the search has stored, so the same search gives the same report, whoever asks for it and when.

mod advice;
mod build;
pub(crate) mod candidates;
mod input;
mod markdown;
mod sections;
mod sentences;
mod types;
pub(crate) mod words;

pub(crate) use candidates::fraction;
pub use input::ReportInput;
pub(crate) use markdown::{Lines, NONE, capitalised, facts, warnings, with_interval};
pub use types::{
    Comparison, FrontPoint, ImageCount, MeasuredLatency, Passes, REPORT_VERSION, Report, ReportSection,
    ReportedCandidate, ReportedCosts, ReportedEnd, ReportedNetwork, ReportedSplit, ReportedStrategy, ScoredOn,
    Standing, Ties,
};

#[cfg(test)]
mod tests;

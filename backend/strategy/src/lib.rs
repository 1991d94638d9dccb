//! Pruning strategies: who proposes them, and what of a budget is within reach.
//!
//! Pure arithmetic on a stored cost model: a strategy is a list of keep counts, one for each prunable channel group. A new
//! proposer is a file of its own here and a name in the table below; requests, the OpenAPI document and the page's list have it
//! from there.

mod choices;
mod error;
mod landing;
mod proposer;
mod reach;

pub use error::StrategyError;
pub use proposer::{Evaluated, Proposal, Proposer, Task, proposer};
pub use random::draw;
pub use reach::{feasible, reachable};

macro_rules! proposers {
    ($($file:ident)*) => {
        $(mod $file;)*

        /// Every proposer, the default first.
        pub const PROPOSERS: &[&Proposer] = &[$(&$file::PROPOSER),*];
    };
}

proposers! {
    random
    uniform
}

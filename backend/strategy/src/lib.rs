//! Pruning strategies: who proposes them, and what of a budget is within reach.
//!
//! Pure arithmetic on a stored cost model: a strategy is a list of keep counts, one for each prunable channel group. A new
//! proposer is a file of its own here and a name in the table below; requests, the OpenAPI document and the page's list have it
//! from there.

mod allocation;
mod choices;
mod costs;
mod error;
mod feasible;
mod landing;
mod lanes;
mod limited;
mod pareto;
mod proposer;
mod ratios;
mod reach;
mod spread;

pub use error::{StrategyError, Unmet};
pub use feasible::feasible;
pub use lanes::{Lane, feasible_lanes, lanes, manual_strategies};
pub use limited::limited;
pub use pareto::pareto_front;
pub use proposer::{Evaluated, Preview, Proposal, Proposer, Task, adaptation_of, proposer};
pub use random::draw;
pub use reach::reachable;
pub use spread::spread;

macro_rules! proposers {
    ($($file:ident)*) => {
        $(mod $file;)*

        /// Every proposer, the default first.
        pub const PROPOSERS: &[&Proposer] = &[$(&$file::PROPOSER),*];
    };
}

proposers! {
    sensitivity
    random
    uniform
    near_uniform
    evolutionary
    global_magnitude
    manual
    reference
}

//! Strategies for whole networks, through the crate's public interface.

// The lint knows test functions only, not what they call. The networks are those of the graph's own tests.
#![allow(clippy::unwrap_used, clippy::panic, dead_code)]

mod evolutionary;
#[path = "../../../graph/tests/it/generated.rs"]
mod generated;
mod global_magnitude;
mod lanes;
mod limited;
mod manual;
mod near_uniform;
#[path = "../../../graph/tests/it/net.rs"]
mod net;
#[path = "../../../graph/tests/it/networks.rs"]
mod networks;
mod random;
mod reach;
mod reference;
mod sensitivity;
mod support;
mod uniform;

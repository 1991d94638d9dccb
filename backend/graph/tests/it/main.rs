//! Tests on whole networks, through the crate's public interface.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod compositions;
mod expansion;
mod figures;
mod generated;
mod net;
mod networks;
mod oracle;
mod random;
mod reference;
mod topologies;

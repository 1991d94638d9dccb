//! Tests on whole networks, through the crate's public interface.

mod figures;
mod net;
mod networks;
mod oracle;
mod random;
mod reference;
mod strategies;
mod topologies;

//! Files that are damaged or hostile, through the crate's public interface.

// The lint knows test functions only, not what they call.
#![allow(clippy::unwrap_used, clippy::panic)]

mod archives;
mod hostile;

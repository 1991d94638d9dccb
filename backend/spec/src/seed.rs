//! What everything random derives from.

/// Larger numbers lose digits in clients whose only number is a double.
pub(crate) const MAX_SEED: u64 = (1 << 53) - 1;

//! Which keep counts a strategy may choose from.

use serde::{Deserialize, Serialize};

/// The least that a group keeps of its units where a request says nothing else.
pub const DEFAULT_MIN_KEEP_RATIO: f64 = 0.1;

/// Which strategies may be proposed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// The channels that a layer keeps of a group are a multiple of this, or all of them. 1: any number. `None`: multiples of
    /// 8 where groups allow it, which is the default.
    ///
    /// Runtimes compute channels in blocks, and a count between two blocks can be slower than all channels. A group is held to
    /// the largest of 8, 4, 2 and 1 of which it has four multiples or more. Where no such strategy lands on the budget, as in
    /// networks of a few narrow layers, the largest multiple is 4, then 2, then 1.
    pub round_to: Option<usize>,
    /// Smallest part of a group's units that stays, in `[0, 1]`; at least one unit (or one multiple) does in any case.
    pub min_keep_ratio: f64,
}

impl Default for Space {
    fn default() -> Self {
        Self { round_to: None, min_keep_ratio: DEFAULT_MIN_KEEP_RATIO }
    }
}

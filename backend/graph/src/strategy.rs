//! A pruning strategy as a value: how many units each channel group keeps.

use serde::{Deserialize, Serialize};

/// One keep count for each *prunable* group, in the order of [`crate::ChannelGroups::prunable`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Strategy {
    pub keep: Vec<usize>,
}

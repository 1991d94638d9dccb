//! The weights that a candidate is exported and trained further with.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The weights that a candidate is exported or trained further with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CandidateWeights {
    /// With adaptive batch norm: the network that candidates are ranked by.
    #[default]
    Adapted,
    /// Repaired: the layers are fitted to what the full network answers on the search's calibration images.
    Repaired,
}

impl CandidateWeights {
    pub const ALL: [Self; 2] = [Self::Adapted, Self::Repaired];

    pub fn name(self) -> &'static str {
        match self {
            Self::Adapted => "adapted",
            Self::Repaired => "repaired",
        }
    }
}

//! Which numbers candidates are computed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// In which numbers candidates' batch norms adapt and candidates are scored.
///
/// `bfloat16` has the range of `float32` and 8 bits of its 24, which takes half of the memory and, where the device computes
/// in it, about half of the time. It is what convolutions take and give; statistics, sums and the last layers stay `float32`.
/// The best candidates are adapted again in `float32` for their test scores and exports, whose numbers are those of the
/// uploaded file in either case. A device that does not compute in it takes `float32`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EvaluationPrecision {
    #[default]
    Float32,
    Bfloat16,
}

impl EvaluationPrecision {
    pub const ALL: [Self; 2] = [Self::Float32, Self::Bfloat16];

    /// The name in requests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Bfloat16 => "bfloat16",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_in_requests() {
        for precision in EvaluationPrecision::ALL {
            assert_eq!(serde_json::to_value(precision).unwrap(), precision.name());
        }
    }
}

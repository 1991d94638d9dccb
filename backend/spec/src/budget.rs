//! Budgets: what a pruned network may cost, as a list of constraints over a cost model.

use std::fmt;

use eagleeye_graph::CostModel;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Largest accepted distance of a strategy's cost from the budget, relative to the budget.
pub const TOLERANCE: f64 = 0.01;

/// A cost that a budget limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// Multiply-adds of one image.
    Macs,
    /// Learned parameters.
    Parameters,
    /// Bytes of the weights and statistics in a file.
    Bytes,
    /// Time for one image, as a model says that is fitted to measured networks.
    Latency,
}

impl Measure {
    /// The field of a request that limits it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Macs => "macs",
            Self::Parameters => "parameters",
            Self::Bytes => "bytes",
            Self::Latency => "latency",
        }
    }

    /// The cost of keep counts, one for each prunable group. That of latency is in nanoseconds, and 0 where the model is not
    /// timed.
    pub fn at(self, cost: &CostModel, keep: &[usize]) -> u64 {
        match self {
            Self::Macs => cost.macs_at(keep),
            Self::Parameters => cost.parameters_at(keep),
            Self::Bytes => cost.bytes_at(keep),
            Self::Latency => cost.nanoseconds_at(keep),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Macs => "MACs",
            Self::Parameters => "parameters",
            Self::Bytes => "bytes",
            Self::Latency => "latency",
        })
    }
}

/// An upper limit on one cost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Constraint {
    pub measure: Measure,
    /// Of the full network's cost, in `(0, 1]`.
    pub fraction: f64,
}

impl fmt::Display for Constraint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} of the {}", self.fraction, self.measure)
    }
}

/// All the constraints that a strategy has to meet. A strategy lands on the budget where it exceeds none of them, and reaches
/// the one that binds, each within [`TOLERANCE`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget(pub Vec<Constraint>);

impl Budget {
    /// A limit on the multiply-adds alone.
    pub fn macs(fraction: f64) -> Self {
        Self(vec![Constraint { measure: Measure::Macs, fraction }])
    }

    pub fn constraints(&self) -> &[Constraint] {
        &self.0
    }

    /// The limit on a cost, if there is one.
    pub fn limit(&self, measure: Measure) -> Option<f64> {
        self.0.iter().find(|constraint| constraint.measure == measure).map(|constraint| constraint.fraction)
    }

    /// The limits on all costs but one.
    pub fn without(&self, measure: Measure) -> Self {
        Self(self.0.iter().filter(|constraint| constraint.measure != measure).copied().collect())
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, constraint) in self.0.iter().enumerate() {
            let separator = if position == 0 { "" } else { " and " };
            write!(out, "{separator}{constraint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_reads_as_a_phrase() {
        let both = Budget(vec![
            Constraint { measure: Measure::Macs, fraction: 0.5 },
            Constraint { measure: Measure::Parameters, fraction: 0.25 },
        ]);
        assert_eq!(both.to_string(), "0.5 of the MACs and 0.25 of the parameters");
    }
}

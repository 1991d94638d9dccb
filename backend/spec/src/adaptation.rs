//! Adaptive batch norm, as it is asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::field_fault::{FieldFault, failed};
use crate::optional::not_null;

/// Weight of the newest batch where the request names none, as in the paper's published code.
const DEFAULT_MOMENTUM: f64 = 0.1;

/// Adaptive batch norm: how running statistics are recomputed from the calibration images (paper, section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adaptation {
    #[serde(default)]
    #[schema(default = "cumulative")]
    pub mode: AdaptationMode,
    /// Weight of the newest batch, for `momentum` only; 0.1 if omitted.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub momentum: Option<f64>,
    /// Batches to use; all calibration images once if omitted.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 4_294_967_295u32, nullable = false)]
    pub batches: Option<u32>,
}

/// Ways to average the batches' statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdaptationMode {
    /// The exact mean over all batches.
    #[default]
    Cumulative,
    /// The exponential average of the paper's code.
    Momentum,
}

impl Adaptation {
    /// An exponential average: the weight of the newest batch, and the batches.
    pub fn momentum(momentum: f64, batches: u32) -> Self {
        Self { mode: AdaptationMode::Momentum, momentum: Some(momentum), batches: Some(batches) }
    }

    /// The values of the paper's published code.
    pub fn paper() -> Self {
        Self::momentum(DEFAULT_MOMENTUM, 100)
    }

    /// The weight of the newest batch of an exponential average.
    pub fn weight(&self) -> f64 {
        self.momentum.unwrap_or(DEFAULT_MOMENTUM)
    }

    /// Calibration images of `all` that are used. An exponential average goes round the set as often as its batches need.
    pub fn images_of(&self, all: usize, batch_size: usize) -> usize {
        match (self.mode, self.batches) {
            (AdaptationMode::Cumulative, Some(batches)) => all.min((batches as usize).saturating_mul(batch_size)),
            _ => all,
        }
    }

    pub(crate) fn faults(&self) -> Vec<FieldFault> {
        let weight_fits = self.momentum.is_none_or(|m| m > 0.0 && m <= 1.0);
        let weight_is_used = self.momentum.is_none() || self.mode == AdaptationMode::Momentum;
        failed([
            (weight_fits, "adaptation.momentum", "must be above 0 and at most 1"),
            (weight_is_used, "adaptation.momentum", "is only for mode `momentum`; leave it out with `cumulative`"),
            (self.batches != Some(0), "adaptation.batches", "must be at least 1"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cumulative_average_over_fewer_batches_uses_fewer_images() {
        let two = Adaptation { batches: Some(2), ..Adaptation::default() };
        assert_eq!((two.images_of(250, 100), two.images_of(150, 100)), (200, 150));
        assert_eq!(Adaptation::default().images_of(250, 100), 250);
    }

    #[test]
    fn an_exponential_average_may_go_round_the_calibration_images_several_times() {
        assert_eq!(Adaptation::momentum(0.2, 7).images_of(250, 100), 250);
        assert_eq!(Adaptation { mode: AdaptationMode::Momentum, ..Adaptation::default() }.weight(), 0.1);
    }
}

//! Budgets as a request writes them: one, a list, or a range.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budget::{Budget, Constraint, Measure};
use crate::optional::not_null;

/// What is said of a limit that is none.
pub(crate) const SHARE: &str = "must be a fraction above 0 and at most 1";
/// What is said of a list of budgets with one that is none.
pub(crate) const EACH_BUDGET: &str = "must each have a limit (macs, parameters, bytes or latency), and each limit must be a fraction above 0 and at most 1";
/// What is said of a range that is none.
pub(crate) const RANGE: &str = "must go from one fraction above 0 and at most 1 to another one, in 2 to 32 steps";

pub(crate) fn is_share(fraction: f64) -> bool {
    fraction > 0.0 && fraction <= 1.0
}

/// A budget: the fractions of the full network's costs that a candidate keeps at most. It keeps one of them to within 1%, and
/// less of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false, example = 0.3)]
    pub macs: Option<f64>,
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub parameters: Option<f64>,
    /// Bytes of the weights and statistics.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub bytes: Option<f64>,
    /// Time for one image, as `latency_of` says where. Networks of several sizes are measured before the first candidate, and a
    /// model that is fitted to them says what a strategy keeps; the winners are measured at the end.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub latency: Option<f64>,
}

/// Budgets at equal distances.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BudgetRange {
    pub measure: Measure,
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.7)]
    pub from: f64,
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.3)]
    pub to: f64,
    /// Number of budgets, both ends included.
    #[schema(minimum = 2, maximum = 32, example = 5)]
    pub steps: u32,
}

impl Limits {
    pub(crate) fn each(&self) -> [(Measure, Option<f64>); 4] {
        [
            (Measure::Macs, self.macs),
            (Measure::Parameters, self.parameters),
            (Measure::Bytes, self.bytes),
            (Measure::Latency, self.latency),
        ]
    }

    pub(crate) fn are_shares(&self) -> bool {
        let mut given = self.each().into_iter().filter_map(|(_, limit)| limit).peekable();
        given.peek().is_some() && given.all(is_share)
    }

    /// A budget, as a request writes it.
    pub fn of(budget: &Budget) -> Self {
        Self {
            macs: budget.limit(Measure::Macs),
            parameters: budget.limit(Measure::Parameters),
            bytes: budget.limit(Measure::Bytes),
            latency: budget.limit(Measure::Latency),
        }
    }

    /// The limits that are given, as a list.
    pub fn budget(&self) -> Budget {
        let given =
            self.each().into_iter().filter_map(|(measure, limit)| Some(Constraint { measure, fraction: limit? }));
        Budget(given.collect())
    }
}

impl BudgetRange {
    pub(crate) fn is_sound(&self) -> bool {
        is_share(self.from) && is_share(self.to) && self.from != self.to && (2..=32).contains(&self.steps)
    }

    /// From one end to the other. Fractions are rounded to four places, as they are shown.
    pub fn budgets(&self) -> Vec<Budget> {
        let last = f64::from(self.steps.max(2) - 1);
        let at = |step: u32| {
            let fraction = self.from + (self.to - self.from) * f64::from(step) / last;
            Budget(vec![Constraint { measure: self.measure, fraction: (fraction * 1e4).round() / 1e4 }])
        };
        (0..self.steps).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_ends() {
        let range = BudgetRange { measure: Measure::Macs, from: 0.7, to: 0.3, steps: 5 };
        let fractions: Vec<f64> = range.budgets().iter().map(|budget| budget.constraints()[0].fraction).collect();
        assert_eq!(fractions, [0.7, 0.6, 0.5, 0.4, 0.3]);
        assert!(range.is_sound());
        for broken in
            [BudgetRange { steps: 1, ..range }, BudgetRange { to: 0.7, ..range }, BudgetRange { to: 0.0, ..range }]
        {
            assert!(!broken.is_sound(), "{broken:?}");
        }
    }

    #[test]
    fn limits_that_are_given_are_constraints() {
        let both = Limits { macs: Some(0.5), bytes: Some(0.25), ..Limits::default() };
        assert_eq!(Limits::of(&both.budget()), both);
        assert_eq!(both.budget().to_string(), "0.5 of the MACs and 0.25 of the bytes");
        let timed = Limits { macs: Some(0.5), latency: Some(0.4), ..Limits::default() };
        assert_eq!(Limits::of(&timed.budget()), timed);
        assert_eq!(timed.budget().without(Measure::Latency), Budget::macs(0.5));
        assert!(both.are_shares() && !Limits::default().are_shares());
        assert!(!Limits { parameters: Some(1.5), ..Limits::default() }.are_shares());
    }
}

//! More of a search that has ended: further candidates, strategies and budgets, what is evaluated being kept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::budgets::Limits;
use crate::manual::ManualStrategy;
use crate::optional::not_null;
use crate::request::{SearchRequest, StrategyName};

/// What is to be added to a search.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchExtension {
    /// Strategies to evaluate at most for each of `strategies` under each budget, those that were evaluated included; not fewer
    /// than before.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000, nullable = false, example = 96)]
    pub candidates: Option<u32>,
    /// Further ways to choose strategies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub strategies: Vec<StrategyName>,
    /// Further budgets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub budgets: Vec<Limits>,
    /// Further strategies of your own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 1000)]
    pub manual: Vec<ManualStrategy>,
}

impl SearchRequest {
    /// The request with more in it. Budgets keep their places.
    pub fn extended(&self, by: &SearchExtension) -> Self {
        let mut extended = self.clone();
        let known = self.budgets();
        (extended.macs, extended.parameters, extended.bytes, extended.latency) = (None, None, None, None);
        extended.budget_range = None;
        extended.budgets = known.iter().map(Limits::of).collect();
        for limits in &by.budgets {
            if !extended.budgets.contains(limits) {
                extended.budgets.push(*limits);
            }
        }
        extended.candidates = by.candidates.unwrap_or(self.candidates);
        extended.strategies.extend(by.strategies.iter().filter(|name| !self.strategies.contains(name)).cloned());
        extended.manual.extend(by.manual.iter().cloned());
        extended
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn budgets_keep_their_places_and_what_is_new_comes_behind() {
        let request: SearchRequest = serde_json::from_value(json!({
            "model_id": "00000000-0000-0000-0000-000000000000", "dataset_id": "00000000-0000-0000-0000-000000000000",
            "macs": 0.5, "budget_range": { "measure": "macs", "from": 0.7, "to": 0.3, "steps": 2 },
            "calibration_images": 100, "scoring_images": 100, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        }))
        .unwrap();
        let by: SearchExtension = serde_json::from_value(
            json!({ "candidates": 96, "strategies": ["uniform", "sensitivity"], "budgets": [{ "bytes": 0.4 }, { "macs": 0.3 }] }),
        )
        .unwrap();
        let extended = request.extended(&by);
        assert_eq!(extended.budgets()[..3], request.budgets());
        assert_eq!(extended.budgets()[3].to_string(), "0.4 of the bytes");
        assert_eq!((extended.budgets().len(), extended.candidates), (4, 96));
        let names: Vec<&str> = extended.strategies.iter().map(|name| name.0.as_str()).collect();
        assert_eq!(names, ["sensitivity", "uniform"]);
        assert_eq!(extended.faults(), []);
        let nothing_new =
            SearchExtension { budgets: vec![Limits::of(&request.budgets()[1])], ..SearchExtension::default() };
        assert_eq!(request.extended(&nothing_new), request.extended(&SearchExtension::default()));
        assert_eq!(request.extended(&SearchExtension::default()).budgets(), request.budgets());
    }
}

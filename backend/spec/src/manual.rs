//! Strategies that the user writes down.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

/// The strategy that evaluates what the user has written down.
pub const MANUAL: &str = "manual";

/// A strategy of the user's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualStrategy {
    /// Start from what this candidate keeps, and not from the full network. It must be a candidate of the same model. The
    /// search that is answered lists what it keeps under `groups` instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_id: Option<Uuid>,
    /// What channel groups keep, by the group's name; the others keep what they have at the start.
    #[serde(default)]
    pub groups: BTreeMap<String, Keep>,
}

/// What a channel group keeps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Keep {
    /// So many units, at least 1.
    Units(u32),
    /// This fraction of its units, above 0 and below 1.
    Ratio(f64),
}

impl PartialSchema for Keep {
    fn schema() -> RefOr<Schema> {
        let units = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
        let ratio =
            ObjectBuilder::new().schema_type(Type::Number).exclusive_minimum(Some(0)).exclusive_maximum(Some(1));
        let description = "What a channel group keeps: so many units (a whole number, at least 1), or this fraction of its \
                           units (a number above 0 and below 1).";
        AnyOfBuilder::new().item(units).item(ratio).description(Some(description)).into()
    }
}

impl ToSchema for Keep {}

impl Keep {
    /// Units of a group of `size`; `None` where it cannot keep as many, or as few.
    pub fn units(self, size: usize) -> Option<usize> {
        match self {
            Self::Units(units) => (1..=size).contains(&(units as usize)).then_some(units as usize),
            Self::Ratio(ratio) if ratio > 0.0 && ratio < 1.0 => Some(((ratio * size as f64).round() as usize).max(1)),
            Self::Ratio(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_are_units_and_fractions_are_ratios() {
        let strategy: ManualStrategy =
            serde_json::from_value(json!({ "groups": { "stem": 8, "tail": 0.25 } })).unwrap();
        assert_eq!((strategy.groups["stem"], strategy.groups["tail"]), (Keep::Units(8), Keep::Ratio(0.25)));
        assert_eq!(strategy.groups["stem"].units(16), Some(8));
        assert_eq!(strategy.groups["tail"].units(16), Some(4));
        assert_eq!(Keep::Ratio(0.001).units(16), Some(1));
        for (keep, size) in [(Keep::Units(0), 4), (Keep::Units(5), 4), (Keep::Ratio(0.0), 4), (Keep::Ratio(1.0), 4)] {
            assert_eq!(keep.units(size), None, "{keep:?}");
        }
    }
}

//! What a search is asked to do: the fields, their ranges and their defaults.
//!
//! The body of `POST /searches`, what the store keeps of it and what the engine is called with are this one type.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::adaptation::Adaptation;
use crate::budget::{Budget, Constraint, Measure};
use crate::field_fault::FieldFault;
use crate::name::{NAME_RULE, name_in, name_or_none};
use crate::optional::not_null;
use crate::preprocessing::Preprocessing;
use crate::space::{DEFAULT_MIN_KEEP_RATIO, Space};
use crate::stored::{StoredError, current, upgraded};

/// Larger numbers lose digits in clients whose only number is a double.
const MAX_SEED: u64 = (1 << 53) - 1;

/// Strategies that are evaluated where a request says no number.
pub const DEFAULT_CANDIDATES: u32 = 48;

/// The version of stored requests. Those of the time before there were versions have none.
const VERSION: u64 = 1;

/// A pruning search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(schema_with = name_or_none)]
    pub name: Option<String>,
    /// How strategies are chosen; `GET /strategies` says what each does.
    #[serde(default)]
    pub strategy: StrategyName,
    /// Budget: the fraction of the full network's MACs that a candidate keeps, to within 1% of it, or less where another budget
    /// binds before.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.5)]
    pub macs: f64,
    /// Budget: the fraction of the full network's parameters that a candidate keeps, to within 1% of it, or less where the MACs
    /// bind before. Without it, only the MACs count; with `macs` at 1, only the parameters do.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub parameters: Option<f64>,
    /// Strategies to evaluate at most.
    #[serde(default = "default_candidates")]
    #[schema(minimum = 1, maximum = 10_000, default = 48)]
    pub candidates: u32,
    /// Everything random derives from it: the same request with the same seed gives the same leaderboard.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991u64, default = 0)]
    pub seed: u64,
    /// Images from which adaptive batch norm recomputes the running statistics.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 3200)]
    pub calibration_images: u32,
    /// Held-back images on which candidates are scored. They never overlap the calibration images.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 5000)]
    pub scoring_images: u32,
    /// Images per forward pass.
    #[serde(default = "default_batch_size")]
    #[schema(minimum = 1, maximum = 4096, default = 128)]
    pub batch_size: u32,
    /// Keep a multiple of this many channels in every group, or all of them; 1 allows any number. If omitted, groups keep
    /// multiples of 8 where they can, because runtimes are slower with odd counts: the largest of 8, 4, 2 and 1 of which a
    /// group has at least four multiples, and smaller ones where these miss the budget.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 1024)]
    pub round_to: Option<u32>,
    /// No group keeps less than this fraction of its units.
    #[serde(default = "default_min_keep_ratio")]
    #[schema(minimum = 0, maximum = 1, default = 0.1)]
    pub min_keep_ratio: f64,
    #[serde(default)]
    pub adaptation: Adaptation,
    pub preprocessing: Preprocessing,
}

/// The name of a way to choose strategies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(default = "random")]
pub struct StrategyName(pub String);

impl Default for StrategyName {
    fn default() -> Self {
        Self("random".to_owned())
    }
}

impl fmt::Display for StrategyName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl SearchRequest {
    pub fn space(&self) -> Space {
        Space { round_to: self.round_to.map(|multiple| multiple as usize), min_keep_ratio: self.min_keep_ratio }
    }

    pub fn budget(&self) -> Budget {
        let macs = Constraint { measure: Measure::Macs, fraction: self.macs };
        let parameters = self.parameters.map(|fraction| Constraint { measure: Measure::Parameters, fraction });
        Budget([Some(macs), parameters].into_iter().flatten().collect())
    }

    /// Calibration images that adaptive BN sees. A cumulative average over fewer batches than the calibration set has is one
    /// over fewer images.
    pub fn used_calibration_images(&self) -> usize {
        let all = self.calibration_images as usize;
        self.adaptation.images_of(all, self.batch_size as usize)
    }

    /// What can be checked without looking at the model and the dataset: all the fields that are out of range.
    pub fn faults(&self) -> Vec<FieldFault> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, field, detail| {
            if !holds {
                faults.push(FieldFault { field, detail });
            }
        };
        let is_share = |fraction: f64| fraction > 0.0 && fraction <= 1.0;
        must(is_share(self.macs), "macs", "must be a fraction above 0 and at most 1");
        let parameters_fit = self.parameters.is_none_or(is_share);
        must(parameters_fit, "parameters", "must be a fraction above 0 and at most 1");
        must((1..=10_000).contains(&self.candidates), "candidates", "must be from 1 to 10000");
        must(self.seed <= MAX_SEED, "seed", "must be at most 9007199254740991 (2^53 - 1)");
        must(self.calibration_images >= 1, "calibration_images", "must be at least 1");
        must(self.scoring_images >= 1, "scoring_images", "must be at least 1");
        must((1..=4096).contains(&self.batch_size), "batch_size", "must be from 1 to 4096");
        must(self.round_to.is_none_or(|multiple| (1..=1024).contains(&multiple)), "round_to", "must be from 1 to 1024");
        must((0.0..=1.0).contains(&self.min_keep_ratio), "min_keep_ratio", "must be a fraction from 0 to 1");
        must(self.name.as_deref().is_none_or(|name| name_in(name).is_some()), "name", NAME_RULE);
        faults.extend(self.adaptation.faults());
        faults.extend(self.preprocessing.faults());
        faults
    }

    /// The request as it is stored.
    ///
    /// # Errors
    /// Never for a request that was read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        current(self, VERSION)
    }

    /// A stored request, of any version up to today's. Before there were versions, what it is about stood beside it alone:
    /// `model_id` and `dataset_id` are for those.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(document: Value, model_id: Uuid, dataset_id: Uuid) -> Result<Self, StoredError> {
        upgraded(document, VERSION, |fields: &mut Map<String, Value>| {
            fields.insert("model_id".to_owned(), json!(model_id));
            fields.insert("dataset_id".to_owned(), json!(dataset_id));
        })
    }
}

fn default_candidates() -> u32 {
    DEFAULT_CANDIDATES
}

fn default_batch_size() -> u32 {
    128
}

fn default_min_keep_ratio() -> f64 {
    DEFAULT_MIN_KEEP_RATIO
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(change: Value) -> SearchRequest {
        let mut body = json!({
            "model_id": Uuid::nil(), "dataset_id": Uuid::nil(), "macs": 0.5,
            "calibration_images": 100, "scoring_images": 100,
            "preprocessing": { "mean": [0.0], "deviation": [1.0] },
        });
        for (field, value) in change.as_object().unwrap() {
            body[field] = value.clone();
        }
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn what_is_left_out_gets_its_default() {
        let request = request(json!({}));
        assert_eq!(request.faults(), []);
        assert_eq!((request.candidates, request.seed, request.batch_size, request.round_to), (48, 0, 128, None));
        assert_eq!((request.strategy.0.as_str(), request.preprocessing.scale), ("random", 1.0 / 255.0));
        assert_eq!(request.budget(), Budget::macs(0.5));
        assert_eq!(request.space(), Space::default());
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let cases = [
            (json!({"macs": 0}), "macs"),
            (json!({"macs": 1.01}), "macs"),
            (json!({"parameters": 0}), "parameters"),
            (json!({"candidates": 0}), "candidates"),
            (json!({"seed": 1u64 << 53}), "seed"),
            (json!({"calibration_images": 0}), "calibration_images"),
            (json!({"scoring_images": 0}), "scoring_images"),
            (json!({"batch_size": 0}), "batch_size"),
            (json!({"round_to": 0}), "round_to"),
            (json!({"min_keep_ratio": -0.1}), "min_keep_ratio"),
            (json!({"name": " "}), "name"),
            (json!({"adaptation": {"momentum": 0.1}}), "adaptation.momentum"),
            (json!({"adaptation": {"mode": "momentum", "momentum": 2}}), "adaptation.momentum"),
            (json!({"adaptation": {"batches": 0}}), "adaptation.batches"),
            (json!({"preprocessing": {"mean": [0], "deviation": [0]}}), "preprocessing.deviation"),
            (json!({"preprocessing": {"mean": [0], "deviation": [1], "scale": 0}}), "preprocessing.scale"),
        ];
        for (change, field) in cases {
            let faults = request(change.clone()).faults();
            assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [field], "{change}");
        }
        assert_eq!(request(json!({"macs": 7, "round_to": 0})).faults().len(), 2, "all faults are named at once");
    }

    #[test]
    fn both_limits_are_constraints() {
        let budget = request(json!({"parameters": 0.25})).budget();
        assert_eq!(budget.to_string(), "0.5 of the MACs and 0.25 of the parameters");
    }

    #[test]
    fn a_request_survives_storage_word_for_word() {
        let request = request(json!({
            "candidates": 24, "seed": MAX_SEED, "batch_size": 100, "round_to": 8, "min_keep_ratio": 0.2, "name": "night",
            "parameters": 0.3, "adaptation": { "mode": "momentum", "momentum": 0.1, "batches": 100 },
            "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 0.00392156862745098 },
        }));
        let stored = request.to_stored().unwrap();
        assert_eq!(stored["version"], 1);
        assert_eq!(SearchRequest::from_stored(stored, Uuid::max(), Uuid::max()).unwrap(), request);
    }

    #[test]
    fn a_request_from_before_there_were_versions_is_read() {
        let old = r#"{"macs":0.4,"candidates":6,"seed":7,"calibration_images":200,"scoring_images":300,"batch_size":50,
            "round_to":2,"min_keep_ratio":0.2,"adaptation":{"mode":"momentum","momentum":0.2,"batches":7},
            "preprocessing":{"mean":[0.286],"deviation":[0.353],"scale":0.00392156862745098}}"#;
        let read = SearchRequest::from_stored(serde_json::from_str(old).unwrap(), Uuid::max(), Uuid::nil()).unwrap();
        assert_eq!((read.model_id, read.dataset_id, read.round_to), (Uuid::max(), Uuid::nil(), Some(2)));
        assert_eq!((read.strategy.0.as_str(), read.parameters), ("random", None));
    }

    #[test]
    fn a_request_of_a_newer_version_is_refused() {
        let mut stored = request(json!({})).to_stored().unwrap();
        stored["version"] = json!(2);
        let error = SearchRequest::from_stored(stored, Uuid::nil(), Uuid::nil()).unwrap_err().to_string();
        assert!(error.contains("version 2"), "{error}");
    }
}

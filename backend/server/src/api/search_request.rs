//! What a search is asked to do: the fields, their ranges and their defaults.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

use super::names::{NAME_RULE, name_in, name_or_none};
use crate::extract::not_null;
use crate::faults::Faults;
use crate::problem::Kind;

/// Larger numbers lose digits in clients whose only number is a double.
const MAX_SEED: u64 = (1 << 53) - 1;

/// A pruning search to be queued.
#[derive(Debug, Clone, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchRequest {
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    #[schema(schema_with = name_or_none)]
    pub name: Option<String>,
    /// Budget: the fraction of the full network's MACs that every candidate keeps, within 1%.
    #[schema(exclusive_minimum = 0, maximum = 1, example = 0.5)]
    pub macs: f64,
    /// Number of strategies to evaluate.
    #[serde(default = "default_candidates")]
    #[schema(minimum = 1, maximum = 10_000, default = 48)]
    pub candidates: u32,
    /// All random draws derive from it: the same request with the same seed gives the same leaderboard.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 9_007_199_254_740_991u64, default = 0)]
    pub seed: u64,
    /// Images from which adaptive batch norm recomputes the running statistics.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 3200)]
    pub calibration_images: u32,
    /// Held-out images on which candidates are scored. They never overlap the calibration images.
    #[schema(minimum = 1, maximum = 4_294_967_295u32, example = 5000)]
    pub scoring_images: u32,
    /// Images per forward pass.
    #[serde(default = "default_batch_size")]
    #[schema(minimum = 1, maximum = 4096, default = 128)]
    pub batch_size: u32,
    /// Keep a multiple of this many channels in every group, or all; 1 for any number. Where it is left out, groups
    /// keep
    /// multiples of 8 as far as they allow it, because runtimes are slower with odd counts: the largest of 8, 4, 2 and
    /// 1 of
    /// which a group has four multiples or more, and smaller ones where these do not meet the budget.
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

/// What a search was asked to do, with the defaults filled in.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct SearchSettings {
    /// Budget as a fraction of the full network's MACs.
    pub macs: f64,
    /// Number of strategies to evaluate.
    pub candidates: u32,
    pub seed: u64,
    /// Images from which adaptive batch norm recomputes the running statistics.
    pub calibration_images: u32,
    /// Images on which candidates are scored.
    pub scoring_images: u32,
    /// Images per forward pass.
    pub batch_size: u32,
    /// Channels kept in a group are a multiple of this. Null: multiples of 8 if the group is large enough.
    #[schema(required)]
    pub round_to: Option<u32>,
    /// Minimum fraction of its units that every group keeps.
    pub min_keep_ratio: f64,
    pub adaptation: Adaptation,
    pub preprocessing: Preprocessing,
}

/// Adaptive batch norm: how running statistics are recomputed from the calibration images (paper, section 3.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Adaptation {
    #[serde(default)]
    #[schema(default = "cumulative")]
    pub mode: AdaptationMode,
    /// Weight of the latest batch, for `momentum` only. If omitted, 0.1.
    #[serde(default, deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false)]
    pub momentum: Option<f64>,
    /// Batches to use. If omitted, all calibration images once.
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

/// From pixels (0 to 255) to the network's input: `(pixel * scale - mean) / deviation`, per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// One per channel of the model's input.
    #[schema(example = json!([0.485, 0.456, 0.406]))]
    pub mean: Vec<f64>,
    /// One per channel of the model's input; must not be 0.
    #[schema(schema_with = deviations)]
    pub deviation: Vec<f64>,
    /// Defaults to 1/255; must not be 0.
    #[serde(default = "default_scale")]
    #[schema(schema_with = scale)]
    pub scale: f64,
}

/// Which strategies a search may draw: what of a budget is reachable depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Space {
    pub round_to: Option<u32>,
    pub min_keep_ratio: f64,
}

impl Default for Space {
    fn default() -> Self {
        Space { round_to: None, min_keep_ratio: default_min_keep_ratio() }
    }
}

impl SearchRequest {
    pub fn space(&self) -> Space {
        Space { round_to: self.round_to, min_keep_ratio: self.min_keep_ratio }
    }

    /// Checks what can be checked without looking at the model and the dataset, and names all fields at fault.
    pub fn check(&self) -> Faults {
        let mut faults = Faults::default();
        let mut must = |holds: bool, field: &str, detail: &str| {
            if !holds {
                faults.add(Kind::InvalidField, field, detail.to_owned());
            }
        };
        must(self.macs > 0.0 && self.macs <= 1.0, "macs", "must be a fraction above 0 and at most 1");
        must((1..=10_000).contains(&self.candidates), "candidates", "must be from 1 to 10000");
        must(self.seed <= MAX_SEED, "seed", "must be at most 9007199254740991 (2^53 - 1)");
        must(self.calibration_images >= 1, "calibration_images", "must be at least 1");
        must(self.scoring_images >= 1, "scoring_images", "must be at least 1");
        must((1..=4096).contains(&self.batch_size), "batch_size", "must be from 1 to 4096");
        must(self.round_to.is_none_or(|multiple| (1..=1024).contains(&multiple)), "round_to", "must be from 1 to 1024");
        must((0.0..=1.0).contains(&self.min_keep_ratio), "min_keep_ratio", "must be a fraction from 0 to 1");
        must(self.name.as_deref().is_none_or(|name| name_in(name).is_some()), "name", NAME_RULE);

        let adaptation = &self.adaptation;
        let weight_fits = adaptation.momentum.is_none_or(|m| m > 0.0 && m <= 1.0);
        must(weight_fits, "adaptation.momentum", "must be above 0 and at most 1");
        let weight_is_used = adaptation.momentum.is_none() || adaptation.mode == AdaptationMode::Momentum;
        must(weight_is_used, "adaptation.momentum", "applies only to mode `momentum`; omit it with `cumulative`");
        must(adaptation.batches != Some(0), "adaptation.batches", "must be at least 1");

        let Preprocessing { mean, deviation, scale } = &self.preprocessing;
        must(mean.iter().all(|m| m.is_finite()), "preprocessing.mean", "must be finite numbers");
        let divides = deviation.iter().all(|d| d.is_finite() && *d != 0.0);
        must(divides, "preprocessing.deviation", "must be finite numbers other than 0");
        must(scale.is_finite() && *scale != 0.0, "preprocessing.scale", "must be a finite number other than 0");

        faults
    }
}

/// A number on either side of 0.
fn not_zero() -> AnyOfBuilder {
    let number = || {
        let double = SchemaFormat::KnownFormat(KnownFormat::Double);
        ObjectBuilder::new().schema_type(Type::Number).format(Some(double))
    };
    AnyOfBuilder::new().item(number().exclusive_minimum(Some(0))).item(number().exclusive_maximum(Some(0)))
}

fn deviations() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(not_zero())
        .description(Some("One per channel of the model's input; must not be 0."))
        .examples([json!([0.229, 0.224, 0.225])])
}

fn scale() -> AnyOfBuilder {
    let description = "Defaults to 1/255; must not be 0.";
    not_zero().description(Some(description)).default(Some(json!(default_scale())))
}

fn default_candidates() -> u32 {
    48
}

fn default_batch_size() -> u32 {
    128
}

fn default_min_keep_ratio() -> f64 {
    0.1
}

fn default_scale() -> f64 {
    1.0 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

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
    fn a_plain_request_passes() {
        assert!(request(json!({})).check().is_empty());
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let cases = [
            (json!({"macs": 0}), "macs"),
            (json!({"macs": 1.01}), "macs"),
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
            let problem = request(change.clone()).check().into_result().unwrap_err();
            assert!(problem.detail().starts_with(field), "{change}: {}", problem.detail());
        }
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let problem = request(json!({"macs": 7, "round_to": 0})).check().into_result().unwrap_err();
        assert!(problem.detail().contains("macs:") && problem.detail().contains("round_to:"), "{}", problem.detail());
    }
}

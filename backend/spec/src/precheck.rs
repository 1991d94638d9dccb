//! What is known of a search before it is queued: how the full network does on a sample of its images.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::evaluation::{Intervals, Score};
use crate::field_fault::FieldFault;
use crate::interval::Interval;
use crate::request::SearchRequest;
use crate::warning::Warning;

/// The full network on a sample of a search's images, with the request's preprocessing and with known ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Precheck {
    /// Images in the sample: the first of the search's scoring images. For a network of many MACs there are fewer than were
    /// asked for.
    pub images: u64,
    /// Whether the images have labels. Without them nothing can be said about accuracy.
    pub labelled: bool,
    /// The full network's score. Null for images without labels.
    #[schema(required)]
    pub score: Option<Score>,
    /// 95% confidence intervals of the score. Null for images without labels.
    #[schema(required)]
    pub intervals: Option<Intervals>,
    /// How often each class was answered, and how often it is right: the classes that one of the two names, by index. The
    /// answers of all classes together are the images of the sample.
    pub classes: Vec<ClassAnswers>,
    /// Images on which presets were tried: the first of the sample. 0 for images without labels, on which presets cannot be
    /// compared.
    pub preset_images: u64,
    /// How the full network does with the values of known presets, in the order of `GET /presets`. Of presets that differ in how
    /// images are resized only, the first is listed: images are resized as the request says.
    pub presets: Vec<PresetFit>,
    /// The preset whose values give the highest accuracy, where that is higher than with the request's values. Null where none
    /// is.
    #[schema(required)]
    pub best_preset: Option<BestPreset>,
    /// What should be known before the search is queued.
    pub warnings: Vec<Warning>,
    /// Seconds that reading the model, decoding the images and scoring took.
    #[schema(minimum = 0)]
    pub seconds: f64,
}

/// Answers of the full network with one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClassAnswers {
    /// The class's place among the network's outputs.
    pub index: u32,
    /// As the dataset names it; the index in digits where it does not.
    #[schema(example = "cat")]
    pub name: String,
    /// Images of the sample for which the network answered this class.
    pub answers: u64,
    /// Images of the sample with this label; 0 where there are no labels.
    pub labels: u64,
}

/// The full network with a preset's mean, deviation, scale and order of colours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresetFit {
    #[schema(example = "torchvision")]
    pub name: String,
    #[schema(minimum = 0, maximum = 1)]
    pub top1: f64,
    /// 95% confidence interval of `top1`.
    pub interval: Interval,
    /// Whether these are the request's own values.
    pub requested: bool,
}

/// The preset that fits best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BestPreset {
    #[schema(example = "torchvision")]
    pub name: String,
    /// Whether it is better than the request's values by more than the noise, in a paired test on the same images.
    pub fits_better: bool,
}

/// The fields of a request that say how much is to be kept.
pub const BUDGET_FIELDS: &[&str] = &["macs", "parameters", "bytes", "budgets", "budget_range"];

/// The fields of a request that are out of range and matter to a check: budgets do not, since nothing is pruned.
pub fn faults(request: &SearchRequest) -> Vec<FieldFault> {
    request.faults().into_iter().filter(|fault| !BUDGET_FIELDS.contains(&fault.field)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn budgets_may_be_out_of_range_or_missing_and_the_rest_may_not() {
        let request = |change: serde_json::Value| -> SearchRequest {
            let mut body = json!({
                "model_id": uuid::Uuid::nil(), "dataset_id": uuid::Uuid::nil(), "calibration_images": 100,
                "scoring_images": 100, "preprocessing": { "mean": [0.0], "deviation": [1.0] },
            });
            body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value(body).unwrap()
        };
        for change in [json!({}), json!({ "macs": 7 }), json!({ "bytes": 0 }), json!({ "budgets": [{}] })] {
            assert_ne!(request(change.clone()).faults(), [], "{change}");
            assert_eq!(faults(&request(change.clone())), [], "{change}");
        }
        let found = faults(&request(json!({ "macs": 7, "batch_size": 0 })));
        assert_eq!(found.iter().map(|fault| fault.field).collect::<Vec<_>>(), ["batch_size"]);
    }
}

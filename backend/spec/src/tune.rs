//! Fine-tuning, as it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::candidate_weights::CandidateWeights;
use crate::field_fault::{FieldFault, failed};
use crate::optional::{is_default, not_null};
use crate::seed::MAX_SEED;
use crate::stored::{StoredError, current, upgraded};

/// Version of stored options.
const VERSION: u64 = 1;
/// The most epochs of a tuning.
pub const MAX_EPOCHS: u32 = 10_000;
/// Images of a batch for which the default learning rates are stated; they are in proportion to it.
const BATCH_OF_RATES: f64 = 512.0;

/// How a pruned network is trained. `epochs` or `minutes` is enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TuneOptions {
    /// What is trained.
    #[serde(skip_serializing_if = "is_default")]
    pub start: CandidateWeights,
    /// Passes over the training images. Required if `minutes` is omitted; with both, whichever ends first.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000, nullable = false)]
    pub epochs: Option<u32>,
    /// Time limit in minutes. The learning rate is planned for the steps that fit into it, as far as these can be timed.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 100_000, nullable = false)]
    pub minutes: Option<f64>,
    pub optimizer: Optimizer,
    /// Largest learning rate. If omitted, 0.05 for SGD and 0.001 for AdamW with 512 images per batch, and in proportion to
    /// the images of a batch.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 100, nullable = false)]
    pub learning_rate: Option<f64>,
    /// Look for the largest learning rate by a range test of up to 100 steps, whose weights are discarded.
    pub find_learning_rate: bool,
    /// Part of the steps over which the learning rate rises linearly, before it falls as a cosine.
    #[schema(minimum = 0, maximum = 1)]
    pub warmup: f64,
    /// Momentum of SGD, of Nesterov's kind; unused by AdamW.
    #[schema(minimum = 0, exclusive_maximum = 1)]
    pub momentum: f64,
    /// Of weights, not of norms and biases. If omitted, 0.0001 for SGD and 0.05 for AdamW.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 1, nullable = false)]
    pub weight_decay: Option<f64>,
    /// Images per step. The images that are left over after an epoch's last whole batch wait for another epoch.
    #[schema(minimum = 2, maximum = 65_536)]
    pub batch_size: u32,
    /// Images per forward pass where memory is short: gradients of several passes make a step. Batch norms see only those of a
    /// pass.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 2, maximum = 65_536, nullable = false)]
    pub micro_batch: Option<u32>,
    /// Part of each label that is spread over all classes.
    #[schema(minimum = 0, exclusive_maximum = 1)]
    pub label_smoothing: f64,
    /// Mirror half of the images left to right. Not for images whose class depends on it, such as digits.
    pub flip: bool,
    /// Pixels by which images are shifted at most, at random; what is missing at an edge is mirrored from the image.
    #[schema(minimum = 0, maximum = 1024)]
    pub crop_padding: u32,
    /// Cut a random rectangle from each image and resize it to the whole image's size: of at least this part of the area, and of
    /// proportions between 3:4 and 4:3 of the image's own. Images are not cut if omitted. Not together with `crop_padding`.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, maximum = 1, nullable = false, example = 0.35)]
    pub crop_area: Option<f64>,
    /// Blend pairs of images, by shares drawn from Beta(`mixup`, `mixup`). 0 does not.
    #[schema(minimum = 0, maximum = 2)]
    pub mixup: f64,
    /// Learn from the full network's answers beside the labels. Without labels they are all there is to learn from, and its
    /// defaults hold if it is omitted.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub distillation: Option<Distillation>,
    /// Decay of a moving average of the weights, such as 0.999. The average is validated and returned, with running statistics
    /// of its own. There is none if omitted.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(exclusive_minimum = 0, exclusive_maximum = 1, nullable = false)]
    pub average: Option<f64>,
    /// Largest norm of all gradients together; larger ones are scaled down to it. 0 leaves them alone.
    #[schema(minimum = 0)]
    pub clip_norm: f64,
    /// End after so many epochs that were no better on the validation images, and return the best. If omitted, all epochs are
    /// run and the last is returned.
    #[serde(deserialize_with = "not_null", skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000, nullable = false)]
    pub patience: Option<u32>,
    /// Compute in bfloat16 where the device is a GPU.
    pub mixed_precision: bool,
    /// The order of the images, and everything else random, derives from it.
    #[schema(maximum = 9_007_199_254_740_991u64)]
    pub seed: u64,
}

/// What makes a step of the gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent with Nesterov momentum.
    #[default]
    Sgd,
    /// Adam with decoupled weight decay (Loshchilov and Hutter, 2019).
    AdamW,
}

impl Optimizer {
    pub const ALL: [Self; 2] = [Self::Sgd, Self::AdamW];

    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::AdamW => "adamw",
        }
    }
}

/// Learning from the full network's probabilities (Hinton et al., 2015).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Distillation {
    /// By which both networks' logits are divided.
    #[schema(exclusive_minimum = 0, maximum = 100)]
    pub temperature: f64,
    /// Part of the loss that is the divergence from the full network; the rest is the labels'. Without labels it is 1.
    #[schema(minimum = 0, maximum = 1)]
    pub weight: f64,
}

impl Default for Distillation {
    /// A small part at a high temperature: a network with half of the multiply-adds is often better than the full one after training,
    /// so that a large part holds it back (measured in docs/tuning.md).
    fn default() -> Self {
        Self { temperature: 4.0, weight: 0.1 }
    }
}

impl Default for TuneOptions {
    fn default() -> Self {
        Self {
            start: CandidateWeights::Adapted,
            epochs: None,
            minutes: None,
            optimizer: Optimizer::Sgd,
            learning_rate: None,
            find_learning_rate: false,
            warmup: 0.1,
            momentum: 0.9,
            weight_decay: None,
            batch_size: 128,
            micro_batch: None,
            label_smoothing: 0.0,
            flip: true,
            crop_padding: 0,
            crop_area: None,
            mixup: 0.0,
            distillation: None,
            average: None,
            clip_norm: 0.0,
            patience: None,
            mixed_precision: true,
            seed: 0,
        }
    }
}

impl TuneOptions {
    /// The options as they are stored.
    ///
    /// # Errors
    /// Never for options that were read from JSON.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        current(self, VERSION)
    }

    /// Stored options, of any version up to today's.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(document: Value) -> Result<Self, StoredError> {
        upgraded(document, VERSION, |_, _| {})
    }

    /// Brings the options that a stored document has in this field, if any, up to today's version.
    pub(crate) fn upgrade_in(document: &mut Value, field: &str) -> Result<(), StoredError> {
        let Value::Object(fields) = document else { return Err(StoredError::NoObject) };
        if let Some(options) = fields.get_mut(field) {
            *options = serde_json::to_value(Self::from_stored(options.take())?)?;
        }
        Ok(())
    }

    /// The largest learning rate on so many training images, without a range test.
    pub fn rate(&self, images: usize) -> f64 {
        let of_rates = match self.optimizer {
            Optimizer::Sgd => 0.05,
            Optimizer::AdamW => 0.001,
        };
        self.learning_rate.unwrap_or(of_rates * self.batch(images) as f64 / BATCH_OF_RATES)
    }

    /// Images in a step on so many training images.
    pub fn batch(&self, images: usize) -> usize {
        (self.batch_size as usize).min(images)
    }

    /// The weight decay of weights.
    pub fn decay(&self) -> f64 {
        self.weight_decay.unwrap_or(match self.optimizer {
            Optimizer::Sgd => 1e-4,
            Optimizer::AdamW => 0.05,
        })
    }

    /// All the fields that are out of range.
    pub fn faults(&self) -> Vec<FieldFault> {
        let distilled = self.distillation.unwrap_or_default();
        let in_pass = |images: u32| (2..=65_536).contains(&images);
        failed([
            (self.epochs.is_some() || self.minutes.is_some(), "epochs", "is missing: enter `epochs` or `minutes`"),
            (self.epochs.is_none_or(|n| (1..=MAX_EPOCHS).contains(&n)), "epochs", "must be from 1 to 10000"),
            (self.minutes.is_none_or(|m| m > 0.0 && m <= 1e5), "minutes", "must be above 0 and at most 100000"),
            (
                self.learning_rate.is_none_or(|r| r > 0.0 && r <= 100.0),
                "learning_rate",
                "must be above 0 and at most 100",
            ),
            (
                !self.find_learning_rate || self.learning_rate.is_none(),
                "learning_rate",
                "must be left out with `find_learning_rate`",
            ),
            ((0.0..=1.0).contains(&self.warmup), "warmup", "must be a fraction from 0 to 1"),
            ((0.0..1.0).contains(&self.momentum), "momentum", "must be from 0 to below 1"),
            (self.weight_decay.is_none_or(|d| (0.0..=1.0).contains(&d)), "weight_decay", "must be from 0 to 1"),
            (in_pass(self.batch_size), "batch_size", "must be from 2 to 65536"),
            (self.micro_batch.is_none_or(in_pass), "micro_batch", "must be from 2 to 65536"),
            (
                self.micro_batch.is_none_or(|images| images <= self.batch_size),
                "micro_batch",
                "must be at most `batch_size`",
            ),
            ((0.0..1.0).contains(&self.label_smoothing), "label_smoothing", "must be from 0 to below 1"),
            (self.crop_padding <= 1024, "crop_padding", "must be from 0 to 1024"),
            (self.crop_area.is_none_or(|area| area > 0.0 && area <= 1.0), "crop_area", "must be above 0 and at most 1"),
            (self.crop_area.is_none() || self.crop_padding == 0, "crop_area", "must be left out with `crop_padding`"),
            ((0.0..=2.0).contains(&self.mixup), "mixup", "must be from 0 to 2"),
            (
                distilled.temperature > 0.0 && distilled.temperature <= 100.0,
                "distillation.temperature",
                "must be above 0 and at most 100",
            ),
            ((0.0..=1.0).contains(&distilled.weight), "distillation.weight", "must be a fraction from 0 to 1"),
            (self.average.is_none_or(|decay| decay > 0.0 && decay < 1.0), "average", "must be between 0 and 1"),
            (self.clip_norm >= 0.0 && self.clip_norm.is_finite(), "clip_norm", "must be at least 0"),
            (self.patience.is_none_or(|n| (1..=10_000).contains(&n)), "patience", "must be from 1 to 10000"),
            (self.seed <= MAX_SEED, "seed", "must be at most 9007199254740991 (2^53 - 1)"),
        ])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn options(fields: Value) -> TuneOptions {
        serde_json::from_value(fields).unwrap()
    }

    #[test]
    fn a_number_of_epochs_or_a_time_limit_is_enough() {
        for fields in [json!({ "epochs": 3 }), json!({ "minutes": 1.5 }), json!({ "epochs": 3, "minutes": 10 })] {
            assert_eq!(options(fields.clone()).faults(), [], "{fields}");
        }
        let fields: Vec<&str> = options(json!({})).faults().iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["epochs"]);
    }

    #[test]
    fn default_rates_are_in_proportion_to_the_images_of_a_batch() {
        let rate = |fields| options(fields).rate(1000);
        assert_eq!(rate(json!({ "batch_size": 65_536 })), 0.05 * 1000.0 / 512.0, "no batch has more than there are");
        assert_eq!(rate(json!({ "batch_size": 512 })), 0.05);
        assert_eq!(rate(json!({ "batch_size": 128 })), 0.0125);
        assert_eq!(rate(json!({ "batch_size": 512, "optimizer": "adamw" })), 0.001);
        assert_eq!(rate(json!({ "batch_size": 512, "learning_rate": 0.3 })), 0.3);
        assert_eq!([Optimizer::Sgd, Optimizer::AdamW].map(|optimizer| json!(optimizer)), ["sgd", "adamw"]);
    }

    #[test]
    fn what_is_stored_is_read_again_and_carries_its_version() {
        let asked = options(json!({ "epochs": 3, "average": 0.999, "distillation": {} }));
        let mut stored = asked.to_stored().unwrap();
        assert_eq!(stored["version"], 1);
        assert_eq!(TuneOptions::from_stored(stored.clone()).unwrap(), asked);
        stored["version"] = json!(2);
        assert!(matches!(TuneOptions::from_stored(stored), Err(StoredError::Newer { known: 1, .. })));
    }

    #[test]
    fn tunings_begin_with_the_adapted_candidate_as_those_did_that_said_nothing() {
        let stored = options(json!({ "epochs": 1 })).to_stored().unwrap();
        assert_eq!(
            (stored.get("start"), TuneOptions::from_stored(stored.clone()).unwrap().start),
            (None, CandidateWeights::Adapted)
        );
        let repaired = options(json!({ "epochs": 1, "start": "repaired" }));
        assert_eq!(TuneOptions::from_stored(repaired.to_stored().unwrap()).unwrap().start, CandidateWeights::Repaired);
        assert_eq!(CandidateWeights::ALL.map(|start| json!(start)), CandidateWeights::ALL.map(CandidateWeights::name));
    }

    #[test]
    fn each_field_out_of_range_is_named() {
        let cases = [
            (json!({ "epochs": 0 }), "epochs"),
            (json!({ "minutes": 0 }), "minutes"),
            (json!({ "learning_rate": 0 }), "learning_rate"),
            (json!({ "learning_rate": 0.1, "find_learning_rate": true }), "learning_rate"),
            (json!({ "warmup": 1.5 }), "warmup"),
            (json!({ "momentum": 1 }), "momentum"),
            (json!({ "weight_decay": -1 }), "weight_decay"),
            (json!({ "batch_size": 1 }), "batch_size"),
            (json!({ "micro_batch": 1 }), "micro_batch"),
            (json!({ "batch_size": 8, "micro_batch": 16 }), "micro_batch"),
            (json!({ "label_smoothing": 1 }), "label_smoothing"),
            (json!({ "crop_padding": 1025 }), "crop_padding"),
            (json!({ "crop_area": 0 }), "crop_area"),
            (json!({ "crop_area": 0.5, "crop_padding": 2 }), "crop_area"),
            (json!({ "mixup": -0.1 }), "mixup"),
            (json!({ "distillation": { "temperature": 0 } }), "distillation.temperature"),
            (json!({ "distillation": { "weight": 2 } }), "distillation.weight"),
            (json!({ "average": 1 }), "average"),
            (json!({ "clip_norm": -1 }), "clip_norm"),
            (json!({ "patience": 0 }), "patience"),
            (json!({ "seed": 1u64 << 53 }), "seed"),
        ];
        for (change, field) in cases {
            let mut fields = json!({ "epochs": 1 });
            fields.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let faults = options(fields).faults();
            assert_eq!(faults.iter().map(|fault| fault.field).collect::<Vec<_>>(), [field], "{change}");
        }
    }
}

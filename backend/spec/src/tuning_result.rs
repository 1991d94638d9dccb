//! What fine-tuning has come to.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::evaluation::Score;
use crate::stored::{StoredError, current, upgraded};
use crate::tuning::Histogram;

/// Version of stored results.
const VERSION: u64 = 1;

/// The result of a tuning, beside the scores that it began with. The validation images are the search's scoring images, all of
/// them for all three.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TuningResult {
    /// The full network on the validation images.
    pub full: Score,
    /// The candidate on the validation images, before the first step.
    pub before: Score,
    /// The tuned network on the validation images.
    pub validation: Score,
    /// The tuned network on the test images, which are looked at once, at the end. Null if the search has none.
    #[schema(required)]
    pub test: Option<Score>,
    /// Epochs of training; less than asked for where patience or time ran out.
    pub epochs: u32,
    pub training_images: u64,
    pub validation_images: u64,
    pub test_images: u64,
    /// Top-1 on the validation images after each epoch. Empty in a result of an older version.
    #[serde(default)]
    pub by_epoch: Vec<f64>,
    /// Seconds of training, without interruptions. Null in a result of an older version.
    #[serde(default)]
    #[schema(required)]
    pub seconds: Option<f64>,
    /// Where it was trained to its end. Null in a result of an older version.
    #[serde(default)]
    #[schema(required)]
    pub trained_by: Option<TrainedBy>,
    /// The L1 norms of the candidate's filters before the first step, as each epoch has them after it. Null in a result of an older
    /// version.
    #[serde(default)]
    #[schema(required)]
    pub filter_norms_before: Option<Histogram>,
}

/// A worker's program and the device that it computed on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct TrainedBy {
    /// EagleEye's.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// As in `/health`.
    #[schema(example = "cuda:0")]
    pub device: String,
    /// The name of that processor or card. Null where it is not known.
    #[schema(required, example = "NVIDIA H200")]
    pub hardware: Option<String>,
    /// The version of libtorch that it computed with. Null in a result of an older version.
    #[serde(default)]
    #[schema(required, example = "2.13.0")]
    pub libtorch: Option<String>,
}

impl TuningResult {
    /// The result as it is stored.
    ///
    /// # Errors
    /// Never for a result whose numbers are finite.
    pub fn to_stored(&self) -> Result<Value, StoredError> {
        current(self, VERSION)
    }

    /// A stored result, of any version up to today's.
    ///
    /// # Errors
    /// Where the document is of a newer version, or does not have the form of its own.
    pub fn from_stored(document: Value) -> Result<Self, StoredError> {
        upgraded(document, VERSION, |_, _| {})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stored_is_read_again() {
        let result = TuningResult {
            full: Score::new(0.1 + 0.2, 0.99, 0.3),
            before: Score::new(0.1, 0.5, f64::INFINITY),
            validation: Score::new(1.0 / 3.0, 0.98, 0.1),
            test: None,
            epochs: 3,
            training_images: 500,
            validation_images: 60,
            test_images: 0,
            by_epoch: vec![0.2, 0.3, 1.0 / 3.0],
            seconds: Some(12.5),
            trained_by: Some(TrainedBy {
                version: "0.1.0".into(),
                device: "cpu".into(),
                hardware: None,
                libtorch: None,
            }),
            filter_norms_before: Some(Histogram { low: 0.0, high: 2.5, counts: vec![3, 1] }),
        };
        let stored = result.to_stored().unwrap();
        assert_eq!(stored["version"], 1);
        assert_eq!(TuningResult::from_stored(stored.clone()).unwrap(), result);

        let mut old = stored;
        for field in ["by_epoch", "seconds", "trained_by", "filter_norms_before"] {
            old.as_object_mut().unwrap().remove(field);
        }
        let read = TuningResult::from_stored(old).unwrap();
        assert_eq!(
            read,
            TuningResult { by_epoch: vec![], seconds: None, trained_by: None, filter_norms_before: None, ..result }
        );
    }
}

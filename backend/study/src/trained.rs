//! What a study is computed from.

use eagleeye_spec::{Candidate, Score};
use serde::{Deserialize, Serialize};

/// A candidate with what became of it in fine-tunings from several seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained<'a> {
    pub candidate: &'a Candidate,
    /// In the order of the study's seeds.
    pub tunings: Vec<Tuning>,
}

/// One fine-tuning of a candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    pub seed: u64,
    pub validation: Score,
    pub validation_images: u64,
    /// On images that nothing was chosen by, where there are any.
    pub test: Option<Score>,
    pub test_images: u64,
    /// Top-1 on the validation images after each epoch.
    pub by_epoch: Vec<f64>,
    /// Time that it took.
    pub seconds: f64,
}

impl Tuning {
    /// Top-1 on the test images; where there are none, on the validation images.
    pub fn accuracy(&self) -> f64 {
        self.test.unwrap_or(self.validation).top1
    }
}

impl Trained<'_> {
    /// The mean of its fine-tunings.
    pub fn accuracy(&self) -> f64 {
        self.tunings.iter().map(Tuning::accuracy).sum::<f64>() / self.tunings.len() as f64
    }
}

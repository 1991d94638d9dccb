//! How well a network does in between: on validation images, with batch norms folded.

use eagleeye_spec::Score;
use tch::Tensor;

use super::error::TuneError;
use crate::fold::fold;
use crate::images::Part;
use crate::network::Network;
use crate::pictures::Pictures;
use crate::score::{Reference, score};

/// Images of one forward pass.
const BATCH: usize = 128;

/// Images that networks are scored on.
pub(super) struct Target<'a> {
    images: &'a Pictures,
    /// Their classes; the full network's own answers where the images have no labels.
    labels: Tensor,
    reference: Option<Reference>,
}

impl<'a> Target<'a> {
    /// `full` is folded.
    pub fn new(full: Option<&Network>, part: &'a Part, cancelled: &dyn Fn() -> bool) -> Result<Self, TuneError> {
        let reference = full.map(|full| Reference::of(full, &part.images, BATCH, cancelled)).transpose()?;
        let labels = match (&part.labels, &reference) {
            (Some(labels), _) => labels.shallow_clone(),
            (None, Some(reference)) => reference.answers()?,
            (None, None) => return Err(TuneError::NothingToLearn),
        };
        Ok(Self { images: &part.images, labels, reference })
    }

    pub fn score(&self, network: &Network, cancelled: &dyn Fn() -> bool) -> Result<Score, TuneError> {
        let _no_grad = tch::no_grad_guard();
        let (network, reference) = (fold(network)?, self.reference.as_ref());
        Ok(score(&network, self.images, &self.labels, reference, BATCH, cancelled)?.score)
    }
}

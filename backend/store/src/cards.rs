//! What is stored of an exported network, as its model card.

use eagleeye_spec::card::{CardFile, CardSearch, CardSource, CardWeights};
use eagleeye_spec::{Adaptation, CardInput, ModelCard, SearchRequest, StrategyName};
use uuid::Uuid;

use crate::candidates::Candidate;
use crate::checkpoints::Checkpoint;
use crate::datasets::Dataset;
use crate::entities::checkpoint::{CheckpointState, CheckpointWeights};
use crate::error::{Kind, StoreError};
use crate::models::Model;
use crate::searches::Search;
use crate::store::Store;
use crate::tunings::Tuning;

const PRODUCER: &str = concat!("EagleEye ", env!("CARGO_PKG_VERSION"));

/// A checkpoint and all that it comes from.
#[derive(Debug)]
pub struct CardRows {
    pub checkpoint: Checkpoint,
    pub candidate: Candidate,
    pub search: Search,
    pub model: Model,
    pub dataset: Dataset,
    /// The tuning that its weights are from.
    pub tuning: Option<Tuning>,
}

impl Store {
    /// What the card of a checkpoint is made from.
    pub async fn card_rows(&self, checkpoint_id: Uuid) -> Result<CardRows, StoreError> {
        let checkpoint = self.checkpoints().get(checkpoint_id).await?;
        let candidate = self.candidates().get(checkpoint.candidate_id).await?;
        let search = self.searches().get(candidate.search_id).await?;
        let tuning = match checkpoint.tuning_id {
            None => None,
            Some(id) => Some(self.tunings().get(id).await?),
        };
        let model = self.models().get(search.model_id).await?;
        let dataset = self.datasets().get(search.dataset_id).await?;
        Ok(CardRows { checkpoint, candidate, search, model, dataset, tuning })
    }
}

impl CardRows {
    /// The card. `adaptation` says how the running statistics of a strategy's candidates are recomputed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the search has not scored the full network.
    pub fn card(&self, adaptation: fn(&SearchRequest, &StrategyName) -> Adaptation) -> Result<ModelCard, StoreError> {
        let Self { checkpoint, candidate, search, model, dataset, tuning } = self;
        let (Some(baseline), Some(split)) = (&search.baseline, search.split) else {
            let reason = "has not scored the full network yet".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Search, id: search.id, reason });
        };
        let tuned = tuning.as_ref().and_then(|tuning| Some((&tuning.request, tuning.result.as_ref()?)));
        let is_ready = checkpoint.state == CheckpointState::Ready;
        Ok(ModelCard::new(&CardInput {
            producer: PRODUCER,
            file: CardFile {
                format: checkpoint.format.name().to_owned(),
                opset: checkpoint.format.opset(),
                bytes: checkpoint.bytes.filter(|_| is_ready),
                hash: checkpoint.hash.as_ref().filter(|_| is_ready).map(ToString::to_string),
                sha256: checkpoint.sha256.filter(|_| is_ready).map(String::from),
            },
            source: CardSource {
                name: model.name.clone(),
                file_name: model.file_name.clone(),
                hash: model.hash.to_string(),
                input_shape: model.input_shape.clone(),
                classes: model.figures.classes,
            },
            weights: match checkpoint.weights {
                CheckpointWeights::Adapted => CardWeights::Adapted,
                CheckpointWeights::Repaired => CardWeights::Repaired,
                CheckpointWeights::Tuned => CardWeights::Tuned,
            },
            search: CardSearch {
                request: &search.request,
                baseline,
                split,
                candidate: &candidate.clone().into(),
                latencies: &candidate.latencies,
                warnings: &search.warnings,
                adaptation: adaptation(&search.request, &candidate.origin.strategy),
                dataset: &dataset.name,
                images_hash: dataset.images_hash.as_str(),
                labels_hash: dataset.labels_hash.as_ref().map(|hash| hash.as_str()),
                images: dataset.content.images,
            },
            tuning: tuned,
        }))
    }
}

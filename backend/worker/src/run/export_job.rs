//! The job of a checkpoint: make a candidate again, adapted, repaired or tuned, and write it as a file that is proven.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eagleeye_data::Split;
use eagleeye_engine::repair::Follow;
use eagleeye_engine::{
    Document, Format, Images, Network, Opset, adaptation_of, export, export_onnx, export_state_dict, make_again,
    make_by_recipe, make_tuned,
};
use eagleeye_spec::{CandidateWeights, SearchRequest, TuneOptions};
use eagleeye_store::{
    Candidate, Check, Checkpoint, CheckpointFormat, CheckpointWeights, EXPORT_JOB, Exported, LocalFile, Search, Store,
};
use tempfile::TempDir;

use crate::card::documents;
use crate::convert;
use crate::provenance::{Provenance, Weights};
use crate::run::engine_thread::{CancelFlag, compute};
use crate::run::error::JobError;
use crate::run::handler::{Handler, Task};
use crate::run::image_cache::ImageCache;
use crate::run::inputs::{DatasetInputs, ModelInputs};
use crate::run::reporter::Unwatched;
use crate::run::resources::Resources;
use crate::run::retry::{once, retry, retry_slow};

/// Writes a checkpoint's file, puts it into the store, and ends the job.
#[derive(Debug)]
pub struct ExportJob;

#[async_trait(?Send)]
impl Handler for ExportJob {
    fn kind(&self) -> &'static str {
        EXPORT_JOB
    }

    /// It takes seconds, and a search hours.
    fn priority(&self) -> i32 {
        0
    }

    fn takes_turns(&self) -> bool {
        true
    }

    async fn perform(&self, task: Task) -> Result<(), JobError> {
        export_checkpoint(task).await
    }
}

async fn export_checkpoint(task: Task) -> Result<(), JobError> {
    let Task { store, lease, subject: checkpoint_id, resources, image_cache, cancel, .. } = task;
    let give_up = || cancel.is_set();
    let checkpoint = retry(give_up, async || store.checkpoints().get(checkpoint_id).await).await?;
    let candidate = retry(give_up, async || store.candidates().get(checkpoint.candidate_id).await).await?;
    let search = retry(give_up, async || store.searches().get(candidate.search_id).await).await?;
    let model = ModelInputs::fetch(&store, &search, &cancel).await?;
    let weights = source_of(&store, &checkpoint, &cancel).await?;
    let calibration = match weights.needs_images(&model.request) {
        true => Some(Calibration::fetch(&store, &search, image_cache, &model.request, &cancel).await?),
        false => None,
    };
    let format = match checkpoint.format {
        CheckpointFormat::TorchScript => Written::Network(Format::TorchScript),
        CheckpointFormat::Safetensors => Written::Network(Format::Safetensors),
        CheckpointFormat::Onnx => Written::Onnx(Opset::default()),
        CheckpointFormat::OnnxAt(opset) => Written::Onnx(Opset::new(opset)?),
        CheckpointFormat::StateDict => {
            let rows = retry(give_up, async || store.card_rows(checkpoint_id).await).await?;
            Written::StateDict(documents(&rows.card(adaptation_of)?)?)
        }
    };
    let work = CandidateExport { format, model, candidate, calibration, weights, resources, cancel: cancel.clone() };
    let written = compute(resources.threads, move || work.perform()).await?;
    // The upload is given up when the job cannot be ended with it, so each attempt makes its own.
    retry_slow(give_up, async || {
        let upload = store.upload_file(&written.path).await?;
        let exported = Exported { upload, max_difference: written.max_difference };
        once(async || store.checkpoints().finish(&lease, &exported).await).await
    })
    .await?;
    Ok(())
}

/// Where a candidate's weights come from.
enum Source {
    /// They are computed again from the calibration images.
    Candidate(CandidateWeights),
    /// The adapted ones, by what the search has stored: no image is read.
    Recipe(Vec<u8>),
    /// What fine-tuning has made of them.
    Tuned { file: LocalFile, options: Box<TuneOptions> },
}

impl Source {
    /// Weights that are stored are put where they belong; images may say which units these are of.
    fn needs_images(&self, request: &SearchRequest) -> bool {
        match self {
            Self::Candidate(_) => true,
            Self::Recipe(_) => false,
            Self::Tuned { .. } => request.importance.criterion.needs_images(),
        }
    }
}

/// The search's calibration images, from which weights are computed again. Nothing is scored.
struct Calibration {
    dataset: DatasetInputs,
    split: Split,
}

impl Calibration {
    async fn fetch(
        store: &Store,
        search: &Search,
        cache: ImageCache,
        request: &SearchRequest,
        cancel: &CancelFlag,
    ) -> Result<Self, JobError> {
        let split = retry(|| cancel.is_set(), async || store.searches().split(search.id).await).await?;
        let used = convert::used_images(split.ok_or(JobError::NoSplit)?, request).calibration;
        let dataset = DatasetInputs::fetch(store, search, cache, cancel).await?;
        Ok(Self { dataset, split: Split { calibration: used, ..Split::default() } })
    }

    fn images(&self, model: &ModelInputs, resources: Resources, cancel: &CancelFlag) -> Result<Images, JobError> {
        let mut dataset = self.dataset.open(resources)?;
        let observer = &mut Unwatched(cancel.clone());
        self.dataset.images_of(model, &mut dataset, &self.split, resources.device, observer)
    }
}

async fn source_of(store: &Store, checkpoint: &Checkpoint, cancel: &CancelFlag) -> Result<Source, JobError> {
    let id = match (checkpoint.weights, checkpoint.tuning_id) {
        (CheckpointWeights::Adapted, _) => {
            let id = checkpoint.candidate_id;
            let recipe = retry(|| cancel.is_set(), async || store.candidates().recipe(id).await).await?;
            return Ok(recipe.map_or(Source::Candidate(CandidateWeights::Adapted), Source::Recipe));
        }
        (CheckpointWeights::Repaired, _) => return Ok(Source::Candidate(CandidateWeights::Repaired)),
        (CheckpointWeights::Tuned, id) => id.ok_or(JobError::NoWeights)?,
    };
    let tuning = retry(|| cancel.is_set(), async || store.tunings().get(id).await).await?;
    let hash = tuning.weights.as_ref().ok_or(JobError::NoWeights)?;
    let file = store.files().materialize(hash, Check::Anew).await.map_err(|error| error.about(|| tuning.owner()))?;
    Ok(Source::Tuned { file, options: Box::new(tuning.request) })
}

/// What a candidate is written as.
enum Written {
    Network(Format),
    Onnx(Opset),
    /// With the documents that travel in it.
    StateDict(Vec<Document>),
}

/// What the engine needs to make a candidate again and to write it.
struct CandidateExport {
    format: Written,
    model: ModelInputs,
    candidate: Candidate,
    /// Where the weights need it.
    calibration: Option<Calibration>,
    weights: Source,
    resources: Resources,
    cancel: CancelFlag,
}

/// A file that was written and proven. It goes with its folder.
struct ProvenFile {
    path: PathBuf,
    max_difference: f64,
    _folder: TempDir,
}

impl CandidateExport {
    fn perform(self) -> Result<ProvenFile, JobError> {
        let network = self.model.network(self.resources)?;
        let (mut made, weights) = self.made(&network)?;
        let Self { format, model, candidate, resources, .. } = self;
        let source_hash = model.hash.to_string();
        Provenance::of(source_hash, &model.request, candidate.index, &candidate.groups, weights)
            .write_into(&mut made.metadata);

        let folder = tempfile::Builder::new().prefix("eagleeye-export-").tempdir().map_err(JobError::Temporary)?;
        let path = folder.path().join("pruned");
        let max_difference = match format {
            Written::Network(format) => export(&made, format, &path)?,
            Written::Onnx(opset) => export_onnx(&made, opset, &path)?,
            Written::StateDict(documents) => {
                let read_again = |weights: &Path| model.narrowed_network(weights, resources);
                export_state_dict(&network, &made, &documents, &path, read_again)?
            }
        };
        Ok(ProvenFile { path, max_difference, _folder: folder })
    }

    /// The candidate, made again.
    fn made(&self, network: &Network) -> Result<(Network, Weights), JobError> {
        let Self { model, candidate, cancel, .. } = self;
        let (request, cancelled) = (&model.request, || cancel.is_set());
        match &self.weights {
            Source::Candidate(weights) => {
                let (images, strategy) = (self.images()?.ok_or(JobError::NoSplit)?, &candidate.origin.strategy);
                let follow = Follow { cancelled: &cancelled, progress: &|_, _| {} };
                let made = make_again(*weights, network, &images, request, strategy, &candidate.strategy, &follow)?;
                Ok((made, Weights::of(*weights)))
            }
            Source::Recipe(recipe) => {
                let made = make_by_recipe(network, request, &candidate.strategy, recipe)?;
                Ok((made, Weights::of(CandidateWeights::Adapted)))
            }
            Source::Tuned { file, options } => {
                let images = self.images()?;
                let calibration = images.as_ref().map(|images| &images.calibration);
                let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
                let made = make_tuned(network, calibration, request, &keep, file.path(), &cancelled)?;
                Ok((made, Weights::Tuned(options.clone())))
            }
        }
    }

    /// The calibration images, where the weights need them.
    fn images(&self) -> Result<Option<Images>, JobError> {
        let calibration = self.calibration.as_ref();
        calibration.map(|calibration| calibration.images(&self.model, self.resources, &self.cancel)).transpose()
    }
}

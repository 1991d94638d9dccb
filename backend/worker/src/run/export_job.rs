//! The job of a checkpoint: make a candidate again, adapted, repaired or tuned, and write it as a file that is proven.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eagleeye_data::Split;
use eagleeye_engine::repair::Follow;
use eagleeye_engine::{
    Document, Format, Images, Network, Opset, adaptation_of, export, export_onnx, export_state_dict, make_again,
    make_tuned,
};
use eagleeye_spec::{CandidateWeights, TuneOptions};
use eagleeye_store::{
    Candidate, Check, Checkpoint, CheckpointFormat, CheckpointWeights, EXPORT_JOB, Exported, LocalFile, Store,
};
use tempfile::TempDir;

use crate::card::documents;
use crate::convert;
use crate::provenance::{Provenance, Weights};
use crate::run::engine_thread::{CancelFlag, compute};
use crate::run::error::JobError;
use crate::run::handler::{Handler, Task};
use crate::run::inputs::Inputs;
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
    let Task { store, lease, subject: checkpoint_id, resources, cancel, .. } = task;
    let give_up = || cancel.is_set();
    let checkpoint = retry(give_up, async || store.checkpoints().get(checkpoint_id).await).await?;
    let candidate = retry(give_up, async || store.candidates().get(checkpoint.candidate_id).await).await?;
    let search = retry(give_up, async || store.searches().get(candidate.search_id).await).await?;
    let split = retry(give_up, async || store.searches().split(search.id).await).await?.ok_or(JobError::NoSplit)?;
    let inputs = Inputs::fetch(&store, &search, &cancel).await?;
    // Adapting and repairing need the calibration images; nothing is scored.
    let calibration =
        Split { calibration: convert::used_images(split, &inputs.request).calibration, ..Split::default() };
    let weights = source_of(&store, &checkpoint, &cancel).await?;
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
    let work = CandidateExport { format, inputs, candidate, calibration, weights, resources, cancel: cancel.clone() };
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
    Candidate(CandidateWeights),
    /// What fine-tuning has made of them.
    Tuned {
        file: LocalFile,
        options: Box<TuneOptions>,
    },
}

async fn source_of(store: &Store, checkpoint: &Checkpoint, cancel: &CancelFlag) -> Result<Source, JobError> {
    let id = match (checkpoint.weights, checkpoint.tuning_id) {
        (CheckpointWeights::Adapted, _) => return Ok(Source::Candidate(CandidateWeights::Adapted)),
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
    inputs: Inputs,
    candidate: Candidate,
    calibration: Split,
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
        let network = self.inputs.network(self.resources)?;
        let (mut made, weights) = self.made(&network)?;
        let Self { format, inputs, candidate, resources, .. } = self;
        let source_hash = inputs.model_hash.to_string();
        Provenance::of(source_hash, &inputs.request, candidate.index, &candidate.groups, weights)
            .write_into(&mut made.metadata);

        let folder = tempfile::Builder::new().prefix("eagleeye-export-").tempdir().map_err(JobError::Temporary)?;
        let path = folder.path().join("pruned");
        let max_difference = match format {
            Written::Network(format) => export(&made, format, &path)?,
            Written::Onnx(opset) => export_onnx(&made, opset, &path)?,
            Written::StateDict(documents) => {
                let read_again = |weights: &Path| inputs.narrowed_network(weights, resources);
                export_state_dict(&network, &made, &documents, &path, read_again)?
            }
        };
        Ok(ProvenFile { path, max_difference, _folder: folder })
    }

    /// The candidate, made again.
    fn made(&self, network: &Network) -> Result<(Network, Weights), JobError> {
        let Self { inputs, candidate, cancel, .. } = self;
        let (request, cancelled) = (&inputs.request, || cancel.is_set());
        match &self.weights {
            Source::Candidate(weights) => {
                let (images, strategy) = (self.images()?, &candidate.origin.strategy);
                let follow = Follow { cancelled: &cancelled, progress: &|_, _| {} };
                let made = make_again(*weights, network, &images, request, strategy, &candidate.strategy, &follow)?;
                Ok((made, Weights::of(*weights)))
            }
            Source::Tuned { file, options } => {
                // The weights are known; images may say which units they are of.
                let needed = request.importance.criterion.needs_images();
                let images = needed.then(|| self.images()).transpose()?;
                let calibration = images.as_ref().map(|images| &images.calibration);
                let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
                let made = make_tuned(network, calibration, request, &keep, file.path(), &cancelled)?;
                Ok((made, Weights::Tuned(options.clone())))
            }
        }
    }

    /// The calibration images.
    fn images(&self) -> Result<Images, JobError> {
        let (inputs, device) = (&self.inputs, self.resources.device);
        let mut dataset = inputs.dataset(self.resources)?;
        let images = inputs.images_of(&mut dataset, &self.calibration, device, &mut Unwatched(self.cancel.clone()));
        inputs.check_dataset()?;
        images
    }
}

//! The job of a checkpoint: make a candidate again, tuned or not, and write it as a file that is proven.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eagleeye_data::Split;
use eagleeye_engine::{
    Document, Format, Network, Opset, adaptation_of, export, export_onnx, export_state_dict, make_candidate,
    with_weights,
};
use eagleeye_spec::TuneOptions;
use eagleeye_store::{Candidate, Check, Checkpoint, EXPORT_JOB, Exported, LocalFile, Store};
use tempfile::TempDir;

use crate::card::documents;
use crate::convert;
use crate::provenance::Provenance;
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
    // Adapting needs the calibration images; nothing is scored.
    let calibration =
        Split { calibration: convert::used_images(split, &inputs.request).calibration, ..Split::default() };
    let tuned = tuned_weights(&store, &checkpoint, &cancel).await?;
    let format = match (convert::format(checkpoint.format), checkpoint.format.opset()) {
        (Some(_), Some(opset)) => Written::Onnx(Opset::new(opset)?),
        (Some(format), None) => Written::Network(format),
        (None, _) => {
            let rows = retry(give_up, async || store.card_rows(checkpoint_id).await).await?;
            Written::StateDict(documents(&rows.card(adaptation_of)?)?)
        }
    };
    let work = CandidateExport { format, inputs, candidate, calibration, tuned, resources, cancel: cancel.clone() };
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

/// The weights of the tuning that a checkpoint is of, where it is of one.
async fn tuned_weights(
    store: &Store,
    checkpoint: &Checkpoint,
    cancel: &CancelFlag,
) -> Result<Option<TunedWeights>, JobError> {
    let Some(id) = checkpoint.tuning_id else { return Ok(None) };
    let tuning = retry(|| cancel.is_set(), async || store.tunings().get(id).await).await?;
    let hash = tuning.weights.as_ref().ok_or(JobError::NoWeights)?;
    let file = store.files().materialize(hash, Check::Anew).await.map_err(|error| error.about(|| tuning.owner()))?;
    Ok(Some(TunedWeights { file, options: tuning.request }))
}

/// What fine-tuning has made of a candidate.
struct TunedWeights {
    file: LocalFile,
    options: TuneOptions,
}

impl TunedWeights {
    fn put_into(&self, candidate: &Network) -> Result<Network, JobError> {
        let mut tuned = with_weights(candidate, self.file.path())?;
        let options = serde_json::json!(self.options).to_string();
        tuned.metadata.insert("eagleeye.tuning".to_owned(), options);
        Ok(tuned)
    }
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
    tuned: Option<TunedWeights>,
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
        let Self { format, inputs, candidate, calibration, tuned, resources, cancel } = self;
        let network = inputs.network(resources)?;
        let mut unwatched = Unwatched(cancel.clone());
        let (mut dataset, device) = (inputs.dataset(resources)?, resources.device);
        let images = inputs.images_of(&mut dataset, &calibration, device, &mut unwatched);
        inputs.check_dataset()?;
        let images = images?;
        drop(dataset);
        let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
        let mut made =
            make_candidate(&network, &images, &inputs.request, &candidate.origin.strategy, &keep, &|| cancel.is_set())?;
        let source_hash = inputs.model_hash.to_string();
        Provenance::of(source_hash, &inputs.request, candidate.index, &candidate.groups).write_into(&mut made.metadata);
        if let Some(tuned) = tuned {
            made = tuned.put_into(&made)?;
        }

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
}

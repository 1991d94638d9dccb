//! The job of a checkpoint: make a candidate again, and write it as a file that is proven.

use std::path::PathBuf;

use eagleeye_data::Split;
use eagleeye_engine::{Format, Images, export, make_candidate};
use eagleeye_store::{Candidate, Exported, Lease, Store, Uuid};
use tempfile::TempDir;

use crate::convert;
use crate::provenance::Provenance;
use crate::run::Equipment;
use crate::run::engine_thread::{CancelFlag, compute};
use crate::run::error::JobError;
use crate::run::inputs::Inputs;
use crate::run::reporter::Unwatched;
use crate::run::retry::{once, retry, retry_slow};

/// Writes the checkpoint's file, puts it into the store, and ends the job.
pub async fn perform(
    store: &Store,
    lease: Lease,
    checkpoint_id: Uuid,
    equipment: Equipment,
    cancel: CancelFlag,
) -> Result<(), JobError> {
    let give_up = || cancel.is_set();
    let checkpoint = retry(give_up, async || store.checkpoints().get(checkpoint_id).await).await?;
    let candidate = retry(give_up, async || store.candidates().get(checkpoint.candidate_id).await).await?;
    let search = retry(give_up, async || store.searches().get(candidate.search_id).await).await?;
    let split = retry(give_up, async || store.searches().split(search.id).await).await?.ok_or(JobError::NoSplit)?;
    let inputs = Inputs::fetch(store, &search, &cancel).await?;
    // Adapting needs the calibration images; nothing is scored.
    let calibration =
        Split { calibration: convert::used_images(split, &inputs.request).calibration, ..Split::default() };
    let format = convert::format(checkpoint.format);
    let making = Making { format, inputs, candidate, calibration, equipment, cancel: cancel.clone() };
    let made = compute(equipment.threads, move || making.export()).await?;
    // The upload is given up when the job cannot be ended with it, so each attempt makes its own.
    retry_slow(give_up, async || {
        let upload = store.upload_file(&made.path).await?;
        let exported = Exported { upload, max_difference: made.max_difference };
        once(async || store.queue().finish_checkpoint(&lease, &exported).await).await
    })
    .await?;
    Ok(())
}

struct Making {
    format: Format,
    inputs: Inputs,
    candidate: Candidate,
    calibration: Split,
    equipment: Equipment,
    cancel: CancelFlag,
}

/// A file that was written and proven. It goes with its folder.
struct Made {
    path: PathBuf,
    max_difference: f64,
    _folder: TempDir,
}

impl Making {
    fn export(self) -> Result<Made, JobError> {
        let Self { format, inputs, candidate, calibration, equipment, cancel } = self;
        let network = inputs.network(equipment)?;
        let mut unwatched = Unwatched(cancel.clone());
        let (mut dataset, device) = (inputs.dataset(equipment)?, equipment.device);
        let images = Images::decode(&mut dataset, &inputs.preprocess()?, &calibration, device, &mut unwatched);
        inputs.check_dataset()?;
        let images = images?;
        drop(dataset);
        let settings = convert::settings(&inputs.request);
        let keep: Vec<usize> = candidate.strategy.iter().map(|&kept| kept as usize).collect();
        let mut made = make_candidate(&network, &images, &settings, &keep, &|| cancel.is_set())?;
        Provenance {
            source_hash: inputs.model_hash.to_string(),
            seed: inputs.request.seed,
            index: u64::from(candidate.index),
            strategy: candidate.groups.iter().map(|group| (group.group.clone(), group.kept)).collect(),
        }
        .write_into(&mut made.metadata);

        let folder = tempfile::Builder::new().prefix("eagleeye-export-").tempdir().map_err(JobError::Temporary)?;
        let path = folder.path().join("pruned").with_extension(format.extension());
        let max_difference = export(&made, format, &path)?;
        Ok(Made { path, max_difference, _folder: folder })
    }
}

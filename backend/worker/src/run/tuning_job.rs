//! The job of a tuning: make its candidate again, train it, or go on with that, and store its weights.

use std::cell::RefCell;
use std::path::PathBuf;

use async_trait::async_trait;
use eagleeye_data::Split;
use eagleeye_engine::fold::fold;
use eagleeye_engine::repair::Follow;
use eagleeye_engine::score::{Reference, score};
use eagleeye_engine::{
    ExecError, Images, Network, Observer, Part, Phase, Snapshot, TuneError, TuneImages, Tuned, filter_norms,
    make_again, tune, write_weights,
};
use eagleeye_spec::{Score, TuneOptions, TuningResult};
use eagleeye_store as store;
use eagleeye_store::{Candidate, Check, LocalFile, Store, StoreError, TUNING_JOB, TUNING_PAYLOAD, Tuning};
use tempfile::TempDir;

use crate::convert;
use crate::hardware::Hardware;
use crate::run::engine_thread::{CancelFlag, compute};
use crate::run::error::JobError;
use crate::run::handler::{Handler, Task};
use crate::run::inputs::{DatasetInputs, ModelInputs};
use crate::run::resources::Resources;
use crate::run::retry::{once, retry, retry_slow};
use crate::run::tuning_follower::TuningFollower;

/// Trains a candidate, or goes on from the stored snapshot, and ends the job: with the tuned weights, or at the end of a rung of its
/// race. With each snapshot it offers a turn to shorter jobs.
#[derive(Debug)]
pub struct TuningJob;

#[async_trait(?Send)]
impl Handler for TuningJob {
    fn kind(&self) -> &'static str {
        TUNING_JOB
    }

    fn priority(&self) -> i32 {
        1
    }

    fn payload_version(&self) -> u32 {
        TUNING_PAYLOAD
    }

    async fn perform(&self, task: Task) -> Result<(), JobError> {
        tune_candidate(task).await
    }
}

async fn tune_candidate(task: Task) -> Result<(), JobError> {
    let Task { store, lease, subject: tuning_id, resources, image_cache, cancel, offers, .. } = task;
    let give_up = || cancel.is_set();
    let tuning = retry(give_up, async || store.tunings().get(tuning_id).await).await?;
    let candidate = retry(give_up, async || store.candidates().get(tuning.candidate_id).await).await?;
    let search = retry(give_up, async || store.searches().get(tuning.search_id).await).await?;
    let split = retry(give_up, async || store.searches().split(search.id).await).await?.ok_or(JobError::NoSplit)?;
    let model = ModelInputs::fetch(&store, &search, &cancel).await?;
    let dataset = DatasetInputs::fetch(&store, &search, image_cache, &cancel).await?;
    let snapshot = stored_snapshot(&store, &tuning).await?;
    let (period, pause_at) = (resources.snapshot_period, tuning.pause_at);
    let follower = TuningFollower::new(store.clone(), lease, cancel.clone(), offers, period, pause_at)?;
    let split = convert::tuning_images(split, &model.request);
    let work = CandidateTuning {
        options: tuning.request,
        model,
        dataset,
        candidate,
        split,
        snapshot,
        resources,
        cancel: cancel.clone(),
    };
    let done = compute(resources.threads, move || work.perform(follower)).await?;
    let Some(done) = done else {
        tracing::info!(tuning = %tuning_id, "waits for the other candidates of its race");
        return Ok(());
    };
    // The upload is given up when the job cannot be ended with it, so each attempt makes its own.
    retry_slow(give_up, async || {
        let weights = store.upload_file(&done.path).await?;
        let tuned = store::Tuned { weights, steps: done.steps, result: done.result.clone() };
        once(async || store.tunings().finish(&lease, &tuned).await).await
    })
    .await?;
    Ok(())
}

/// The file to go on from. Where it is damaged, fine-tuning begins anew and comes to the same weights.
async fn stored_snapshot(store: &Store, tuning: &Tuning) -> Result<Option<LocalFile>, StoreError> {
    let Some(hash) = &tuning.snapshot else { return Ok(None) };
    match store.files().materialize(hash, Check::Anew).await {
        Ok(file) => Ok(Some(file)),
        Err(error @ StoreError::Damaged { .. }) => {
            let error = error.about(|| tuning.owner());
            tracing::warn!(%error, tuning = %tuning.id, "fine-tuning begins anew");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the engine needs to make a candidate again and to train it.
struct CandidateTuning {
    options: TuneOptions,
    model: ModelInputs,
    dataset: DatasetInputs,
    candidate: Candidate,
    /// The calibration images are those for training, of which the first adapt the candidate.
    split: Split,
    snapshot: Option<LocalFile>,
    resources: Resources,
    cancel: CancelFlag,
}

/// Weights that were written. They go with their folder.
struct Written {
    path: PathBuf,
    steps: u64,
    result: TuningResult,
    _folder: TempDir,
}

impl CandidateTuning {
    /// The weights; none where it waits for the other candidates of its race.
    fn perform(self, mut follower: TuningFollower) -> Result<Option<Written>, JobError> {
        let full = self.model.network(self.resources)?;
        let images = self.images(&mut follower);
        let Images { calibration: train, scoring: validation, test } = follower.outcome(images)?;
        let begin = self.candidate(&full, &train, &mut follower)?;
        let (full_score, before) = self.scores(&full, &begin, &validation)?;
        let filter_norms_before = filter_norms(&begin).map_err(ExecError::from)?;
        let parts =
            TuneImages { train: &train, validation: &validation, test: Some(&test).filter(|test| !test.is_empty()) };
        let tuned = self.tuned(&begin, &full, parts, &mut follower)?;
        let Some(Tuned { network, epochs, validation: score, test: test_score }) = tuned else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("eagleeye-tuning-").tempdir().map_err(JobError::Temporary)?;
        let path = folder.path().join("weights.safetensors");
        write_weights(&network, &path)?;
        let result = TuningResult {
            full: full_score,
            before,
            validation: score,
            test: test_score,
            epochs: epochs.len() as u32,
            training_images: train.len() as u64,
            validation_images: validation.len() as u64,
            test_images: test.len() as u64,
            by_epoch: epochs.iter().map(|epoch| epoch.validation.top1).collect(),
            seconds: epochs.last().map(|epoch| epoch.seconds),
            trained_by: Some(Hardware::trained_by(self.resources.device)),
            filter_norms_before: Some(filter_norms_before),
        };
        let steps = epochs.last().map_or(0, |epoch| epoch.steps);
        Ok(Some(Written { path, steps, result, _folder: folder }))
    }

    fn images(&self, follower: &mut TuningFollower) -> Result<Images, JobError> {
        let (mut dataset, device) = (self.dataset.open(self.resources)?, self.resources.device);
        self.dataset.images_of(&self.model, &mut dataset, &self.split, device, follower)
    }

    /// The candidate as its search has found it, or repaired.
    fn candidate(&self, full: &Network, train: &Part, follower: &mut TuningFollower) -> Result<Network, JobError> {
        let Self { model, candidate, cancel, .. } = self;
        let images = Images {
            calibration: train.head(model.request.used_calibration_images())?,
            scoring: train.head(0)?,
            test: train.head(0)?,
        };
        let made = {
            let reported = RefCell::new(&mut *follower);
            let progress = |done, total| reported.borrow_mut().phase(Phase::Repair, done, total);
            let follow = Follow { cancelled: &|| cancel.is_set(), progress: &progress };
            let (request, strategy) = (&model.request, &candidate.origin.strategy);
            make_again(self.options.start, full, &images, request, strategy, &candidate.strategy, &follow)
        };
        follower.outcome(made)
    }

    /// The full network's and the candidate's own score on all validation images.
    fn scores(&self, full: &Network, begin: &Network, validation: &Part) -> Result<(Score, Score), JobError> {
        let (cancelled, batch) = (|| self.cancel.is_set(), self.model.request.batch_size as usize);
        let reference = Reference::of(&fold(full)?, &validation.images, batch, &cancelled)?;
        let labels = match &validation.labels {
            Some(labels) => labels.shallow_clone(),
            None => reference.answers().map_err(ExecError::from)?,
        };
        let full = reference.score(&labels).map_err(ExecError::from)?.score;
        let before = score(&fold(begin)?, &validation.images, &labels, Some(&reference), batch, &cancelled)?.score;
        Ok((full, before))
    }

    fn tuned(
        &self,
        begin: &Network,
        full: &Network,
        parts: TuneImages,
        follower: &mut TuningFollower,
    ) -> Result<Option<Tuned>, JobError> {
        let snapshot = match &self.snapshot {
            Some(file) => Snapshot::read(file.path()).map(Some),
            None => Ok(None),
        };
        let resumed = match snapshot {
            Ok(None) => None,
            Ok(Some(snapshot)) => Some(tune(begin, Some(full), parts, &self.options, Some(snapshot), follower)),
            Err(error) => Some(Err(TuneError::from(error))),
        };
        let outcome = match resumed {
            // As one that an earlier version has written.
            Some(Err(TuneError::Snapshot(error))) => {
                tracing::warn!(%error, "the snapshot cannot be taken up; fine-tuning begins anew");
                tune(begin, Some(full), parts, &self.options, None, follower)
            }
            Some(outcome) => outcome,
            None => tune(begin, Some(full), parts, &self.options, None, follower),
        };
        if follower.is_paused() {
            return Ok(None);
        }
        follower.outcome(outcome).map(Some)
    }
}

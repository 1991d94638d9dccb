//! From the store's structs to the API's types.

use eagleeye_spec::{EvaluationKind, ImageSet, score_of};
use eagleeye_store as store;

use super::candidates::Candidate;
use super::checkpoints::{Checkpoint, CheckpointFormat, CheckpointState};
use super::datasets::Dataset;
use super::health::ConnectedWorker;
use super::models::{Model, ModelSummary};
use super::paging::Page;
use super::searches::{Progress, Search, SearchState, SplitCounts};
use crate::problem::Problem;

/// A page with each of its items converted.
pub fn page<T, U>(page: store::Page<T>, convert: impl Fn(T) -> U) -> Page<U> {
    Page { items: page.items.into_iter().map(convert).collect(), next_cursor: page.next_cursor }
}

impl From<store::Model> for ModelSummary {
    fn from(model: store::Model) -> Self {
        ModelSummary {
            id: model.id,
            name: model.name,
            bytes: model.bytes,
            hash: model.hash.into(),
            input_shape: model.input_shape,
            figures: model.figures,
            created_at: model.created_at,
        }
    }
}

impl TryFrom<store::Model> for Model {
    type Error = Problem;

    fn try_from(model: store::Model) -> Result<Self, Problem> {
        let details = model.inspection()?.report.details;
        Ok(Model { summary: model.into(), details })
    }
}

impl From<store::Dataset> for Dataset {
    fn from(dataset: store::Dataset) -> Self {
        Dataset {
            id: dataset.id,
            name: dataset.name,
            bytes: dataset.bytes,
            content: dataset.content,
            thumbnails: dataset.thumbnails,
            created_at: dataset.created_at,
        }
    }
}

impl From<store::SearchState> for SearchState {
    fn from(state: store::SearchState) -> Self {
        match state {
            store::SearchState::Queued => SearchState::Queued,
            store::SearchState::Running => SearchState::Running,
            store::SearchState::Succeeded => SearchState::Succeeded,
            store::SearchState::Failed => SearchState::Failed,
            store::SearchState::Cancelled => SearchState::Cancelled,
        }
    }
}

impl From<store::Search> for Search {
    fn from(search: store::Search) -> Self {
        let split = search.split.map(|split| SplitCounts {
            calibration: split.calibration,
            scoring: split.scoring,
            test: split.test,
        });
        let store::Progress { phase, done, total } = search.progress;
        Search {
            id: search.id,
            name: search.name,
            model_id: search.model_id,
            dataset_id: search.dataset_id,
            state: search.state.into(),
            request: search.request,
            progress: Progress { phase, done, total },
            baseline: search.baseline,
            best_candidate_id: search.best_candidate_id,
            split,
            error: search.error,
            waiting_for: search.waiting_for,
            created_at: search.created_at,
            started_at: search.started_at,
            finished_at: search.finished_at,
        }
    }
}

impl From<store::Worker> for ConnectedWorker {
    fn from(worker: store::Worker) -> Self {
        let at = |kind: &str| worker.work.as_ref().filter(|work| work.kind == kind).map(|work| work.subject);
        let (search_id, checkpoint_id) = (at(store::SEARCH_JOB), at(store::EXPORT_JOB));
        ConnectedWorker {
            name: worker.name,
            host: worker.host,
            pid: worker.pid,
            device: worker.device,
            since: worker.since,
            last_seen: worker.last_seen,
            search_id,
            checkpoint_id,
            note: worker.note,
        }
    }
}

impl From<store::Candidate> for Candidate {
    fn from(candidate: store::Candidate) -> Self {
        let unadapted = score_of(&candidate.evaluations, EvaluationKind::Unadapted, ImageSet::Scoring);
        Candidate {
            id: candidate.id,
            search_id: candidate.search_id,
            index: candidate.index,
            keep_ratios: candidate.groups,
            macs: candidate.macs,
            parameters: candidate.parameters,
            score: candidate.score,
            score_without_adaptation: unadapted,
            evaluations: candidate.evaluations,
            seconds: candidate.seconds,
            created_at: candidate.created_at,
        }
    }
}

impl From<CheckpointFormat> for store::CheckpointFormat {
    fn from(format: CheckpointFormat) -> Self {
        match format {
            CheckpointFormat::TorchScript => store::CheckpointFormat::TorchScript,
            CheckpointFormat::Onnx => store::CheckpointFormat::Onnx,
            CheckpointFormat::Safetensors => store::CheckpointFormat::Safetensors,
        }
    }
}

impl From<store::CheckpointFormat> for CheckpointFormat {
    fn from(format: store::CheckpointFormat) -> Self {
        match format {
            store::CheckpointFormat::TorchScript => CheckpointFormat::TorchScript,
            store::CheckpointFormat::Onnx => CheckpointFormat::Onnx,
            store::CheckpointFormat::Safetensors => CheckpointFormat::Safetensors,
        }
    }
}

impl From<store::Checkpoint> for Checkpoint {
    fn from(checkpoint: store::Checkpoint) -> Self {
        let state = match checkpoint.state {
            store::CheckpointState::Queued => CheckpointState::Queued,
            store::CheckpointState::Running => CheckpointState::Running,
            store::CheckpointState::Ready => CheckpointState::Ready,
            store::CheckpointState::Failed => CheckpointState::Failed,
        };
        Checkpoint {
            id: checkpoint.id,
            candidate_id: checkpoint.candidate_id,
            format: checkpoint.format.into(),
            state,
            bytes: checkpoint.bytes,
            hash: checkpoint.hash.map(String::from),
            max_difference: checkpoint.max_difference,
            error: checkpoint.error,
            waiting_for: checkpoint.waiting_for,
            created_at: checkpoint.created_at,
        }
    }
}

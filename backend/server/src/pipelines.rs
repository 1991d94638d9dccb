//! Pipelines go on: what comes next is asked for once what there is has ended.
//!
//! The server does it, which has the checks of requests and of models at hand. Nothing is kept here: each look begins with what is
//! stored, so that it does not matter which server looks, or when one was killed.

use std::time::Duration;

use eagleeye_spec::SearchRequest;
use eagleeye_store::{
    CheckpointFormat, CheckpointState, Pipeline, PipelineStage, PipelineState as RunState, Search, StoreError,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::api::searches::checked;
use crate::lineage::model_of;
use crate::problem::{Kind, Problem};
use crate::request_check::known_before;
use crate::state::AppState;

/// Stages take minutes at least, and a look at a table with few rows next to nothing.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// After something has failed that may be better soon, such as the database.
const PAUSE: Duration = Duration::from_secs(10);

/// What all stages but the last end with: it keeps batch norms as they are and the names of tensors.
const FORMAT: CheckpointFormat = CheckpointFormat::TorchScript;

/// Drives all pipelines until `shutdown`.
pub async fn drive(state: AppState, shutdown: CancellationToken) {
    loop {
        let pause = if advance_all(&state).await { LOOK_EVERY } else { PAUSE };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// False where something has failed that may be better soon. It holds up no other pipeline.
async fn advance_all(state: &AppState) -> bool {
    let unfinished = match state.store.pipelines().unfinished().await {
        Ok(unfinished) => unfinished,
        Err(error) => {
            tracing::warn!(%error, "pipelines wait");
            return false;
        }
    };
    let mut is_well = true;
    for id in unfinished {
        if let Err(problem) = advance_or_end(state, id).await {
            tracing::warn!(pipeline = %id, detail = problem.detail(), "a pipeline waits");
            is_well = false;
        }
    }
    is_well
}

/// # Errors
/// What may be better soon. A pipeline that cannot go on is ended.
async fn advance_or_end(state: &AppState, id: Uuid) -> Result<(), Problem> {
    let pipeline = state.store.pipelines().get(id).await?;
    match advance(state, &pipeline).await {
        Ok(()) => Ok(()),
        Err(Stop::End(end, reason)) => Ok(state.store.pipelines().end(id, end, reason).await.map(drop)?),
        Err(Stop::Later(problem)) => Err(problem),
    }
}

/// Why a pipeline does not go on.
enum Stop {
    End(RunState, Option<String>),
    Later(Problem),
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        match problem.kind().status().is_client_error() || problem.kind() == Kind::DamagedFile {
            true => Stop::End(RunState::Failed, Some(problem.detail().to_owned())),
            false => Stop::Later(problem),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Problem::from(error).into()
    }
}

/// Asks for what comes next, where nothing is at work.
async fn advance(state: &AppState, pipeline: &Pipeline) -> Result<(), Stop> {
    let Some((place, stage)) = pipeline.stages.iter().enumerate().next_back() else { return Ok(()) };
    let stage = Stage { state, pipeline, place, stage };
    let Some(search) = stage.search().await? else { return Ok(()) };
    let winner = search.best_candidate_id.ok_or_else(|| stage.failed("search", Some("it has no winner")))?;
    if !stage.is_tuned(winner).await? {
        return Ok(());
    }
    stage.go_on(winner).await
}

/// The stage that a pipeline has come to.
struct Stage<'a> {
    state: &'a AppState,
    pipeline: &'a Pipeline,
    /// From 0.
    place: usize,
    stage: &'a PipelineStage,
}

impl Stage<'_> {
    /// The stage's search once it has succeeded; it is queued first where there is none.
    async fn search(&self) -> Result<Option<Search>, Stop> {
        let Some(id) = self.stage.search_id else { return self.begin_search().await.map(|()| None) };
        let search = self.found("search", self.state.store.searches().get(id).await)?;
        let has_ended = self.outcome("search", search.state, search.error.as_deref())?;
        Ok(has_ended.then_some(search))
    }

    async fn begin_search(&self) -> Result<(), Stop> {
        let mut request = self.request().await?;
        let (model, dataset) = checked(self.state, &mut request).await?;
        let warnings = known_before(model.as_ref(), dataset.as_ref());
        Ok(self.state.store.pipelines().begin_search(self.pipeline.id, self.place, request, &warnings).await?)
    }

    /// The stage's search: its budget is a fraction of the pipeline's first network.
    async fn request(&self) -> Result<SearchRequest, Stop> {
        let models = self.state.store.models();
        let first = models.get(self.pipeline.request.search.model_id).await?.figures.macs;
        let model = models.get(self.stage.model_id).await?;
        let share = model.figures.macs as f64 / first as f64;
        Ok(self.pipeline.request.search_of(self.place, model.id, share))
    }

    /// Whether the winner's tuning has succeeded, or none is asked for; it is queued first where there is none.
    async fn is_tuned(&self, winner: Uuid) -> Result<bool, Stop> {
        let Some(options) = self.pipeline.request.tuning() else { return Ok(true) };
        let Some(id) = self.stage.tuning_id else {
            self.state.store.pipelines().begin_tuning(self.pipeline.id, self.place, winner, &options).await?;
            return Ok(false);
        };
        let tuning = self.found("fine-tuning", self.state.store.tunings().get(id).await)?;
        self.outcome("fine-tuning", tuning.state, tuning.error.as_deref())
    }

    /// The next stage, or the end, once what this one has made is a file.
    async fn go_on(&self, winner: Uuid) -> Result<(), Stop> {
        let (pipelines, id) = (self.state.store.pipelines(), self.pipeline.id);
        let Some(checkpoint_id) = self.stage.checkpoint_id else {
            let start = self.pipeline.request.start;
            return Ok(pipelines.begin_export(id, self.place, winner, start, FORMAT).await?);
        };
        let checkpoint = self.found("export", self.state.store.checkpoints().get(checkpoint_id).await)?;
        match checkpoint.state {
            CheckpointState::Ready => {}
            CheckpointState::Failed => return Err(self.failed("export", checkpoint.error.as_deref())),
            _ => return Ok(()),
        }
        if self.place + 1 >= self.pipeline.request.macs.len() {
            pipelines.end(id, RunState::Succeeded, None).await?;
            return Ok(());
        }
        let model = model_of(self.state, &checkpoint, None).await?;
        Ok(pipelines.begin_stage(id, self.place, model).await?)
    }

    /// Whether a search or a tuning has succeeded.
    fn outcome(&self, what: &str, state: RunState, error: Option<&str>) -> Result<bool, Stop> {
        match state {
            RunState::Queued | RunState::Running | RunState::Paused => Ok(false),
            RunState::Succeeded => Ok(true),
            RunState::Failed => Err(self.failed(what, error)),
            RunState::Cancelled => {
                let reason = format!("the {what} of stage {} was cancelled", self.place + 1);
                Err(Stop::End(RunState::Cancelled, Some(reason)))
            }
        }
    }

    fn found<T>(&self, what: &str, found: Result<T, StoreError>) -> Result<T, Stop> {
        found.map_err(|error| match error {
            StoreError::NotFound { .. } => self.failed(what, Some("it was deleted")),
            error => error.into(),
        })
    }

    fn failed(&self, what: &str, reason: Option<&str>) -> Stop {
        let reason = reason.unwrap_or("it gave no reason");
        Stop::End(RunState::Failed, Some(format!("the {what} of stage {} failed: {reason}", self.place + 1)))
    }
}

/// Cancels what is at work in a pipeline that has been cancelled.
pub async fn cancel_work(state: &AppState, pipeline: &Pipeline) -> Result<(), Problem> {
    let Some(stage) = pipeline.stages.last() else { return Ok(()) };
    if let Some(id) = stage.search_id {
        unless_ended(state.store.searches().cancel(id).await.map(drop))?;
    }
    if let Some(id) = stage.tuning_id {
        unless_ended(state.store.tunings().cancel(id).await.map(drop))?;
    }
    Ok(())
}

/// Queues again what has failed or was cancelled in a pipeline's last stage.
pub async fn retry_work(state: &AppState, pipeline: &Pipeline) -> Result<(), Problem> {
    let Some(stage) = pipeline.stages.last() else { return Ok(()) };
    let store = &state.store;
    let has_stopped = |run: RunState| matches!(run, RunState::Failed | RunState::Cancelled);
    if let Some(id) = stage.search_id
        && has_stopped(store.searches().get(id).await?.state)
    {
        store.searches().retry(id).await?;
    }
    if let Some(id) = stage.tuning_id
        && has_stopped(store.tunings().get(id).await?.state)
    {
        store.tunings().retry(id).await?;
    }
    if let Some(id) = stage.checkpoint_id {
        let checkpoint = store.checkpoints().get(id).await?;
        match checkpoint.tuning_id {
            Some(tuning) => store.checkpoints().request_tuned(tuning, checkpoint.format).await?,
            None => {
                let start = pipeline.request.start;
                store.checkpoints().request(checkpoint.candidate_id, start, checkpoint.format).await?
            }
        };
    }
    Ok(())
}

/// What has ended may be as it is.
fn unless_ended(outcome: Result<(), StoreError>) -> Result<(), Problem> {
    match outcome {
        Err(StoreError::Conflict { .. }) => Ok(()),
        outcome => Ok(outcome?),
    }
}

//! What searches and tunings have in common: a row says how a job of some length stands, and counts its revisions.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue, ActiveValue::Set, DatabaseTransaction, EntityTrait,
    IntoActiveModel,
};
use uuid::Uuid;

use crate::entities::RunState;
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::number::to_i64;
use crate::queue::{JobState, cancel_of, of_subject, pause_of, restart};
use crate::store::Store;
use crate::subject::Step;

/// A row that says how a job stands, to be changed.
pub(crate) trait Run:
    ActiveModelTrait<Entity: EntityTrait<Model: IntoActiveModel<Self>>> + ActiveModelBehavior + Send
{
    const KIND: Kind;
    /// The kind of its job.
    const JOB: &'static str;
    const CHANGED: EventKind;
    const ENDED: EventKind;

    /// The row of this id, locked until the transaction ends.
    fn locked(
        transaction: &DatabaseTransaction,
        id: Uuid,
    ) -> impl Future<Output = Result<Option<Self>, StoreError>> + Send;

    fn columns(&mut self) -> Columns<'_>;
}

/// The columns that all runs have.
pub(crate) struct Columns<'a> {
    pub state: &'a mut ActiveValue<RunState>,
    pub phase: &'a mut ActiveValue<String>,
    pub done: &'a mut ActiveValue<i64>,
    pub total: &'a mut ActiveValue<i64>,
    pub error: &'a mut ActiveValue<Option<String>>,
    pub waiting_for: &'a mut ActiveValue<Option<String>>,
    pub revision: &'a mut ActiveValue<i64>,
    pub started_at: &'a mut ActiveValue<Option<DateTime<Utc>>>,
    pub finished_at: &'a mut ActiveValue<Option<DateTime<Utc>>>,
}

/// [`Run`] for the rows of a table.
macro_rules! run {
    ($table:ident, $kind:expr, $job:expr, $changed:expr, $ended:expr) => {
        impl $crate::run::Run for $table::ActiveModel {
            const KIND: $crate::error::Kind = $kind;
            const JOB: &'static str = $job;
            const CHANGED: $crate::events::EventKind = $changed;
            const ENDED: $crate::events::EventKind = $ended;

            async fn locked(
                transaction: &sea_orm::DatabaseTransaction,
                id: uuid::Uuid,
            ) -> Result<Option<Self>, $crate::error::StoreError> {
                use sea_orm::{EntityTrait, IntoActiveModel, QuerySelect};
                let row = $table::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
                Ok(row.map(IntoActiveModel::into_active_model))
            }

            fn columns(&mut self) -> $crate::run::Columns<'_> {
                $crate::run::Columns {
                    state: &mut self.state,
                    phase: &mut self.phase,
                    done: &mut self.done,
                    total: &mut self.total,
                    error: &mut self.error,
                    waiting_for: &mut self.waiting_for,
                    revision: &mut self.revision,
                    started_at: &mut self.started_at,
                    finished_at: &mut self.finished_at,
                }
            }
        }
    };
}
pub(crate) use run;

/// Changes a run inside a transaction, counts its revision up and tells of it.
pub(crate) async fn edit<R: Run>(
    transaction: &DatabaseTransaction,
    id: Uuid,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut R),
) -> Result<<R::Entity as EntityTrait>::Model, StoreError> {
    let mut row = R::locked(transaction, id).await?.ok_or_else(|| StoreError::not_found(R::KIND, id))?;
    let Columns { state, revision, .. } = row.columns();
    let (before, next) = (*state.as_ref(), revision.as_ref() + 1);
    *revision = Set(next);
    change(&mut row);
    let state = *row.columns().state.as_ref();
    let row = row.update(transaction).await?;
    let kind = if state.is_final() && state != before { R::ENDED } else { R::CHANGED };
    tell(transaction, kind, id, now).await?;
    Ok(row)
}

/// Writes down what a step of its job means for a run.
pub(crate) async fn follow<R: Run>(
    transaction: &DatabaseTransaction,
    id: Uuid,
    step: Step<'_>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    match step {
        Step::WaitsFor(reason) => {
            let row = R::locked(transaction, id).await?;
            let is_news = |mut row: R| row.columns().waiting_for.as_ref().as_deref() != Some(reason);
            if row.is_some_and(is_news) {
                edit::<R>(transaction, id, now, |row| *row.columns().waiting_for = Set(Some(reason.to_owned())))
                    .await?;
            }
        }
        Step::Progressed(progress) => {
            let (done, total) = (to_i64("done", progress.done)?, to_i64("total", progress.total)?);
            let phase = progress.phase.clone();
            edit::<R>(transaction, id, now, |row| {
                let row = row.columns();
                (*row.phase, *row.waiting_for) = (Set(phase), Set(None));
                (*row.done, *row.total) = (Set(done), Set(total));
            })
            .await?;
        }
        Step::Started => _ = edit::<R>(transaction, id, now, |row| start(row, now)).await?,
        Step::GivenBack => {
            edit::<R>(transaction, id, now, |row| *row.columns().state = Set(RunState::Queued)).await?;
        }
        Step::Paused => {
            edit::<R>(transaction, id, now, |row| {
                let row = row.columns();
                (*row.state, *row.waiting_for) = (Set(RunState::Paused), Set(None));
            })
            .await?;
        }
        Step::Failed(reason) => {
            edit::<R>(transaction, id, now, |row| end(row, RunState::Failed, Some(reason), now)).await?;
        }
        Step::Cancelled => {
            edit::<R>(transaction, id, now, |row| end(row, RunState::Cancelled, None, now)).await?;
        }
    }
    Ok(())
}

fn start<R: Run>(row: &mut R, now: DateTime<Utc>) {
    let row = row.columns();
    *row.state = Set(RunState::Running);
    *row.waiting_for = Set(None);
    *row.phase = Set("starting".to_owned());
    if row.started_at.as_ref().is_none() {
        *row.started_at = Set(Some(now));
    }
}

/// The run has ended.
pub(crate) fn end<R: Run>(row: &mut R, state: RunState, error: Option<&str>, now: DateTime<Utc>) {
    let row = row.columns();
    *row.state = Set(state);
    *row.error = Set(error.map(str::to_owned));
    *row.waiting_for = Set(None);
    *row.finished_at = Set(Some(now));
}

/// The phase of a run that waits for a worker.
pub(crate) const QUEUED: &str = "queued";

/// The run waits for a worker, as one that has just been created.
pub(crate) fn queue_again<R: Run>(row: &mut R) {
    let row = row.columns();
    *row.state = Set(RunState::Queued);
    *row.phase = Set(QUEUED.to_owned());
    *row.error = Set(None);
    *row.waiting_for = Set(None);
    *row.finished_at = Set(None);
}

/// Cancels a run: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is running. One
/// that was cancelled before stays as it is.
///
/// # Errors
/// [`StoreError::Conflict`] where it has ended otherwise.
pub(crate) async fn cancel<R: Run>(store: &Store, id: Uuid) -> Result<(), StoreError> {
    let transaction = store.begin().await?;
    let found = cancel_of(store, &transaction, R::JOB, id).await?;
    let found = found.ok_or_else(|| StoreError::not_found(R::KIND, id))?;
    if found != JobState::Cancelled {
        refuse_ended::<R>(id, found, "cancelled")?;
    }
    Ok(transaction.commit().await?)
}

/// Pauses a run: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is running. One that
/// is paused stays as it is.
///
/// # Errors
/// [`StoreError::Conflict`] where it has ended.
pub(crate) async fn pause<R: Run>(store: &Store, id: Uuid) -> Result<(), StoreError> {
    let transaction = store.begin().await?;
    let found = pause_of(store, &transaction, R::JOB, id).await?;
    refuse_ended::<R>(id, found.ok_or_else(|| StoreError::not_found(R::KIND, id))?, "paused")?;
    Ok(transaction.commit().await?)
}

/// Queues the job of a run again that failed, was cancelled or is paused; the row is still to be changed. Returns which of them it
/// was.
///
/// # Errors
/// [`StoreError::Conflict`] where it is queued, running or has succeeded.
pub(crate) async fn retry<R: Run>(transaction: &DatabaseTransaction, id: Uuid) -> Result<JobState, StoreError> {
    let job = of_subject(transaction, R::JOB, id).await?;
    let job = job.ok_or_else(|| StoreError::not_found(R::KIND, id))?;
    let found = job.state;
    match found {
        JobState::Failed | JobState::Cancelled | JobState::Paused => {}
        JobState::Queued => return Err(refused::<R>(id, "is already queued")),
        JobState::Running if job.pause_requested => {
            return Err(refused::<R>(id, "is about to pause; resume it when it has"));
        }
        JobState::Running => return Err(refused::<R>(id, "is running; pause or cancel it first")),
        JobState::Succeeded => return Err(refused::<R>(id, "has succeeded, so there is nothing left to do")),
    }
    restart(transaction, job).await?;
    Ok(found)
}

/// Refuses what is asked of a run whose job has ended; `wish` completes "can no longer be".
fn refuse_ended<R: Run>(id: Uuid, found: JobState, wish: &str) -> Result<(), StoreError> {
    let how = match found {
        JobState::Succeeded => "has succeeded",
        JobState::Failed => "has failed",
        JobState::Cancelled => "was cancelled",
        JobState::Queued | JobState::Running | JobState::Paused => return Ok(()),
    };
    Err(refused::<R>(id, &format!("{how} and can no longer be {wish}")))
}

fn refused<R: Run>(id: Uuid, reason: &str) -> StoreError {
    StoreError::Conflict { kind: R::KIND, id, reason: reason.to_owned() }
}

//! How jobs end.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::fence::hold;
use super::{JobState, Lease, Queue};
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::store::Store;
use crate::subject::Step;

/// How a job ends other than by being done.
pub(super) enum Ending {
    Failed(String),
    Cancelled,
}

impl Queue<'_> {
    /// Ends a job that is done. May be repeated. Where something is stored with its end, as the best candidate of a search,
    /// its own function does both at once.
    pub async fn finish(&self, lease: &Lease) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = job::Entity::find_by_id(lease.job_id).lock_exclusive().one(&transaction).await?;
        if job.is_some_and(|job| job.lease == lease.number && job.state == JobState::Succeeded) {
            return Ok(());
        }
        let job = hold(&transaction, lease).await?;
        if self.0.subjects().has(&job.kind) {
            let reason = format!("is a job of kind `{}`, which ends together with what it is about", job.kind);
            return Err(StoreError::Conflict { kind: Kind::Job, id: job.id, reason });
        }
        close(&transaction, job, JobState::Succeeded, None).await?;
        Ok(transaction.commit().await?)
    }

    /// Ends a job that cannot be done; `reason` is shown to the user.
    pub async fn fail(&self, lease: &Lease, reason: &str) -> Result<(), StoreError> {
        self.end(lease, Ending::Failed(reason.to_string())).await
    }

    /// Says that the worker has stopped as it was asked to: ends the job, or pauses it.
    pub async fn stopped(&self, lease: &Lease) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        stop(self.0, &transaction, job).await?;
        Ok(transaction.commit().await?)
    }

    /// Gives a job back unfinished, as when a worker is shut down: the next worker goes on with it, and the attempt
    /// does not count. A job that is to be cancelled or paused is that instead.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        give_back(self.0, &transaction, job).await?;
        Ok(transaction.commit().await?)
    }

    /// [`Queue::release`] of all jobs of `worker`, which calls this when it does not know whether its last claim has
    /// gone through. Returns how many there were.
    pub async fn release_all(&self, worker: &str) -> Result<u64, StoreError> {
        let transaction = self.0.begin().await?;
        let jobs = job::Entity::find()
            .filter(job::Column::Worker.eq(worker))
            .filter(job::Column::State.eq(JobState::Running))
            .order_by_asc(job::Column::Id)
            .lock_exclusive()
            .all(&transaction)
            .await?;
        let mut released = 0;
        for job in jobs {
            give_back(self.0, &transaction, job).await?;
            released += 1;
        }
        transaction.commit().await?;
        Ok(released)
    }

    async fn end(&self, lease: &Lease, ending: Ending) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        end(self.0, &transaction, job, ending).await?;
        Ok(transaction.commit().await?)
    }
}

async fn give_back(store: &Store, transaction: &DatabaseTransaction, job: job::Model) -> Result<(), StoreError> {
    if job.is_to_stop() {
        return stop(store, transaction, job).await;
    }
    requeue(store, transaction, job).await?.update(transaction).await?;
    Ok(())
}

/// Puts a job and what it is about back into the queue; the job's row is left for the caller to write.
pub(super) async fn requeue(
    store: &Store,
    transaction: &DatabaseTransaction,
    job: job::Model,
) -> Result<job::ActiveModel, StoreError> {
    store.subjects().follow(transaction, &job.kind, job.subject, Step::GivenBack, store.clock().now()).await?;
    let attempts = (job.attempts - 1).max(0);
    let mut job = job.into_active_model();
    job.state = Set(JobState::Queued);
    job.worker = Set(None);
    job.heartbeat_at_ms = Set(None);
    job.attempts = Set(attempts);
    Ok(job)
}

/// Does what the user has asked for while a job was running: pauses it, or ends it. A cancel comes before a pause. The caller holds
/// the job's row.
pub(super) async fn stop(store: &Store, transaction: &DatabaseTransaction, job: job::Model) -> Result<(), StoreError> {
    if job.pause_requested && !job.cancel_requested {
        return park(store, transaction, job).await;
    }
    end(store, transaction, job, Ending::Cancelled).await
}

/// Pauses a job, and what it is about with it. The caller holds the job's row.
pub(super) async fn park(store: &Store, transaction: &DatabaseTransaction, job: job::Model) -> Result<(), StoreError> {
    store.subjects().follow(transaction, &job.kind, job.subject, Step::Paused, store.clock().now()).await?;
    close(transaction, job, JobState::Paused, None).await
}

/// Ends a job, and what it is about with it. The caller holds the job's row.
pub(super) async fn end(
    store: &Store,
    transaction: &DatabaseTransaction,
    job: job::Model,
    ending: Ending,
) -> Result<(), StoreError> {
    let step = match &ending {
        Ending::Failed(reason) => Step::Failed(reason),
        Ending::Cancelled => Step::Cancelled,
    };
    store.subjects().follow(transaction, &job.kind, job.subject, step, store.clock().now()).await?;
    match ending {
        Ending::Failed(reason) => close(transaction, job, JobState::Failed, Some(reason)).await,
        Ending::Cancelled => close(transaction, job, JobState::Cancelled, None).await,
    }
}

/// What the job was about, when this very lease has ended it with success: the answer to a repeated call.
pub(crate) async fn already_done(
    transaction: &DatabaseTransaction,
    lease: &Lease,
    kind: &str,
) -> Result<Option<Uuid>, StoreError> {
    let job = job::Entity::find_by_id(lease.job_id).lock_exclusive().one(transaction).await?;
    let done = job.filter(|job| job.lease == lease.number && job.state == JobState::Succeeded && job.kind == kind);
    Ok(done.map(|job| job.subject))
}

/// Writes how a job has ended, or that it is paused, into its row.
pub(crate) async fn close(
    transaction: &DatabaseTransaction,
    job: job::Model,
    state: JobState,
    error: Option<String>,
) -> Result<(), StoreError> {
    let mut job = job.into_active_model();
    job.state = Set(state);
    job.error = Set(error);
    job.heartbeat_at_ms = Set(None);
    job.update(transaction).await?;
    Ok(())
}

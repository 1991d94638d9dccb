//! Stopping a job on the user's wish: for good, or until it is taken up again.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel, QuerySelect};
use uuid::Uuid;

use super::end::{Ending, end, park};
use super::fence::of_subject;
use super::{JobState, Queue};
use crate::clock::millis;
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::store::Store;

impl Queue<'_> {
    /// Cancels a job: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is
    /// running. One that has ended stays as it is; the state that it was found in is returned.
    pub async fn cancel(&self, id: Uuid) -> Result<JobState, StoreError> {
        let transaction = self.0.begin().await?;
        let job = job::Entity::find_by_id(id).lock_exclusive().one(&transaction).await?;
        let job = job.ok_or_else(|| StoreError::not_found(Kind::Job, id))?;
        let found = cancel(self.0, &transaction, job).await?;
        transaction.commit().await?;
        Ok(found)
    }
}

/// [`Queue::cancel`], of the job of this kind about `subject`, inside a transaction; `None` where there is none.
pub(crate) async fn cancel_of(
    store: &Store,
    transaction: &DatabaseTransaction,
    kind: &str,
    subject: Uuid,
) -> Result<Option<JobState>, StoreError> {
    match of_subject(transaction, kind, subject).await? {
        Some(job) => cancel(store, transaction, job).await.map(Some),
        None => Ok(None),
    }
}

async fn cancel(store: &Store, transaction: &DatabaseTransaction, job: job::Model) -> Result<JobState, StoreError> {
    let found = job.state;
    match found {
        JobState::Running if !is_stale(store, &job) => {
            let mut job = job.into_active_model();
            job.cancel_requested = Set(true);
            job.update(transaction).await?;
        }
        JobState::Queued | JobState::Running | JobState::Paused => {
            end(store, transaction, job, Ending::Cancelled).await?;
        }
        JobState::Cancelled | JobState::Succeeded | JobState::Failed => {}
    }
    Ok(found)
}

/// Pauses the job of this kind about `subject`: at once when it is queued or its worker is silent, and by the worker's next
/// heartbeat when it is running. One that is paused or has ended stays as it is. The state that it was found in is returned;
/// `None` where there is no such job.
pub(crate) async fn pause_of(
    store: &Store,
    transaction: &DatabaseTransaction,
    kind: &str,
    subject: Uuid,
) -> Result<Option<JobState>, StoreError> {
    let Some(job) = of_subject(transaction, kind, subject).await? else { return Ok(None) };
    let found = job.state;
    match found {
        JobState::Running if !is_stale(store, &job) => {
            let mut job = job.into_active_model();
            job.pause_requested = Set(true);
            job.update(transaction).await?;
        }
        JobState::Queued | JobState::Running => park(store, transaction, job).await?,
        JobState::Paused | JobState::Cancelled | JobState::Succeeded | JobState::Failed => {}
    }
    Ok(Some(found))
}

fn is_stale(store: &Store, job: &job::Model) -> bool {
    let oldest = store.clock().now_ms() - millis(store.stale_after());
    job.heartbeat_at_ms.is_none_or(|heartbeat| heartbeat < oldest)
}

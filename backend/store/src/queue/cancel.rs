//! Stopping a search on the user's wish.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QuerySelect,
};
use uuid::Uuid;

use super::JobState;
use super::end::{Ending, end};
use crate::clock::millis;
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::searches::{Search, SearchState, Searches};
use crate::store::Store;

impl Searches<'_> {
    /// Cancels a search: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it
    /// is running. One that was cancelled before is returned as it is; one that has ended otherwise is a
    /// [`StoreError::Conflict`].
    pub async fn cancel(&self, id: Uuid) -> Result<Search, StoreError> {
        let transaction = self.0.begin().await?;
        let job = job::Entity::find().filter(job::Column::SearchId.eq(id)).lock_exclusive().one(&transaction).await?;
        let job = job.ok_or_else(|| StoreError::not_found(Kind::Search, id))?;
        match job.state {
            JobState::Running if !is_stale(self.0, &job) => {
                let mut job = job.into_active_model();
                job.cancel_requested = Set(true);
                job.update(&transaction).await?;
            }
            JobState::Queued | JobState::Running => end(self.0, &transaction, job, Ending::Cancelled).await?,
            JobState::Cancelled => {}
            JobState::Succeeded => return Err(ended(id, SearchState::Succeeded)),
            JobState::Failed => return Err(ended(id, SearchState::Failed)),
        }
        transaction.commit().await?;
        self.get(id).await
    }
}

fn is_stale(store: &Store, job: &job::Model) -> bool {
    let oldest = store.clock().now_ms() - millis(store.stale_after());
    job.heartbeat_at_ms.is_none_or(|heartbeat| heartbeat < oldest)
}

fn ended(id: Uuid, state: SearchState) -> StoreError {
    let how = if state == SearchState::Succeeded { "has succeeded" } else { "has failed" };
    StoreError::Conflict { kind: Kind::Search, id, reason: format!("{how} and can no longer be cancelled") }
}

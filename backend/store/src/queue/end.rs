//! How jobs end, and what ends with them.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fence::{hold, hold_checkpoint, hold_search, work};
use super::{JobState, Lease, Queue, Work};
use crate::checkpoints::{Checkpoint, CheckpointFormat, CheckpointState, request_in};
use crate::entities::{checkpoint, job};
use crate::error::{Kind, StoreError};
use crate::leaderboard::best;
use crate::number::to_i64;
use crate::searches::{Search, SearchState, edit};
use crate::store::Store;
use crate::uploads::{Upload, consume};

/// A checkpoint's file, uploaded by the worker that wrote and verified it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    pub upload: Upload,
    /// Largest difference between the outputs of the file, loaded again, and the engine's own.
    pub max_difference: f64,
}

/// How a job ends other than by being done.
pub(super) enum Ending {
    Failed(String),
    Cancelled,
}

impl Queue<'_> {
    /// Ends a search: names its best candidate, and asks for that candidate in every format.
    ///
    /// Best is the first of the ranking ([`eagleeye_spec::RANKING`]). May be repeated.
    pub async fn finish_search(&self, lease: &Lease) -> Result<Search, StoreError> {
        let transaction = self.0.begin().await?;
        if let Some(Work::Search(id)) = already_done(&transaction, lease).await? {
            drop(transaction);
            return self.0.searches().get(id).await;
        }
        let (job, search_id) = hold_search(&transaction, lease).await?;
        let winner = best(&transaction, search_id).await?;
        let now = self.0.clock().now();
        let search = edit(&transaction, search_id, |search| {
            search.state = Set(SearchState::Succeeded);
            search.best_candidate_id = Set(winner.as_ref().map(|winner| winner.id));
            search.waiting_for = Set(None);
            search.finished_at = Set(Some(now));
        })
        .await?;
        if let Some(winner) = winner {
            for format in CheckpointFormat::ALL {
                request_in(self.0, &transaction, winner.id, format).await?;
            }
        }
        close(&transaction, job, JobState::Succeeded, None).await?;
        transaction.commit().await?;
        search.try_into()
    }

    /// Ends an export with its file, whose upload is taken over. May be repeated.
    ///
    /// When the lease is lost the upload is discarded.
    pub async fn finish_checkpoint(&self, lease: &Lease, exported: &Exported) -> Result<Checkpoint, StoreError> {
        let outcome = self.store_checkpoint(lease, exported).await;
        if outcome.is_err() {
            self.0.discard(&exported.upload).await?;
        }
        outcome
    }

    /// Ends a job that cannot be done; `reason` is shown to the user.
    pub async fn fail(&self, lease: &Lease, reason: &str) -> Result<(), StoreError> {
        self.end(lease, Ending::Failed(reason.to_string())).await
    }

    /// Ends a job whose worker has stopped because its cancel was asked for.
    pub async fn cancelled(&self, lease: &Lease) -> Result<(), StoreError> {
        self.end(lease, Ending::Cancelled).await
    }

    /// Gives a job back unfinished, as when a worker is shut down: the next worker goes on with it, and the attempt
    /// does not count. A job whose cancel was asked for is cancelled instead.
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        give_back(self.0, &transaction, job).await?;
        Ok(transaction.commit().await?)
    }

    /// [`Queue::release`] of all jobs of `worker`, which calls this when it does not know whether its last claim has gone
    /// through. Returns how many there were.
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

    async fn store_checkpoint(&self, lease: &Lease, exported: &Exported) -> Result<Checkpoint, StoreError> {
        let transaction = self.0.begin().await?;
        if let Some(Work::Checkpoint(id)) = already_done(&transaction, lease).await? {
            drop(transaction);
            return self.0.checkpoints().get(id).await;
        }
        let (job, id) = hold_checkpoint(&transaction, lease).await?;
        let mut row = find_checkpoint(&transaction, id).await?.into_active_model();
        row.state = Set(CheckpointState::Ready);
        row.file_hash = Set(Some(exported.upload.hash.to_string()));
        row.bytes = Set(Some(to_i64("bytes", exported.upload.bytes)?));
        row.max_difference = Set(Some(exported.max_difference));
        row.error = Set(None);
        row.waiting_for = Set(None);
        let row = row.update(&transaction).await?;
        consume(&transaction, std::slice::from_ref(&exported.upload)).await?;
        close(&transaction, job, JobState::Succeeded, None).await?;
        transaction.commit().await?;
        row.try_into()
    }
}

async fn give_back(store: &Store, transaction: &DatabaseTransaction, job: job::Model) -> Result<(), StoreError> {
    if job.cancel_requested {
        return end(store, transaction, job, Ending::Cancelled).await;
    }
    requeue(transaction, job).await?.update(transaction).await?;
    Ok(())
}

/// Puts a job and what it works on back into the queue; the job's row is left for the caller to write.
pub(super) async fn requeue(
    transaction: &DatabaseTransaction,
    job: job::Model,
) -> Result<job::ActiveModel, StoreError> {
    match work(&job)? {
        Work::Search(id) => {
            edit(transaction, id, |search| search.state = Set(SearchState::Queued)).await?;
        }
        Work::Checkpoint(id) => set_checkpoint(transaction, id, CheckpointState::Queued, None).await?,
    }
    let attempts = (job.attempts - 1).max(0);
    let mut job = job.into_active_model();
    job.state = Set(JobState::Queued);
    job.worker = Set(None);
    job.heartbeat_at_ms = Set(None);
    job.attempts = Set(attempts);
    Ok(job)
}

/// Ends a job, and the search or checkpoint with it. The caller holds the job's row.
pub(super) async fn end(
    store: &Store,
    transaction: &DatabaseTransaction,
    job: job::Model,
    ending: Ending,
) -> Result<(), StoreError> {
    let (job_state, search_state, error) = match ending {
        Ending::Failed(reason) => (JobState::Failed, SearchState::Failed, Some(reason)),
        Ending::Cancelled => (JobState::Cancelled, SearchState::Cancelled, None),
    };
    match work(&job)? {
        Work::Search(id) => {
            let now = store.clock().now();
            edit(transaction, id, |search| {
                search.state = Set(search_state);
                search.error = Set(error.clone());
                search.waiting_for = Set(None);
                search.finished_at = Set(Some(now));
            })
            .await?;
        }
        Work::Checkpoint(id) => {
            let reason = error.clone().unwrap_or_else(|| "the export was cancelled".to_string());
            set_checkpoint(transaction, id, CheckpointState::Failed, Some(reason)).await?;
        }
    }
    close(transaction, job, job_state, error).await
}

/// What the job worked on, when this very lease has ended it with success: the answer to a repeated call.
async fn already_done(transaction: &DatabaseTransaction, lease: &Lease) -> Result<Option<Work>, StoreError> {
    match job::Entity::find_by_id(lease.job_id).lock_exclusive().one(transaction).await? {
        Some(job) if job.lease == lease.number && job.state == JobState::Succeeded => work(&job).map(Some),
        _ => Ok(None),
    }
}

async fn close(
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

async fn set_checkpoint(
    transaction: &DatabaseTransaction,
    id: Uuid,
    state: CheckpointState,
    error: Option<String>,
) -> Result<(), StoreError> {
    let mut row = find_checkpoint(transaction, id).await?.into_active_model();
    row.state = Set(state);
    row.error = Set(error);
    row.waiting_for = Set(None);
    row.update(transaction).await?;
    Ok(())
}

async fn find_checkpoint(transaction: &DatabaseTransaction, id: Uuid) -> Result<checkpoint::Model, StoreError> {
    let row = checkpoint::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Checkpoint, id))
}

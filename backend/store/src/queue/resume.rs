//! Taking up a search again that failed or was cancelled.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter,
    QuerySelect,
};
use uuid::Uuid;

use super::JobState;
use crate::entities::{candidate, job};
use crate::error::{Kind, Owner, StoreError};
use crate::files::FileHash;
use crate::number::to_i64;
use crate::searches::{Search, SearchState, Searches, edit};

impl Searches<'_> {
    /// Queues a search again that failed or was cancelled. Its candidates stay, and only the others are evaluated, so
    /// that it ends as if it had never been interrupted.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is queued, running or has succeeded, or where a file of its model or dataset
    /// is
    /// gone.
    pub async fn retry(&self, id: Uuid) -> Result<Search, StoreError> {
        let search = self.get(id).await?;
        self.check_files(&search).await?;
        let total = search.request.candidates;
        let transaction = self.0.begin().await?;
        let job = job::Entity::find().filter(job::Column::SearchId.eq(id)).lock_exclusive().one(&transaction).await?;
        let job = job.ok_or_else(|| StoreError::not_found(Kind::Search, id))?;
        let refused = |reason: &str| StoreError::Conflict { kind: Kind::Search, id, reason: reason.to_string() };
        match job.state {
            JobState::Failed | JobState::Cancelled => {}
            JobState::Queued => return Err(refused("is already queued")),
            JobState::Running => return Err(refused("is running; cancel it first")),
            JobState::Succeeded => return Err(refused("has succeeded, so there is nothing left to do")),
        }
        // The lease goes on counting: a worker that was stopped over this job cannot write under its old one.
        let mut job = job.into_active_model();
        job.state = Set(JobState::Queued);
        job.worker = Set(None);
        job.attempts = Set(0);
        job.heartbeat_at_ms = Set(None);
        job.cancel_requested = Set(false);
        job.error = Set(None);
        job.set_aside = Set(0);
        job.not_before_ms = Set(None);
        job.avoid = Set(None);
        job.avoid_until_ms = Set(None);
        job.update(&transaction).await?;

        let stored = candidate::Entity::find().filter(candidate::Column::SearchId.eq(id)).count(&transaction).await?;
        let done = to_i64("done", stored)?;
        let search = edit(&transaction, id, |search| {
            search.state = Set(SearchState::Queued);
            search.phase = Set("queued".to_string());
            search.done = Set(done);
            search.total = Set(total.into());
            search.error = Set(None);
            search.waiting_for = Set(None);
            search.finished_at = Set(None);
        })
        .await?;
        transaction.commit().await?;
        search.try_into()
    }

    async fn check_files(&self, search: &Search) -> Result<(), StoreError> {
        let model = self.0.models().get(search.model_id).await?;
        let dataset = self.0.datasets().get(search.dataset_id).await?;
        for (owner, hash) in model.owned_files().into_iter().chain(dataset.owned_files()) {
            self.check_file(search.id, &owner, hash).await?;
        }
        Ok(())
    }

    async fn check_file(&self, id: Uuid, owner: &Owner, hash: &FileHash) -> Result<(), StoreError> {
        match self.0.files().size(hash).await? {
            Some(_) => Ok(()),
            None => Err(StoreError::Conflict {
                kind: Kind::Search,
                id,
                reason: format!(
                    "cannot continue: the file {owner} is missing from the file store; upload it again \
                    first"
                ),
            }),
        }
    }
}

//! A search on the user's wish: paused, cancelled, or taken up again.

use eagleeye_spec::{Moment, SearchRequest, Warning};
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;

use crate::entities::{candidate, search};
use crate::error::{Kind, Owner, StoreError};
use crate::files::FileHash;
use crate::number::{to_i64, to_json};
use crate::queue::{JobState, of_subject, restart};
use crate::run::{self, queue_again};
use crate::searches::{SEARCH_JOB, Search, Searches, edit, unreadable};

impl Searches<'_> {
    /// Cancels a search: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it
    /// is running. One that was cancelled before is returned as it is; one that has ended otherwise is a
    /// [`StoreError::Conflict`].
    pub async fn cancel(&self, id: Uuid) -> Result<Search, StoreError> {
        run::cancel::<search::ActiveModel>(self.0, id).await?;
        self.get(id).await
    }

    /// Pauses a search: at once when it is queued or its worker is silent, and by the worker's next heartbeat when it is running.
    /// One that is paused is returned as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it has ended.
    pub async fn pause(&self, id: Uuid) -> Result<Search, StoreError> {
        run::pause::<search::ActiveModel>(self.0, id).await?;
        self.get(id).await
    }

    /// Queues a search again that failed, was cancelled or is paused. Its candidates stay, and only the others are evaluated, so
    /// that it ends as if it had never been interrupted.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is queued, running or has succeeded, or where a file of its model or
    /// dataset is gone.
    pub async fn retry(&self, id: Uuid) -> Result<Search, StoreError> {
        let search = self.get(id).await?;
        self.check_files(&search).await?;
        let total = to_i64("candidates", search.request.most_candidates())?;
        let transaction = self.0.begin().await?;
        run::retry::<search::ActiveModel>(&transaction, id).await?;
        let warnings = lasting_warnings(&transaction, id).await?;
        let stored = candidate::Entity::find().filter(candidate::Column::SearchId.eq(id)).count(&transaction).await?;
        let done = to_i64("done", stored)?;
        let search = edit(&transaction, id, self.0.clock().now(), |search| {
            queue_again(search);
            search.warnings = Set(Some(warnings));
            search.done = Set(done);
            search.total = Set(total);
        })
        .await?;
        transaction.commit().await?;
        search.try_into()
    }

    /// Queues a search that has ended again, with more in its request. What is evaluated stays.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it has not ended, or where a file of its model or dataset is gone.
    pub async fn extend(&self, id: Uuid, request: &SearchRequest) -> Result<Search, StoreError> {
        let search = self.get(id).await?;
        self.check_files(&search).await?;
        let transaction = self.0.begin().await?;
        let job = of_subject(&transaction, SEARCH_JOB, id).await?;
        let job = job.ok_or_else(|| StoreError::not_found(Kind::Search, id))?;
        if matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused) {
            let reason = "has not ended; it can be extended when it has".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Search, id, reason });
        }
        restart(&transaction, job).await?;
        let warnings = lasting_warnings(&transaction, id).await?;
        let document = request.to_stored().map_err(unreadable)?;
        let search = edit(&transaction, id, self.0.clock().now(), |search| {
            queue_again(search);
            search.request = Set(document);
            search.warnings = Set(Some(warnings));
            search.best_candidate_id = Set(None);
            search.winners = Set(None);
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

/// The warnings without those about winners, of which there will be others. Read once the transaction holds the search's job,
/// without which nobody writes one.
async fn lasting_warnings(transaction: &DatabaseTransaction, id: Uuid) -> Result<serde_json::Value, StoreError> {
    let row = search::Entity::find_by_id(id).one(transaction).await?;
    let search: Search = row.ok_or_else(|| StoreError::not_found(Kind::Search, id))?.try_into()?;
    let lasting: Vec<&Warning> = search.warnings.iter().filter(|warning| warning.at != Moment::After).collect();
    to_json(Kind::Search, "warnings", &lasting)
}

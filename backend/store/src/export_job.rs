//! The job of a checkpoint: how its worker ends it, and what the checkpoint says when the job takes a step.

use chrono::{DateTime, Utc};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::checkpoints::{Checkpoint, CheckpointState, Checkpoints, EXPORT_JOB};
use crate::entities::checkpoint;
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::number::to_i64;
use crate::queue::{JobState, Lease, already_done, close, hold_of};
use crate::subject::{Step, Subject};
use crate::uploads::{Upload, consume};

/// A checkpoint's file, uploaded by the worker that wrote and verified it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Exported {
    pub upload: Upload,
    /// Largest difference between the outputs of the file, loaded again, and the engine's own.
    pub max_difference: f64,
}

impl Checkpoints<'_> {
    /// Ends an export with its file, whose upload is taken over. May be repeated.
    ///
    /// When the lease is lost the upload is discarded.
    pub async fn finish(&self, lease: &Lease, exported: &Exported) -> Result<Checkpoint, StoreError> {
        let outcome = self.store_file(lease, exported).await;
        if outcome.is_err() {
            self.0.discard(&exported.upload).await?;
        }
        outcome
    }

    async fn store_file(&self, lease: &Lease, exported: &Exported) -> Result<Checkpoint, StoreError> {
        let transaction = self.0.begin().await?;
        if let Some(id) = already_done(&transaction, lease, EXPORT_JOB).await? {
            drop(transaction);
            return self.get(id).await;
        }
        let job = hold_of(&transaction, lease, EXPORT_JOB).await?;
        let mut row = locked(&transaction, job.subject).await?.into_active_model();
        row.state = Set(CheckpointState::Ready);
        row.file_hash = Set(Some(exported.upload.hash.to_string()));
        row.sha256 = Set(Some(exported.upload.sha256.to_string()));
        row.bytes = Set(Some(to_i64("bytes", exported.upload.bytes)?));
        row.max_difference = Set(Some(exported.max_difference));
        row.error = Set(None);
        row.waiting_for = Set(None);
        let row = row.update(&transaction).await?;
        tell(&transaction, EventKind::CheckpointEnded, row.id, self.0.clock().now()).await?;
        consume(&transaction, std::slice::from_ref(&exported.upload)).await?;
        close(&transaction, job, JobState::Succeeded, None).await?;
        transaction.commit().await?;
        row.try_into()
    }
}

/// A checkpoint, which says how its job stands.
#[derive(Debug)]
pub(crate) struct CheckpointSubject;

#[async_trait]
impl Subject for CheckpointSubject {
    fn kind(&self) -> &'static str {
        EXPORT_JOB
    }

    fn worn_out(&self) -> &'static str {
        "before the file was written"
    }

    async fn follow(
        &self,
        transaction: &DatabaseTransaction,
        id: Uuid,
        step: Step<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let row = locked(transaction, id).await?;
        let (state, error, waiting_for) = match step {
            Step::Started => (CheckpointState::Running, None, None),
            // Nobody is offered to pause what takes seconds.
            Step::GivenBack | Step::Paused => (CheckpointState::Queued, None, None),
            Step::WaitsFor(reason) => (row.state, None, Some(reason)),
            Step::Failed(reason) => (CheckpointState::Failed, Some(reason), None),
            Step::Cancelled => (CheckpointState::Failed, Some("the export was cancelled"), None),
            // It takes seconds, and nobody is shown how far it is.
            Step::Progressed(_) => return Ok(()),
        };
        let has_failed = state == CheckpointState::Failed;
        let kind = if has_failed { EventKind::CheckpointEnded } else { EventKind::CheckpointChanged };
        let (error, waiting_for) = (error.map(str::to_owned), waiting_for.map(str::to_owned));
        if (&row.state, &row.error, &row.waiting_for) == (&state, &error, &waiting_for) {
            return Ok(());
        }
        let mut row = row.into_active_model();
        row.state = Set(state);
        row.error = Set(error);
        row.waiting_for = Set(waiting_for);
        row.update(transaction).await?;
        tell(transaction, kind, id, now).await
    }
}

async fn locked(transaction: &DatabaseTransaction, id: Uuid) -> Result<checkpoint::Model, StoreError> {
    let row = checkpoint::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Checkpoint, id))
}

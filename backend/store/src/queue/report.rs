//! What a worker writes while it is at a job of any kind. All of it is fenced by the lease, and all of it may be repeated.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
};

use super::fence::hold;
use super::{HeartbeatAnswer, JobState, Lease, Queue};
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::number::to_json;
use crate::subject::{Progress, Step};

impl Queue<'_> {
    /// Says that the worker is alive; to be called well within the time after which a job counts as abandoned.
    pub async fn heartbeat(&self, lease: &Lease) -> Result<HeartbeatAnswer, StoreError> {
        let alive = job::ActiveModel { heartbeat_at_ms: Set(Some(self.0.clock().now_ms())), ..Default::default() };
        let updated = job::Entity::update_many()
            .set(alive)
            .filter(job::Column::Id.eq(lease.job_id))
            .filter(job::Column::Lease.eq(lease.number))
            .filter(job::Column::State.eq(JobState::Running))
            .exec(self.0.database())
            .await
            .map_err(StoreError::from);
        let updated = self.0.reach().note(updated)?;
        if updated.rows_affected == 0 {
            return Ok(HeartbeatAnswer { stop_requested: false, lost: true });
        }
        let job = job::Entity::find_by_id(lease.job_id).one(self.0.database()).await?;
        let stop_requested = job.is_some_and(|job| job.is_to_stop());
        Ok(HeartbeatAnswer { stop_requested, lost: false })
    }

    /// Shows how far the job is.
    pub async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        let step = Step::Progressed(progress);
        self.0.subjects().follow(&transaction, &job.kind, job.subject, step, self.0.clock().now()).await?;
        let mut job = job.into_active_model();
        job.progress = Set(Some(to_json(Kind::Job, "progress", progress)?));
        job.update(&transaction).await?;
        Ok(transaction.commit().await?)
    }
}

/// A job that gets on starts counting its attempts anew, so that a long one may survive many restarts.
pub(crate) async fn note_progress(
    transaction: &DatabaseTransaction,
    job: job::Model,
    now_ms: i64,
) -> Result<(), StoreError> {
    let mut job = job.into_active_model();
    job.attempts = Set(1);
    job.set_aside = Set(0);
    job.heartbeat_at_ms = Set(Some(now_ms));
    job.update(transaction).await?;
    Ok(())
}

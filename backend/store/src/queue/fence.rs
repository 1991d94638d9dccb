//! The check that stands before every write of a worker.

use sea_orm::{ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};
use uuid::Uuid;

use super::{JobState, Lease};
use crate::entities::job;
use crate::error::{Kind, StoreError};

/// Locks the job until the transaction ends, and refuses when the lease is no longer held.
pub(super) async fn hold(transaction: &DatabaseTransaction, lease: &Lease) -> Result<job::Model, StoreError> {
    let job = job::Entity::find_by_id(lease.job_id).lock_exclusive().one(transaction).await?;
    match job {
        Some(job) if job.lease == lease.number && job.state == JobState::Running => Ok(job),
        _ => Err(StoreError::LeaseLost { job: lease.job_id, lease: lease.number }),
    }
}

/// [`hold`], for a job of this kind.
pub(crate) async fn hold_of(
    transaction: &DatabaseTransaction,
    lease: &Lease,
    kind: &str,
) -> Result<job::Model, StoreError> {
    let job = hold(transaction, lease).await?;
    if job.kind == kind {
        return Ok(job);
    }
    let reason = format!("is a job of kind `{}`, and not of kind `{kind}`", job.kind);
    Err(StoreError::Conflict { kind: Kind::Job, id: job.id, reason })
}

/// The job of this kind about `subject`, locked until the transaction ends.
pub(crate) async fn of_subject(
    transaction: &DatabaseTransaction,
    kind: &str,
    subject: Uuid,
) -> Result<Option<job::Model>, StoreError> {
    let job = job::Entity::find().filter(job::Column::Kind.eq(kind)).filter(job::Column::Subject.eq(subject));
    Ok(job.lock_exclusive().one(transaction).await?)
}

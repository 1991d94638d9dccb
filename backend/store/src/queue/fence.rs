//! The check that stands before every write of a worker.

use sea_orm::{DatabaseTransaction, EntityTrait, QuerySelect};
use uuid::Uuid;

use super::{JobKind, JobState, Lease, Work};
use crate::entities::job;
use crate::error::{Kind, StoreError};

/// Locks the job until the transaction ends, and refuses when the lease is no longer held.
pub(super) async fn hold(transaction: &DatabaseTransaction, lease: &Lease) -> Result<job::Model, StoreError> {
    let job = job::Entity::find_by_id(lease.job_id).lock_exclusive().one(transaction).await?;
    match job {
        Some(job) if job.lease == lease.number && job.state == JobState::Running => Ok(job),
        _ => Err(lost(lease)),
    }
}

/// [`hold`], for a job that works on a search; the search's id.
pub(super) async fn hold_search(
    transaction: &DatabaseTransaction,
    lease: &Lease,
) -> Result<(job::Model, Uuid), StoreError> {
    let job = hold(transaction, lease).await?;
    match work(&job)? {
        Work::Search(id) => Ok((job, id)),
        Work::Checkpoint(_) => Err(wrong_kind(&job, "a search")),
    }
}

/// [`hold`], for a job that works on a checkpoint; the checkpoint's id.
pub(super) async fn hold_checkpoint(
    transaction: &DatabaseTransaction,
    lease: &Lease,
) -> Result<(job::Model, Uuid), StoreError> {
    let job = hold(transaction, lease).await?;
    match work(&job)? {
        Work::Checkpoint(id) => Ok((job, id)),
        Work::Search(_) => Err(wrong_kind(&job, "a checkpoint")),
    }
}

pub(super) fn lost(lease: &Lease) -> StoreError {
    StoreError::LeaseLost { job: lease.job_id, lease: lease.number }
}

pub(crate) fn work(job: &job::Model) -> Result<Work, StoreError> {
    let subject = match job.kind {
        JobKind::Search => job.search_id.map(Work::Search),
        JobKind::Checkpoint => job.checkpoint_id.map(Work::Checkpoint),
    };
    subject.ok_or_else(|| StoreError::Corrupt {
        kind: Kind::Job,
        column: "kind",
        reason: format!("job {} names neither a search nor a checkpoint", job.id),
    })
}

fn wrong_kind(job: &job::Model, wanted: &str) -> StoreError {
    StoreError::Conflict { kind: Kind::Job, id: job.id, reason: format!("is not the job of {wanted}") }
}

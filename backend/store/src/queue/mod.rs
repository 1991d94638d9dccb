//! The job queue: the `jobs` table, in the same database as what the jobs work on.
//!
//! A job is enqueued in the transaction that creates its search or checkpoint. [`Queue::claim`] gives it to a worker
//! under a [`Lease`]; each claim counts the lease up, and every write of a worker names the lease it was made under.
//! A worker that stalls and comes back finds its lease lost and changes nothing, so a job is never written by two.
//!
//! ```text
//! queued --claim--> running --finish--> succeeded
//!   ^                | | |---fail-----> failed       (also: claimed too often without progress)
//!   |----release-----| |----cancelled-> cancelled    (a queued job is cancelled at once)
//!   |---set aside----|
//!   |----retry----- failed or cancelled
//!        running, heartbeat stale --claim--> running, next lease
//! ```

mod cancel;
mod claim;
mod end;
mod fence;
mod list;
mod report;
mod resume;
mod set_aside;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, DeriveActiveEnum, EntityTrait, EnumIter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::job;
use crate::error::StoreError;
use crate::store::Store;

pub use end::Exported;
pub(crate) use fence::work as work_of;
pub use list::Job;
pub use report::CANDIDATES_PHASE;

/// What a job works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum JobKind {
    Search,
    Checkpoint,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Succeeded,
    Failed,
    Cancelled,
}

/// A worker's right to write the results of a job: good until somebody else claims the job, or it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    pub job_id: Uuid,
    /// The fencing token: how often the job had been claimed, this claim included.
    pub number: i64,
}

/// A job given to a worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    pub lease: Lease,
    pub work: Work,
    /// Claims since the job last made progress, this one included; above 1, a worker died or stalled over it.
    pub attempt: u32,
}

/// What a claimed job asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    Search(Uuid),
    Checkpoint(Uuid),
}

/// What a worker learns when it reports that it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// The user wants the job stopped: stop, and call [`Queue::cancelled`].
    pub cancel_requested: bool,
    /// The lease is gone: stop, and write nothing.
    pub lost: bool,
}

/// The queue of a store.
#[derive(Debug, Clone, Copy)]
pub struct Queue<'a>(&'a Store);

impl Store {
    pub fn queue(&self) -> Queue<'_> {
        Queue(self)
    }
}

/// Exports take seconds and searches hours, so exports go first.
const CHECKPOINT_PRIORITY: i32 = 0;
const SEARCH_PRIORITY: i32 = 1;

pub(crate) async fn enqueue_search(
    store: &Store,
    transaction: &DatabaseTransaction,
    search_id: Uuid,
) -> Result<(), StoreError> {
    let mut job = new_job(store, JobKind::Search, SEARCH_PRIORITY);
    job.search_id = Set(Some(search_id));
    job::Entity::insert(job).exec_without_returning(transaction).await?;
    Ok(())
}

/// Enqueues the export of a checkpoint, again if need be: a checkpoint has one job, whose lease goes on counting.
pub(crate) async fn enqueue_checkpoint(
    store: &Store,
    transaction: &DatabaseTransaction,
    checkpoint_id: Uuid,
) -> Result<(), StoreError> {
    let mut job = new_job(store, JobKind::Checkpoint, CHECKPOINT_PRIORITY);
    job.checkpoint_id = Set(Some(checkpoint_id));
    let restart = OnConflict::column(job::Column::CheckpointId)
        .update_columns([
            job::Column::State,
            job::Column::Worker,
            job::Column::Attempts,
            job::Column::HeartbeatAtMs,
            job::Column::CancelRequested,
            job::Column::Error,
            job::Column::SetAside,
            job::Column::NotBeforeMs,
            job::Column::Avoid,
            job::Column::AvoidUntilMs,
        ])
        .to_owned();
    job::Entity::insert(job).on_conflict(restart).exec_without_returning(transaction).await?;
    Ok(())
}

fn new_job(store: &Store, kind: JobKind, priority: i32) -> job::ActiveModel {
    job::ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(kind),
        search_id: Set(None),
        checkpoint_id: Set(None),
        state: Set(JobState::Queued),
        priority: Set(priority),
        worker: Set(None),
        lease: Set(0),
        attempts: Set(0),
        heartbeat_at_ms: Set(None),
        cancel_requested: Set(false),
        error: Set(None),
        created_at: Set(store.clock().now()),
        set_aside: Set(0),
        not_before_ms: Set(None),
        avoid: Set(None),
        avoid_until_ms: Set(None),
    }
}

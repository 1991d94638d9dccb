//! The job queue: the `jobs` table, in the same database as what the jobs are about.
//!
//! A job has a kind, which says what a worker does, a subject, which says what it does it to, and a payload for the rest. The
//! queue knows no kind. A job is enqueued in the transaction that creates its subject. [`Queue::claim`] gives it to a worker
//! under a [`Lease`]; each claim counts the lease up, and every write of a worker names the lease it was made under.
//! A worker that stalls and comes back finds its lease lost and changes nothing, so a job is never written by two.
//!
//! ```text
//! queued --claim--> running --finish--> succeeded
//!   ^                | | |---fail-----> failed       (also: claimed too often without progress)
//!   |----release-----| |----stopped---> cancelled or paused, whichever was asked for (at once where it is queued)
//!   |---set aside----|
//!   |----retry----- failed, cancelled or paused
//!        running, heartbeat stale --claim--> running, next lease
//! ```

mod claim;
mod end;
mod enqueue;
mod fence;
mod line;
mod list;
mod report;
mod set_aside;
mod stop;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::entities::job::JobState;
use crate::store::Store;

pub use claim::Wanted;
pub(crate) use end::{already_done, close};
pub use enqueue::{NewJob, Payload};
pub(crate) use enqueue::{enqueue_in, restart};
pub(crate) use fence::{hold_of, of_subject};
pub use line::{InLine, Stand, Turn};
pub use list::Job;
pub(crate) use report::note_progress;
pub(crate) use stop::{cancel_of, pause_of};

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
    pub kind: String,
    /// What the job is about.
    pub subject: Uuid,
    pub payload: Payload,
    /// Claims since the job last made progress, this one included; above 1, a worker died or stalled over it.
    pub attempt: u32,
}

/// What a worker learns when it reports that it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatAnswer {
    /// The user wants the job cancelled or paused: stop, and call [`Queue::stopped`].
    pub stop_requested: bool,
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

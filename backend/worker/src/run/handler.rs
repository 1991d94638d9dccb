//! How the jobs of one kind are done. Whatever holds for every job, as heartbeats, interruptions and faults of the machine, is
//! seen to outside.

use std::fmt::Debug;

use async_trait::async_trait;
use eagleeye_store::{Lease, Payload, Store, Uuid, Wanted};

use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::image_cache::ImageCache;
use crate::run::resources::Resources;
use crate::run::turns::Offers;

/// A job that was claimed, and what it is done with.
#[derive(Debug)]
pub struct Task {
    pub store: Store,
    pub lease: Lease,
    /// What the job is about.
    pub subject: Uuid,
    pub payload: Payload,
    pub resources: Resources,
    pub image_cache: ImageCache,
    /// Set when the job is to stop; it has a moment to return then.
    pub cancel: CancelFlag,
    /// Where a long job lets short ones go first.
    pub offers: Offers,
}

/// One kind of job.
#[async_trait(?Send)]
pub trait Handler: Debug + Sync {
    /// As it is stored.
    fn kind(&self) -> &'static str;

    /// Kinds with a lower number go first.
    fn priority(&self) -> i32;

    /// Whether its jobs are short enough to be done in the turns that a long one offers.
    fn takes_turns(&self) -> bool {
        false
    }

    /// The newest version of the payload that it reads.
    fn payload_version(&self) -> u32 {
        1
    }

    /// Does the job and ends it as done. May be repeated after any interruption.
    async fn perform(&self, task: Task) -> Result<(), JobError>;
}

/// The kinds of job that a worker knows.
#[derive(Debug, Clone, Copy)]
pub struct Handlers(&'static [&'static dyn Handler]);

impl Handlers {
    pub const fn new(handlers: &'static [&'static dyn Handler]) -> Self {
        Self(handlers)
    }

    pub fn of(self, kind: &str) -> Option<&'static dyn Handler> {
        self.0.iter().find(|handler| handler.kind() == kind).copied()
    }

    /// What to ask the queue for.
    pub fn wanted(self) -> Vec<Wanted<'static>> {
        self.0.iter().map(wanted).collect()
    }

    /// What to ask the queue for in a turn of another job.
    pub fn wanted_in_turns(self) -> Vec<Wanted<'static>> {
        self.0.iter().filter(|handler| handler.takes_turns()).map(wanted).collect()
    }
}

fn wanted(handler: &&'static dyn Handler) -> Wanted<'static> {
    Wanted { kind: handler.kind(), priority: handler.priority() }
}

//! What jobs are about, as far as it keeps rows that say how it stands. The queue knows no kind of job: it tells the
//! subject of a job each step that the job takes, in the same transaction, and the subject writes down what follows.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use sea_orm::DatabaseTransaction;
use sea_orm::prelude::async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::StoreError;

/// How far a job has come. `done` of `total` counts what the phase counts, such as images or candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub phase: String,
    pub done: u64,
    pub total: u64,
}

/// What happens to a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Step<'a> {
    /// A worker was given it.
    Started,
    Progressed(&'a Progress),
    /// It cannot go on for the moment. The phrase completes "waiting for".
    WaitsFor(&'a str),
    /// It is queued again.
    GivenBack,
    /// It was stopped on the user's wish, and can be taken up again.
    Paused,
    Failed(&'a str),
    Cancelled,
}

/// The rows that keep step with the jobs of one kind. A kind without any needs none of this.
#[async_trait]
pub(crate) trait Subject: Debug + Send + Sync {
    /// The kind of the jobs.
    fn kind(&self) -> &'static str;

    /// Completes "the worker died or stalled three times over this job".
    fn worn_out(&self) -> &'static str;

    /// Writes down what a step means for `id`. The job's own row is locked, and the queue's to write.
    async fn follow(
        &self,
        transaction: &DatabaseTransaction,
        id: Uuid,
        step: Step<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError>;
}

/// The subjects that a store has, by the kind of their jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subjects(&'static [&'static dyn Subject]);

impl Subjects {
    pub(crate) const fn new(subjects: &'static [&'static dyn Subject]) -> Self {
        Subjects(subjects)
    }

    pub(crate) async fn follow(
        &self,
        transaction: &DatabaseTransaction,
        kind: &str,
        id: Uuid,
        step: Step<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        match self.of(kind) {
            Some(subject) => subject.follow(transaction, id, step, now).await,
            None => Ok(()),
        }
    }

    pub(crate) fn worn_out(&self, kind: &str) -> &'static str {
        self.of(kind).map_or("before it was done", |subject| subject.worn_out())
    }

    pub(crate) fn has(&self, kind: &str) -> bool {
        self.of(kind).is_some()
    }

    fn of(&self, kind: &str) -> Option<&'static dyn Subject> {
        self.0.iter().find(|subject| subject.kind() == kind).copied()
    }
}

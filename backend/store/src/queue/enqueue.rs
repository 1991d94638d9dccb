//! Putting jobs into the queue.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fence::of_subject;
use super::{JobState, Queue, Turn};
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::number::to_json;
use crate::store::Store;

/// What a job has to know beside its subject. The version is that of the content, counted by the kind's own handler, which
/// reads older ones as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    pub version: u32,
    pub content: serde_json::Value,
}

impl Payload {
    /// # Errors
    /// [`StoreError::Corrupt`] where the content cannot be written as JSON.
    pub fn new(version: u32, content: &impl Serialize) -> Result<Self, StoreError> {
        Ok(Payload { version, content: to_json(Kind::Job, "payload", content)? })
    }

    /// Of a job that needs to know nothing but its subject.
    pub fn empty() -> Self {
        Payload { version: 1, content: serde_json::Value::Object(serde_json::Map::new()) }
    }

    /// # Errors
    /// [`StoreError::Corrupt`] where the content is not of this type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        T::deserialize(&self.content).map_err(|error| StoreError::Corrupt {
            kind: Kind::Job,
            column: "payload",
            reason: format!("version {}: {error}", self.version),
        })
    }
}

/// What is needed to enqueue a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob<'a> {
    pub kind: &'a str,
    pub subject: Uuid,
    pub payload: Payload,
    pub turn: Turn,
}

impl Queue<'_> {
    /// Enqueues a job; its id. A subject has one job of a kind: one that has ended is queued again with the new payload and
    /// its lease goes on counting, and one that is queued or running stays as it is.
    pub async fn enqueue(&self, new: NewJob<'_>) -> Result<Uuid, StoreError> {
        let transaction = self.0.begin().await?;
        let id = enqueue_in(self.0, &transaction, new).await?;
        transaction.commit().await?;
        Ok(id)
    }
}

/// [`Queue::enqueue`] inside a transaction.
pub(crate) async fn enqueue_in(
    store: &Store,
    transaction: &DatabaseTransaction,
    new: NewJob<'_>,
) -> Result<Uuid, StoreError> {
    let payload = to_json(Kind::Job, "payload", &new.payload)?;
    let turn = new.turn.number(transaction, store.clock().now_ms()).await?;
    let row = job::ActiveModel {
        id: Set(Uuid::now_v7()),
        kind: Set(new.kind.to_string()),
        subject: Set(new.subject),
        payload: Set(payload.clone()),
        progress: Set(None),
        state: Set(JobState::Queued),
        worker: Set(None),
        lease: Set(0),
        attempts: Set(0),
        heartbeat_at_ms: Set(None),
        cancel_requested: Set(false),
        pause_requested: Set(false),
        error: Set(None),
        created_at: Set(store.clock().now()),
        set_aside: Set(0),
        not_before_ms: Set(None),
        avoid: Set(None),
        avoid_until_ms: Set(None),
        turn: Set(turn),
    };
    let one_of_a_kind = OnConflict::columns([job::Column::Kind, job::Column::Subject]).do_nothing().to_owned();
    job::Entity::insert(row).on_conflict(one_of_a_kind).try_insert().exec_without_returning(transaction).await?;
    let job = of_subject(transaction, new.kind, new.subject).await?;
    let job = job.ok_or_else(|| StoreError::not_found(Kind::Job, new.subject))?;
    let id = job.id;
    if JobState::ENDED.contains(&job.state) {
        let mut job = restarted(job);
        job.payload = Set(payload);
        job.update(transaction).await?;
    }
    Ok(id)
}

/// Queues a job again that has ended or was paused, whose row the caller holds.
pub(crate) async fn restart(transaction: &DatabaseTransaction, job: job::Model) -> Result<(), StoreError> {
    restarted(job).update(transaction).await?;
    Ok(())
}

/// The lease goes on counting: a worker that was stopped over this job cannot write under its old one.
fn restarted(job: job::Model) -> job::ActiveModel {
    let mut job = job.into_active_model();
    job.state = Set(JobState::Queued);
    job.progress = Set(None);
    job.worker = Set(None);
    job.attempts = Set(0);
    job.heartbeat_at_ms = Set(None);
    job.cancel_requested = Set(false);
    job.pause_requested = Set(false);
    job.error = Set(None);
    job.set_aside = Set(0);
    job.not_before_ms = Set(None);
    job.avoid = Set(None);
    job.avoid_until_ms = Set(None);
    job
}

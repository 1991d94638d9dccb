//! Looking at the queue, for operators and tests.

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobState, Payload, Queue};
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::number::{from_json, from_sql};
use crate::page::{Page, PageRequest};
use crate::store::Store;
use crate::subject::Progress;

/// One job of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    pub id: Uuid,
    pub kind: String,
    /// What it is about.
    pub subject: Uuid,
    pub payload: Payload,
    pub progress: Option<Progress>,
    pub state: JobState,
    /// Who claimed it last.
    pub worker: Option<String>,
    /// How often it was claimed in all.
    pub lease: i64,
    /// How often it was claimed since it last made progress.
    pub attempts: u32,
    /// Time since the worker's last heartbeat, while the job is running.
    pub silent: Option<Duration>,
    pub cancel_requested: bool,
    pub pause_requested: bool,
    pub error: Option<String>,
}

impl Queue<'_> {
    /// All jobs, oldest first, ended ones included.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Job>, StoreError> {
        let mut query = job::Entity::find().order_by_asc(job::Column::Id).limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(job::Column::Id.gt(id));
        }
        let rows = query.all(self.0.database()).await?;
        let jobs = rows.into_iter().map(|row| into_job(self.0, row)).collect::<Result<_, _>>()?;
        Ok(Page::cut(jobs, page.limit(), |job: &Job| job.id.to_string()))
    }
}

fn into_job(store: &Store, row: job::Model) -> Result<Job, StoreError> {
    let silent_ms = row.heartbeat_at_ms.map(|heartbeat| store.clock().now_ms().saturating_sub(heartbeat));
    Ok(Job {
        id: row.id,
        kind: row.kind,
        subject: row.subject,
        payload: from_json(Kind::Job, "payload", row.payload)?,
        progress: row.progress.map(|progress| from_json(Kind::Job, "progress", progress)).transpose()?,
        state: row.state,
        worker: row.worker,
        lease: row.lease,
        attempts: from_sql(Kind::Job, "attempts", row.attempts)?,
        silent: silent_ms.map(|silent| Duration::from_millis(u64::try_from(silent).unwrap_or(0))),
        cancel_requested: row.cancel_requested,
        pause_requested: row.pause_requested,
        error: row.error,
    })
}

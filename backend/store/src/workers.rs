//! The processes that do jobs, wherever they run: each says now and then that it is there, and what it is at.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use uuid::Uuid;

use crate::clock::millis;
use crate::entities::{job, worker};
use crate::error::{Kind, StoreError};
use crate::number::{from_sql, to_i64};
use crate::store::Store;

/// A worker that has not reported for longer is not listed any more.
const GONE_AFTER: Duration = Duration::from_secs(20);

/// What a worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerReport {
    /// Name under which it claims jobs.
    pub name: String,
    pub host: String,
    pub pid: u32,
    /// What it computes on, in words.
    pub device: String,
    /// Why it is this one, as a phrase.
    pub device_reason: Option<String>,
    /// The name of that processor or card, where it is known.
    pub hardware: Option<String>,
    /// The memory that it computes in: the card's, or the machine's.
    pub memory_bytes: Option<u64>,
    /// The job that it is at.
    pub job: Option<Uuid>,
    /// Why it takes no jobs at the moment, where it does not.
    pub note: Option<String>,
}

/// A job that a worker is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    pub kind: String,
    /// What the job is about.
    pub subject: Uuid,
}

/// A worker that has reported lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    pub name: String,
    pub host: String,
    pub pid: u32,
    pub device: String,
    pub device_reason: Option<String>,
    pub hardware: Option<String>,
    pub memory_bytes: Option<u64>,
    /// First report.
    pub since: DateTime<Utc>,
    /// Last report.
    pub last_seen: DateTime<Utc>,
    /// What it is at.
    pub work: Option<Work>,
    /// Why it takes no jobs at the moment, where it does not.
    pub note: Option<String>,
}

/// The workers of a store.
#[derive(Debug, Clone, Copy)]
pub struct Workers<'a>(&'a Store);

impl Store {
    pub fn workers(&self) -> Workers<'_> {
        Workers(self)
    }
}

impl Workers<'_> {
    /// Takes down what a worker says; to be repeated every few seconds.
    pub async fn report(&self, report: &WorkerReport) -> Result<(), StoreError> {
        let now_ms = self.0.clock().now_ms();
        let row = worker::ActiveModel {
            name: Set(report.name.clone()),
            host: Set(report.host.clone()),
            pid: Set(report.pid.into()),
            device: Set(report.device.clone()),
            device_reason: Set(report.device_reason.clone()),
            hardware: Set(report.hardware.clone()),
            memory_bytes: Set(report.memory_bytes.map(|bytes| to_i64("memory_bytes", bytes)).transpose()?),
            since_ms: Set(now_ms),
            seen_at_ms: Set(now_ms),
            job_id: Set(report.job),
            note: Set(report.note.clone()),
        };
        let fresh = [worker::Column::SeenAtMs, worker::Column::JobId, worker::Column::Note];
        worker::Entity::insert(row)
            .on_conflict(OnConflict::column(worker::Column::Name).update_columns(fresh).to_owned())
            .exec_without_returning(self.0.database())
            .await?;
        Ok(())
    }

    /// A worker has ended.
    pub async fn forget(&self, name: &str) -> Result<(), StoreError> {
        worker::Entity::delete_by_id(name).exec(self.0.database()).await?;
        Ok(())
    }

    /// Removes the rows of workers that ended without a word.
    pub async fn sweep(&self) -> Result<u64, StoreError> {
        let gone = worker::Column::SeenAtMs.lt(self.oldest());
        Ok(worker::Entity::delete_many().filter(gone).exec(self.0.database()).await?.rows_affected)
    }

    /// Those that have reported lately, the oldest first.
    pub async fn list(&self) -> Result<Vec<Worker>, StoreError> {
        let rows = worker::Entity::find()
            .filter(worker::Column::SeenAtMs.gte(self.oldest()))
            .order_by_asc(worker::Column::SinceMs)
            .order_by_asc(worker::Column::Name)
            .all(self.0.database())
            .await?;
        let ids: Vec<Uuid> = rows.iter().filter_map(|row| row.job_id).collect();
        let jobs = match ids.is_empty() {
            true => Vec::new(),
            false => job::Entity::find().filter(job::Column::Id.is_in(ids)).all(self.0.database()).await?,
        };
        rows.into_iter().map(|row| into_worker(row, &jobs)).collect()
    }

    fn oldest(&self) -> i64 {
        self.0.clock().now_ms() - millis(GONE_AFTER)
    }
}

fn into_worker(row: worker::Model, jobs: &[job::Model]) -> Result<Worker, StoreError> {
    let job = jobs.iter().find(|job| Some(job.id) == row.job_id);
    let time = |ms| DateTime::from_timestamp_millis(ms).unwrap_or_default();
    Ok(Worker {
        work: job.map(|job| Work { kind: job.kind.clone(), subject: job.subject }),
        name: row.name,
        host: row.host,
        pid: from_sql(Kind::Worker, "pid", row.pid)?,
        device: row.device,
        device_reason: row.device_reason,
        hardware: row.hardware,
        memory_bytes: row.memory_bytes.map(|bytes| from_sql(Kind::Worker, "memory_bytes", bytes)).transpose()?,
        since: time(row.since_ms),
        last_seen: time(row.seen_at_ms),
        note: row.note,
    })
}

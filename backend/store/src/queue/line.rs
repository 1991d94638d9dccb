//! The order in which waiting jobs are done, as users see and change it.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect, Select,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{JobState, Queue};
use crate::entities::job;
use crate::error::{Kind, StoreError};

/// Added to the turn of a job that lets all others go first, more milliseconds than any clock has told.
const BEHIND_ALL: i64 = 1 << 50;

/// Where a new job stands among the others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// Behind those that are there.
    #[default]
    Next,
    /// Behind those that will come, too: one of the hours of work of which a study consists.
    BehindAll,
}

impl Turn {
    /// As the column has it: the time in milliseconds, `now`, or more where that would not be behind the jobs that are there,
    /// because some were moved or the clock was set back.
    pub(super) async fn number(self, database: &impl ConnectionTrait, now: i64) -> Result<i64, StoreError> {
        let (least, bound) = match self {
            Turn::Next => (now, BEHIND_ALL),
            Turn::BehindAll => (now.saturating_add(BEHIND_ALL), i64::MAX),
        };
        let waiting = job::Entity::find().filter(job::Column::State.eq(JobState::Queued)).select_only();
        let last = waiting.column_as(job::Column::Turn.max(), "turn").filter(job::Column::Turn.lt(bound));
        let last: Option<i64> = last.into_tuple::<Option<i64>>().one(database).await?.flatten();
        Ok(last.map_or(least, |last| least.max(last.saturating_add(1))))
    }
}

/// Where a job of the line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stand {
    Running,
    Waiting,
    /// On the user's wish, and nobody's turn comes because of it.
    Paused,
}

/// A job that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InLine {
    pub id: Uuid,
    pub kind: String,
    /// What it is about.
    pub subject: Uuid,
    pub stand: Stand,
    pub created_at: DateTime<Utc>,
}

impl Queue<'_> {
    /// The jobs of these kinds that have not ended, at most `limit` of them: running ones first, then in the order in which they
    /// will be done, then those that are paused.
    pub async fn line(&self, kinds: &[&str], limit: u64) -> Result<Vec<InLine>, StoreError> {
        let running = in_state(kinds, JobState::Running).order_by_asc(job::Column::Id);
        let paused = in_state(kinds, JobState::Paused).order_by_asc(job::Column::Id);
        let parts = [(Stand::Running, running), (Stand::Waiting, queued(kinds)), (Stand::Paused, paused)];
        let mut line = Vec::new();
        for (stand, jobs) in parts {
            let jobs = jobs.limit(limit).all(self.0.database()).await?;
            let in_line = |row: job::Model| InLine {
                id: row.id,
                kind: row.kind,
                subject: row.subject,
                stand,
                created_at: row.created_at,
            };
            line.extend(jobs.into_iter().map(in_line));
        }
        line.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(line)
    }

    /// Puts a queued job before another one, or behind all of these kinds.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where either of them is not waiting, [`StoreError::NotFound`] where it does not exist.
    pub async fn put(&self, kinds: &[&str], id: Uuid, before: Option<Uuid>) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let mut line = queued(kinds).lock_exclusive().all(&transaction).await?;
        let turns: Vec<i64> = line.iter().map(|job| job.turn).collect();
        let moved = line.remove(place_of(&transaction, &line, id).await?);
        let place = match before {
            Some(before) if before == id => return Ok(()),
            Some(before) => place_of(&transaction, &line, before).await?,
            None => line.len(),
        };
        line.insert(place, moved);
        // The same numbers in the new order; those that are equal move apart, since ids would decide between them.
        let mut least = i64::MIN;
        for (job, turn) in line.into_iter().zip(turns) {
            let turn = turn.max(least);
            least = turn + 1;
            if job.turn != turn {
                let mut job = job.into_active_model();
                job.turn = Set(turn);
                job.update(&transaction).await?;
            }
        }
        Ok(transaction.commit().await?)
    }
}

fn queued(kinds: &[&str]) -> Select<job::Entity> {
    in_state(kinds, JobState::Queued).order_by_asc(job::Column::Turn).order_by_asc(job::Column::Id)
}

fn in_state(kinds: &[&str], state: JobState) -> Select<job::Entity> {
    let of_kinds = job::Column::Kind.is_in(kinds.iter().copied());
    job::Entity::find().filter(of_kinds).filter(job::Column::State.eq(state))
}

async fn place_of(database: &impl ConnectionTrait, line: &[job::Model], id: Uuid) -> Result<usize, StoreError> {
    if let Some(place) = line.iter().position(|job| job.id == id) {
        return Ok(place);
    }
    job::Entity::find_by_id(id).one(database).await?.ok_or_else(|| StoreError::not_found(Kind::Job, id))?;
    let reason = "is not waiting in the queue, so that it has no place there".to_owned();
    Err(StoreError::Conflict { kind: Kind::Job, id, reason })
}

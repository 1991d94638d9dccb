//! Giving jobs to workers, and taking them from dead ones.

use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use uuid::Uuid;

use super::end::{Ending, end};
use super::fence::work;
use super::set_aside::tell;
use super::{Claim, JobKind, JobState, Lease, Queue, Work};
use crate::checkpoints::CheckpointState;
use crate::clock::millis;
use crate::entities::{checkpoint, job};
use crate::error::StoreError;
use crate::number::{from_sql, to_i32};
use crate::searches::{SearchState, edit};
use crate::store::Store;

/// Heartbeat of a job whose worker is known to be dead.
const KNOWN_DEAD: i64 = 0;

impl Queue<'_> {
    /// Gives the next job to `worker`: one that is queued, or whose worker has been silent for too long.
    ///
    /// Of workers that ask at the same time, each gets another job. `None` when there is nothing to do.
    pub async fn claim(&self, worker: &str) -> Result<Option<Claim>, StoreError> {
        self.0.reach().note(self.0, self.next(claimable(self.0, worker), worker).await)
    }

    /// [`Queue::claim`], of exports alone.
    pub async fn claim_export(&self, worker: &str) -> Result<Option<Claim>, StoreError> {
        let exports = claimable(self.0, worker).add(job::Column::Kind.eq(JobKind::Checkpoint));
        self.0.reach().note(self.0, self.next(exports, worker).await)
    }

    async fn next(&self, wanted: Condition, worker: &str) -> Result<Option<Claim>, StoreError> {
        // Most calls find nothing, and should not take the write lock to find it.
        if job::Entity::find().filter(wanted.clone()).one(self.0.database()).await?.is_none() {
            return Ok(None);
        }
        let transaction = self.0.begin().await?;
        reap(self.0, &transaction).await?;
        let next = job::Entity::find()
            .filter(wanted)
            .order_by_asc(job::Column::Priority)
            .order_by_asc(job::Column::Id)
            .limit(1)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .one(&transaction)
            .await?;
        let claim = match next {
            Some(job) => Some(give(self.0, &transaction, job, worker).await?),
            None => None,
        };
        transaction.commit().await?;
        Ok(claim)
    }

    /// Ends jobs that no worker should be given again: those whose worker died after their cancel was asked for, and
    /// those that were claimed too often without making progress. [`Queue::claim`] does so too; the server calls this
    /// now and then in case no worker is left, and so tells of searches whose worker has fallen silent. Returns how
    /// many
    /// jobs it ended.
    pub async fn reap(&self) -> Result<u64, StoreError> {
        self.0.reach().note(self.0, self.look_after().await)
    }

    async fn look_after(&self) -> Result<u64, StoreError> {
        if job::Entity::find().filter(stale(self.0)).one(self.0.database()).await?.is_none() {
            return Ok(0);
        }
        let transaction = self.0.begin().await?;
        let ended = reap(self.0, &transaction).await?;
        tell_of_silence(self.0, &transaction).await?;
        transaction.commit().await?;
        Ok(ended)
    }

    /// Says that a worker process is known to be dead: its jobs may be claimed at once, without waiting for their
    /// heartbeats to grow stale. Returns how many there were.
    pub async fn worker_died(&self, worker: &str) -> Result<u64, StoreError> {
        let outcome = job::Entity::update_many()
            .set(job::ActiveModel { heartbeat_at_ms: Set(Some(KNOWN_DEAD)), ..Default::default() })
            .filter(job::Column::Worker.eq(worker))
            .filter(job::Column::State.eq(JobState::Running))
            .exec(self.0.database())
            .await?;
        Ok(outcome.rows_affected)
    }
}

fn claimable(store: &Store, worker: &str) -> Condition {
    Condition::all().add(Condition::any().add(due(store, worker)).add(stale(store)))
}

/// Queued, and not set aside for a while.
fn due(store: &Store, worker: &str) -> Condition {
    let now = store.clock().now_ms();
    let is_due = job::Column::NotBeforeMs.is_null().or(job::Column::NotBeforeMs.lte(now));
    let may_try = job::Column::Avoid.is_null().or(job::Column::Avoid.ne(worker));
    let may_try_again = job::Column::AvoidUntilMs.is_null().or(job::Column::AvoidUntilMs.lte(now));
    Condition::all().add(job::Column::State.eq(JobState::Queued)).add(is_due).add(may_try.or(may_try_again))
}

fn stale(store: &Store) -> Condition {
    let oldest = store.clock().now_ms() - millis(store.stale_after());
    // Who could not reach the database itself cannot tell who else is dead: each gets the time to come back.
    let oldest = if store.reach().is_fresh(store) { KNOWN_DEAD + 1 } else { oldest };
    Condition::all().add(job::Column::State.eq(JobState::Running)).add(job::Column::HeartbeatAtMs.lt(oldest))
}

/// Shows why a search does not move that runs by its state alone.
async fn tell_of_silence(store: &Store, transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    let silent = job::Entity::find()
        .filter(stale(store).add(job::Column::SearchId.is_not_null()))
        .order_by_asc(job::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    for job in silent {
        let name = job.worker.as_deref().unwrap_or("the one that had it");
        tell(transaction, &work(&job)?, Some(&format!("a worker: {name} no longer reports"))).await?;
    }
    Ok(())
}

async fn reap(store: &Store, transaction: &DatabaseTransaction) -> Result<u64, StoreError> {
    let max_attempts = to_i32("max_attempts", store.max_attempts().into())?;
    let hopeless = job::Entity::find()
        .filter(stale(store))
        .filter(
            Condition::any().add(job::Column::CancelRequested.eq(true)).add(job::Column::Attempts.gte(max_attempts)),
        )
        .order_by_asc(job::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    let mut ended = 0;
    for job in hopeless {
        let ending = if job.cancel_requested { Ending::Cancelled } else { Ending::Failed(worn_out(&job)?) };
        end(store, transaction, job, ending).await?;
        ended += 1;
    }
    Ok(ended)
}

fn worn_out(job: &job::Model) -> Result<String, StoreError> {
    let what = match work(job)? {
        Work::Search(_) => "without storing another candidate",
        Work::Checkpoint(_) => "before the file was written",
    };
    let times = if job.attempts == 1 { "once".to_string() } else { format!("{} times", job.attempts) };
    Ok(format!("the worker died or stalled {times} while working on this job {what}"))
}

async fn give(
    store: &Store,
    transaction: &DatabaseTransaction,
    job: job::Model,
    worker: &str,
) -> Result<Claim, StoreError> {
    let mut next = job.clone().into_active_model();
    next.state = Set(JobState::Running);
    next.worker = Set(Some(worker.to_string()));
    next.lease = Set(job.lease + 1);
    next.attempts = Set(job.attempts + 1);
    next.heartbeat_at_ms = Set(Some(store.clock().now_ms()));
    let job = next.update(transaction).await?;

    let work = work(&job)?;
    match work {
        Work::Search(id) => start_search(store, transaction, id).await?,
        Work::Checkpoint(id) => start_checkpoint(transaction, id).await?,
    }
    let lease = Lease { job_id: job.id, number: job.lease };
    Ok(Claim { lease, work, attempt: from_sql(crate::error::Kind::Job, "attempts", job.attempts)? })
}

async fn start_search(store: &Store, transaction: &DatabaseTransaction, id: Uuid) -> Result<(), StoreError> {
    let now = store.clock().now();
    edit(transaction, id, |search| {
        search.state = Set(SearchState::Running);
        search.waiting_for = Set(None);
        search.phase = Set("starting".to_string());
        if search.started_at.as_ref().is_none() {
            search.started_at = Set(Some(now));
        }
    })
    .await?;
    Ok(())
}

async fn start_checkpoint(transaction: &DatabaseTransaction, id: Uuid) -> Result<(), StoreError> {
    let running =
        checkpoint::ActiveModel { state: Set(CheckpointState::Running), waiting_for: Set(None), ..Default::default() };
    checkpoint::Entity::update_many().set(running).filter(checkpoint::Column::Id.eq(id)).exec(transaction).await?;
    Ok(())
}

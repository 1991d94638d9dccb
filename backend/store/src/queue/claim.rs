//! Giving jobs to workers, and taking them from dead ones.

use sea_orm::sea_query::{CaseStatement, Expr, LockBehavior, LockType};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseTransaction, EntityTrait, ExprTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::end::{Ending, end, stop};
use super::{Claim, JobState, Lease, Queue};
use crate::clock::millis;
use crate::entities::job;
use crate::error::{Kind, StoreError};
use crate::number::{from_json, from_sql, to_i32};
use crate::store::Store;
use crate::subject::Step;

/// Heartbeat of a job whose worker is known to be dead.
const KNOWN_DEAD: i64 = 0;

/// A kind of job that a worker can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    pub kind: &'a str,
    /// Jobs of a kind with a lower number go first, and those of the same number in the order of their turns, which is that in
    /// which they were enqueued until somebody changes it.
    pub priority: i32,
}

impl Queue<'_> {
    /// Gives the next job of these kinds to `worker`: one that is queued, or whose worker has been silent for too long.
    ///
    /// Of workers that ask at the same time, each gets another job. `None` when there is nothing to do.
    pub async fn claim(&self, worker: &str, wanted: &[Wanted<'_>]) -> Result<Option<Claim>, StoreError> {
        self.0.reach().note(self.next(worker, wanted).await)
    }

    async fn next(&self, worker: &str, wanted: &[Wanted<'_>]) -> Result<Option<Claim>, StoreError> {
        let claimable = claimable(self.0, worker, wanted);
        // Most calls find nothing, and should not take the write lock to find it.
        if job::Entity::find().filter(claimable.clone()).one(self.0.database()).await?.is_none() {
            return Ok(None);
        }
        let transaction = self.0.begin().await?;
        reap(self.0, &transaction).await?;
        let next = job::Entity::find()
            .filter(claimable)
            .order_by_asc(priority(wanted))
            .order_by_asc(job::Column::Turn)
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

    /// Ends jobs that no worker should be given again: those whose worker died after their cancel or pause was asked for, and
    /// those that were claimed too often without making progress. [`Queue::claim`] does so too; the server calls this
    /// now and then in case no worker is left, and so tells of jobs whose worker has fallen silent. Returns how many
    /// jobs it ended or paused.
    pub async fn reap(&self) -> Result<u64, StoreError> {
        self.0.reach().note(self.look_after().await)
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

fn claimable(store: &Store, worker: &str, wanted: &[Wanted<'_>]) -> Condition {
    let kinds = job::Column::Kind.is_in(wanted.iter().map(|wanted| wanted.kind));
    Condition::all().add(kinds).add(Condition::any().add(due(store, worker)).add(stale(store)))
}

fn priority(wanted: &[Wanted<'_>]) -> Expr {
    let case = wanted.iter().fold(CaseStatement::new(), |case, wanted| {
        case.case(job::Column::Kind.eq(wanted.kind), Expr::value(wanted.priority))
    });
    case.finally(Expr::value(i32::MAX)).into()
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
    let oldest = if store.reach().is_fresh() { KNOWN_DEAD + 1 } else { oldest };
    Condition::all().add(job::Column::State.eq(JobState::Running)).add(job::Column::HeartbeatAtMs.lt(oldest))
}

/// Shows why a job does not move that runs by its state alone.
async fn tell_of_silence(store: &Store, transaction: &DatabaseTransaction) -> Result<(), StoreError> {
    let silent = job::Entity::find()
        .filter(stale(store))
        .order_by_asc(job::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    for job in silent {
        let name = job.worker.as_deref().unwrap_or("the one that had it");
        let reason = format!("a worker: {name} no longer reports");
        let step = Step::WaitsFor(&reason);
        store.subjects().follow(transaction, &job.kind, job.subject, step, store.clock().now()).await?;
    }
    Ok(())
}

async fn reap(store: &Store, transaction: &DatabaseTransaction) -> Result<u64, StoreError> {
    let max_attempts = to_i32("max_attempts", store.max_attempts().into())?;
    let hopeless = job::Entity::find()
        .filter(stale(store))
        .filter(
            Condition::any()
                .add(job::Column::CancelRequested.eq(true))
                .add(job::Column::PauseRequested.eq(true))
                .add(job::Column::Attempts.gte(max_attempts)),
        )
        .order_by_asc(job::Column::Id)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(transaction)
        .await?;
    let mut ended = 0;
    for job in hopeless {
        if job.is_to_stop() {
            stop(store, transaction, job).await?;
        } else {
            let ending = Ending::Failed(worn_out(store, &job));
            end(store, transaction, job, ending).await?;
        }
        ended += 1;
    }
    Ok(ended)
}

fn worn_out(store: &Store, job: &job::Model) -> String {
    let what = store.subjects().worn_out(&job.kind);
    let times = if job.attempts == 1 { "once".to_string() } else { format!("{} times", job.attempts) };
    format!("the worker died or stalled {times} while working on this job {what}")
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

    store.subjects().follow(transaction, &job.kind, job.subject, Step::Started, store.clock().now()).await?;
    Ok(Claim {
        lease: Lease { job_id: job.id, number: job.lease },
        kind: job.kind,
        subject: job.subject,
        payload: from_json(Kind::Job, "payload", job.payload)?,
        attempt: from_sql(Kind::Job, "attempts", job.attempts)?,
    })
}

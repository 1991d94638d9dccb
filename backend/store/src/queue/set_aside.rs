//! Jobs that cannot be done for the moment, through no fault of their own: they wait, and say what for.

use std::time::Duration;

use sea_orm::{ActiveModelTrait, ActiveValue::Set};

use super::end::{requeue, stop};
use super::fence::hold;
use super::{Lease, Queue};
use crate::clock::millis;
use crate::error::StoreError;
use crate::subject::Step;

/// For how long nobody is given a job that was set aside, and for how long the worker that did so is not; doubled each
/// time. Where several workers lack the same thing, the job does not go round among them without a pause.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_OF_WORKER: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

impl Queue<'_> {
    /// Gives a job back that cannot be done here and now, as when the disk is full or the file store is away. What it has
    /// come to is kept, and the attempt does not count. Another worker is preferred for a while; this one may try again
    /// after 2 s, and after ever longer up to 30 s, until the job makes progress.
    ///
    /// `waiting_for` is shown to the user, and completes "waiting for". A job that is to be cancelled or paused is that.
    pub async fn set_aside(&self, lease: &Lease, waiting_for: &str) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold(&transaction, lease).await?;
        if job.is_to_stop() {
            stop(self.0, &transaction, job).await?;
            return Ok(transaction.commit().await?);
        }
        let (worker, times, kind, subject) = (job.worker.clone(), job.set_aside, job.kind.clone(), job.subject);
        let now = self.0.clock().now_ms();
        let mut job = requeue(self.0, &transaction, job).await?;
        job.set_aside = Set(times.saturating_add(1));
        job.not_before_ms = Set(Some(now + millis(doubled(PAUSE, times))));
        job.avoid = Set(worker);
        job.avoid_until_ms = Set(Some(now + millis(doubled(PAUSE_OF_WORKER, times))));
        job.update(&transaction).await?;
        let step = Step::WaitsFor(waiting_for);
        self.0.subjects().follow(&transaction, &kind, subject, step, self.0.clock().now()).await?;
        Ok(transaction.commit().await?)
    }
}

fn doubled(pause: Duration, times: i32) -> Duration {
    let factor = 1_u32.checked_shl(times.clamp(0, 16).unsigned_abs()).unwrap_or(u32::MAX);
    pause.saturating_mul(factor).min(LONGEST_PAUSE)
}

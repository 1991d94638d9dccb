//! Keeps a job's lease while the engine is at it, and ends the job as its outcome or an interruption says.

use std::pin::pin;
use std::time::Duration;

use eagleeye_store::{Damage, HeartbeatAnswer, Lease, Store, StoreError, answer_within};
use tokio::time::{Instant, sleep, timeout};

use crate::failure::one_line;
use crate::run::engine_thread::CancelFlag;
use crate::run::error::JobError;
use crate::run::retry::{retry, within};
use crate::run::stop::Stop;

/// Time between heartbeats. Together with [`GRACE`] it stays below the second within which a cancel takes effect.
const HEARTBEAT: Duration = Duration::from_millis(200);
/// What the engine has to return in when it was told to stop.
const GRACE: Duration = Duration::from_millis(700);
/// Longest time between heartbeats that are not heard, short enough for the first one after an outage to come before
/// the queue gives the job to another.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// After so long without an answer a heartbeat is lost.
const ANSWER: Duration = Duration::from_secs(5);
/// What a worker that is to stop waits for the database; its server kills it soon.
const PATIENCE: Duration = Duration::from_secs(4);

/// How the work on a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tended {
    /// Nothing of it is left to do, and the engine is idle.
    Ended,
    /// Given back, since files are missing where this worker looks for them.
    FilesAway,
    /// Nothing more is to be done for it here, but the engine still computes: the process has to end.
    EngineBusy,
}

/// Why a job is stopped in the middle.
#[derive(Debug)]
enum Interruption {
    /// The user wants it cancelled or paused.
    Unwanted,
    /// This worker is to stop; another goes on with the job.
    Stopping,
    /// The job is another worker's now, or is no more.
    LeaseLost,
    /// The database answers heartbeats with an error that no waiting mends.
    Unheard(StoreError),
}

/// Heartbeats while `job` is under way, through any outage of the database: the job computes on, and loses its lease
/// only where another worker was given it. A job that fails is ended as failed, with the reason; one that cannot be
/// done for the moment is set aside; an interrupted one is told so by `cancel`, given a moment to return, and ended or
/// given back.
///
/// # Errors
/// When the database refuses what waiting does not mend, or is out of reach when the worker is to stop.
pub async fn tend(
    store: &Store,
    lease: &Lease,
    stop: &Stop,
    cancel: &CancelFlag,
    job: impl Future<Output = Result<(), JobError>>,
) -> Result<Tended, StoreError> {
    let mut job = pin!(job);
    let heartbeats = Heartbeats::new(store, lease);
    let interruption = tokio::select! {
        biased;
        outcome = &mut job => return conclude(store, lease, stop, outcome).await,
        () = stop.requested() => Interruption::Stopping,
        interruption = heartbeats.until_interrupted() => interruption,
    };

    tracing::info!(job = %lease.job_id, ?interruption, "job interrupted");
    cancel.set();
    let returned = timeout(GRACE, job).await;
    let is_busy = returned.is_err();
    let ending = match interruption {
        // It was done before it noticed.
        _ if matches!(returned, Ok(Ok(()))) => Ok(()),
        Interruption::Unwanted => {
            tolerate_loss(retry(|| stop.is_requested(), async || store.queue().stopped(lease).await).await)
        }
        Interruption::Stopping => {
            tolerate_loss(retry(within(PATIENCE), async || store.queue().release(lease).await).await)
        }
        Interruption::LeaseLost => Ok(()),
        Interruption::Unheard(error) => Err(error),
    };
    match ending {
        Ok(()) if is_busy => Ok(Tended::EngineBusy),
        Ok(()) => Ok(Tended::Ended),
        Err(error) if is_busy => {
            tracing::error!(job = %lease.job_id, %error, "the database is out of reach");
            Ok(Tended::EngineBusy)
        }
        Err(error) => Err(error),
    }
}

/// Ends a job that returned by itself.
async fn conclude(
    store: &Store,
    lease: &Lease,
    stop: &Stop,
    outcome: Result<(), JobError>,
) -> Result<Tended, StoreError> {
    let error = match outcome {
        Ok(()) => {
            tracing::info!(job = %lease.job_id, "job done");
            return Ok(Tended::Ended);
        }
        Err(JobError::Store(error @ StoreError::LeaseLost { .. })) => {
            tracing::warn!(job = %lease.job_id, %error, "job dropped");
            return Ok(Tended::Ended);
        }
        Err(error) => explained(store, error).await,
    };
    let give_up = || stop.is_requested();
    match error.waits_for().map(one_line) {
        Some(reason) => {
            tracing::warn!(job = %lease.job_id, reason, "job set aside");
            tolerate_loss(retry(give_up, async || store.queue().set_aside(lease, &reason).await).await)?;
        }
        None => {
            let reason = one_line(&error);
            tracing::warn!(job = %lease.job_id, reason, "job failed");
            tolerate_loss(retry(give_up, async || store.queue().fail(lease, &reason).await).await)?;
        }
    }
    Ok(if error.is_about_files() { Tended::FilesAway } else { Tended::Ended })
}

/// A missing file is gone for good only where this worker looks into the server's own file store.
async fn explained(store: &Store, error: JobError) -> JobError {
    match error {
        JobError::Store(
            StoreError::Damaged { damage: Damage::Missing, .. }
            | StoreError::DamagedFile { damage: Damage::Missing, .. },
        ) => match answer_within(ANSWER, store.check_files()).await {
            Ok(()) => error,
            Err(elsewhere) => JobError::Store(elsewhere),
        },
        error => error,
    }
}

/// A job that is another's by now needs no ending from here.
fn tolerate_loss(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::LeaseLost { .. }) => Ok(()),
        other => other,
    }
}

struct Heartbeats<'a> {
    store: &'a Store,
    lease: &'a Lease,
}

impl<'a> Heartbeats<'a> {
    fn new(store: &'a Store, lease: &'a Lease) -> Self {
        Self { store, lease }
    }

    async fn until_interrupted(&self) -> Interruption {
        let mut pause = HEARTBEAT;
        let mut heard = Instant::now();
        loop {
            match self.beat().await {
                Ok(HeartbeatAnswer { lost: true, .. }) => return Interruption::LeaseLost,
                Ok(HeartbeatAnswer { stop_requested: true, .. }) => return Interruption::Unwanted,
                Ok(_) => {
                    if pause > HEARTBEAT {
                        tracing::info!(silent = ?heard.elapsed(), "heartbeats arrive again");
                    }
                    (pause, heard) = (HEARTBEAT, Instant::now());
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, silent = ?heard.elapsed(), "a heartbeat was lost");
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(error) => return Interruption::Unheard(error),
            }
            sleep(pause).await;
        }
    }

    async fn beat(&self) -> Result<HeartbeatAnswer, StoreError> {
        answer_within(ANSWER, self.store.queue().heartbeat(self.lease)).await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use eagleeye_store::SearchState;

    use super::*;
    use crate::testing::{ClaimedSearch, KINDS};

    /// What an engine does that is told to stop: it returns.
    async fn obedient(cancel: CancelFlag) -> Result<(), JobError> {
        while !cancel.is_set() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(JobError::Cancelled)
    }

    #[tokio::test]
    async fn a_job_that_fails_ends_with_its_reason_in_one_line() {
        let search = ClaimedSearch::new().await;
        let (_request, stop) = Stop::by_hand();
        let job = async { Err(JobError::Panicked("no\nmemory".to_owned())) };
        let tended = tend(&search.store, &search.lease, &stop, &CancelFlag::default(), job).await.unwrap();
        assert_eq!(tended, Tended::Ended);
        assert_eq!(search.state().await, (SearchState::Failed, Some("an engine error: no memory".to_owned())));
    }

    #[tokio::test]
    async fn a_cancel_takes_effect_within_a_second_even_when_the_engine_does_not_listen() {
        let search = ClaimedSearch::new().await;
        let (_request, stop) = Stop::by_hand();
        let cancel = CancelFlag::default();
        let tending = tend(&search.store, &search.lease, &stop, &cancel, pending());
        let asking = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            search.store.searches().cancel(search.id).await.unwrap();
            Instant::now()
        };
        let (tended, asked) = tokio::join!(tending, asking);
        assert!(asked.elapsed() < Duration::from_millis(1000), "{:?}", asked.elapsed());
        assert_eq!(tended.unwrap(), Tended::EngineBusy);
        assert_eq!(search.state().await.0, SearchState::Cancelled);
    }

    #[tokio::test]
    async fn an_engine_that_listens_leaves_the_worker_free_after_a_cancel() {
        let search = ClaimedSearch::new().await;
        let (_request, stop) = Stop::by_hand();
        search.store.searches().cancel(search.id).await.unwrap();
        let cancel = CancelFlag::default();
        let tended = tend(&search.store, &search.lease, &stop, &cancel, obedient(cancel.clone())).await.unwrap();
        assert_eq!(tended, Tended::Ended);
        assert_eq!(search.state().await.0, SearchState::Cancelled);
    }

    #[tokio::test]
    async fn a_worker_that_is_to_stop_gives_its_job_back() {
        for is_obedient in [true, false] {
            let search = ClaimedSearch::new().await;
            let (request, stop) = Stop::by_hand();
            request.send_replace(true);
            let cancel = CancelFlag::default();
            let job = async { if is_obedient { obedient(cancel.clone()).await } else { pending().await } };
            let tended = tend(&search.store, &search.lease, &stop, &cancel, job).await.unwrap();
            assert_eq!(tended, if is_obedient { Tended::Ended } else { Tended::EngineBusy });
            assert_eq!(search.state().await.0, SearchState::Queued);
            let next = search.store.queue().claim("the next worker", &KINDS).await.unwrap().unwrap();
            assert_eq!(next.attempt, 1, "an orderly stop does not count against the job");
        }
    }

    #[tokio::test]
    async fn a_job_that_another_worker_has_is_stopped_and_left_alone() {
        let search = ClaimedSearch::new().await;
        search.store.queue().worker_died("this worker").await.unwrap();
        let other = search.store.queue().claim("another worker", &KINDS).await.unwrap().unwrap();
        let (_request, stop) = Stop::by_hand();
        let cancel = CancelFlag::default();
        let tended = tend(&search.store, &search.lease, &stop, &cancel, obedient(cancel.clone())).await.unwrap();
        assert_eq!(tended, Tended::Ended);
        assert_eq!(search.state().await.0, SearchState::Running);
        assert!(!search.store.queue().heartbeat(&other.lease).await.unwrap().lost);
    }

    #[tokio::test]
    async fn a_job_that_is_done_when_the_stop_comes_stays_done() {
        let search = ClaimedSearch::new().await;
        let (request, stop) = Stop::by_hand();
        let job = async {
            request.send_replace(true);
            tokio::time::sleep(Duration::from_millis(50)).await;
            search.store.searches().finish(&search.lease).await?;
            Ok(())
        };
        let tended = tend(&search.store, &search.lease, &stop, &CancelFlag::default(), job).await.unwrap();
        assert_eq!(tended, Tended::Ended);
        assert_eq!(search.state().await.0, SearchState::Succeeded);
    }

    #[tokio::test]
    async fn a_write_under_a_lost_lease_drops_the_job_without_a_word() {
        let search = ClaimedSearch::new().await;
        let (_request, stop) = Stop::by_hand();
        let lost = StoreError::LeaseLost { job: search.lease.job_id, lease: search.lease.number };
        let job = async { Err(JobError::Store(lost)) };
        let tended = tend(&search.store, &search.lease, &stop, &CancelFlag::default(), job).await.unwrap();
        assert_eq!(tended, Tended::Ended);
        assert_eq!(search.state().await.0, SearchState::Running);
    }
}

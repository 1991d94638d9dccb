//! How a race goes on. Whenever one of its tunings pauses or ends, [`settle`] looks whether the rung is over, in the same
//! transaction: the better half goes on to the next rung, and the others are out.
//!
//! Locks are taken in one order, so that nobody waits for somebody who waits for him: a tuning's job, if it is queued or running,
//! before its race; and the race before the job of a tuning that is paused, which has ended and which no worker writes.

use chrono::{DateTime, Utc};
use eagleeye_spec::{StoredError, TuningRaceRequest, TuningRung};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, DatabaseTransaction, EntityTrait, IntoActiveModel, QuerySelect};
use uuid::Uuid;

use crate::entities::{RunState, job, tuning, tuning_race};
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::number::to_i32;
use crate::queue::{JobState, close, of_subject, restart};
use crate::run;
use crate::standings::{Standing, standings};
use crate::tunings::{TUNING_JOB, edit, is_paused};

/// What a paused tuning waits for, as a phrase that completes "waiting for".
pub(crate) const WAITS_FOR_OTHERS: &str = "the other candidates of its race";

/// A race's row, locked until the transaction ends.
pub(crate) async fn locked_race(transaction: &DatabaseTransaction, id: Uuid) -> Result<tuning_race::Model, StoreError> {
    let row = tuning_race::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::TuningRace, id))
}

/// What is asked of a race.
pub(crate) fn request_of(race: &tuning_race::Model) -> Result<TuningRaceRequest, StoreError> {
    TuningRaceRequest::from_stored(race.request.clone()).map_err(|error| unreadable(&error))
}

pub(crate) fn unreadable(error: &StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::TuningRace, column: "request", reason: error.to_string() }
}

/// Moves a race on, if all its tunings have come to the end of the rung, or ended.
pub(crate) async fn settle(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let race = locked_race(transaction, race_id).await?;
    if race.state.is_final() {
        return Ok(());
    }
    let rungs = request_of(&race)?.rungs();
    let standings = standings(transaction, race_id, &rungs).await?;
    let (out, left): (Vec<Standing>, Vec<Standing>) = standings.into_iter().partition(Standing::is_out);
    let Some(first) = left.first() else { return nobody_left(transaction, race, &out, now).await };
    if let Some(winner) = left.iter().find(|standing| standing.row.state == RunState::Succeeded) {
        let winner_id = winner.row.id;
        return edit_race(transaction, race, now, |race| {
            end_race(race, RunState::Succeeded, None, now);
            race.winner_id = Set(Some(winner_id));
        })
        .await;
    }
    if left.iter().any(|standing| !is_paused(&standing.row)) {
        return Ok(());
    }
    let next = next_rung(&rungs, first.rung as usize, left.len());
    go_on(transaction, &rungs, next, left, now).await?;
    edit_race(transaction, race, now, |_| {}).await
}

/// The rung in which so many candidates go on: one at whose end somebody will be out. Where others have failed, rungs may be left
/// out in which everybody would go on to the next.
fn next_rung(rungs: &[TuningRung], rung: usize, left: usize) -> usize {
    let is_decisive = |place: &usize| rungs.get(place + 1).is_none_or(|next| (next.candidates as usize) < left);
    (rung + 1..rungs.len()).find(is_decisive).unwrap_or(rungs.len().saturating_sub(1))
}

/// The best go on in a rung, and the others are out.
async fn go_on(
    transaction: &DatabaseTransaction,
    rungs: &[TuningRung],
    next: usize,
    left: Vec<Standing>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let places = rungs.get(next).map_or(1, |rung| rung.candidates as usize);
    let rung = to_i32("race_rung", next as u64)?;
    let pause_at = pause_at(rungs, next)?;
    for (place, standing) in left.into_iter().enumerate() {
        let job = job_of(transaction, standing.row.id).await?;
        if place < places {
            restart(transaction, job).await?;
            edit(transaction, standing.row.id, now, |tuning| {
                run::queue_again(tuning);
                (tuning.race_rung, tuning.pause_at) = (Set(Some(rung)), Set(pause_at));
            })
            .await?;
        } else {
            cancel(transaction, job, now).await?;
        }
    }
    Ok(())
}

/// The epoch after which tunings in a rung pause; none in the last one.
pub(crate) fn pause_at(rungs: &[TuningRung], rung: usize) -> Result<Option<i32>, StoreError> {
    let ends = rungs.get(rung).filter(|_| rung + 1 < rungs.len());
    ends.map(|rung| to_i32("pause_at", rung.until_epoch.into())).transpose()
}

/// Nobody can win any more: because of the user's wishes alone, or because tunings have failed.
async fn nobody_left(
    transaction: &DatabaseTransaction,
    race: tuning_race::Model,
    out: &[Standing],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let failed = out.iter().find(|standing| standing.row.state == RunState::Failed && !standing.row.has_left_race);
    let (state, error) = match failed {
        None => (RunState::Cancelled, None),
        Some(Standing { row, .. }) => {
            let reason = row.error.as_deref().unwrap_or("no reason was given");
            (RunState::Failed, Some(format!("no candidate is left; tuning {} has failed: {reason}", row.id)))
        }
    };
    edit_race(transaction, race, now, |race| end_race(race, state, error, now)).await
}

/// Says that a race is under way, once one of its tunings is.
pub(crate) async fn begin(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let race = tuning_race::Entity::find_by_id(race_id).one(transaction).await?;
    if race.is_none_or(|race| race.state != RunState::Queued) {
        return Ok(());
    }
    let race = locked_race(transaction, race_id).await?;
    if race.state != RunState::Queued {
        return Ok(());
    }
    edit_race(transaction, race, now, |race| {
        (race.state, race.started_at) = (Set(RunState::Running), Set(Some(now)));
    })
    .await
}

/// Ends a race on the user's wish, and with it the tunings that wait for others; those that are queued or running have yet to be
/// cancelled, or are when they come to the end of their rung. One that has ended stays as it is; its state is returned.
pub(crate) async fn abandon(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    now: DateTime<Utc>,
) -> Result<RunState, StoreError> {
    let race = locked_race(transaction, race_id).await?;
    if race.state.is_final() {
        return Ok(race.state);
    }
    let rungs = request_of(&race)?.rungs();
    let paused = standings(transaction, race_id, &rungs).await?.into_iter().filter(|standing| is_paused(&standing.row));
    for standing in paused {
        cancel(transaction, job_of(transaction, standing.row.id).await?, now).await?;
    }
    edit_race(transaction, race, now, |race| end_race(race, RunState::Cancelled, None, now)).await?;
    Ok(RunState::Cancelled)
}

/// A tuning has come to the end of its rung; `job` is its own, which the caller holds and which ends with this.
pub(crate) async fn paused(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    job: job::Model,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let is_over = locked_race(transaction, race_id).await?.state.is_final();
    if is_over || job.cancel_requested {
        cancel(transaction, job, now).await?;
    } else {
        close(transaction, job, JobState::Succeeded, None).await?;
    }
    settle(transaction, race_id, now).await
}

/// Cancels a tuning that waits for others of its race; false where it does not, or no longer.
pub(crate) async fn cancel_paused(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    if !holds_paused(transaction, race_id, id).await? {
        return Ok(false);
    }
    cancel(transaction, job_of(transaction, id).await?, now).await?;
    settle(transaction, race_id, now).await?;
    Ok(true)
}

/// Locks the race, and says whether the tuning is paused, which it then is until the transaction ends.
pub(crate) async fn holds_paused(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    id: Uuid,
) -> Result<bool, StoreError> {
    locked_race(transaction, race_id).await?;
    let row = tuning::Entity::find_by_id(id).one(transaction).await?;
    Ok(row.is_some_and(|row| is_paused(&row)))
}

/// A tuning of the race was deleted.
pub(crate) async fn deleted(
    transaction: &DatabaseTransaction,
    race_id: Uuid,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let race = locked_race(transaction, race_id).await?;
    let winner_id = race.winner_id.filter(|winner| *winner != id);
    edit_race(transaction, race, now, |race| race.winner_id = Set(winner_id)).await?;
    settle(transaction, race_id, now).await
}

async fn job_of(transaction: &DatabaseTransaction, tuning_id: Uuid) -> Result<job::Model, StoreError> {
    let job = of_subject(transaction, TUNING_JOB, tuning_id).await?;
    job.ok_or_else(|| StoreError::not_found(Kind::Tuning, tuning_id))
}

/// Cancels a tuning whose job is held and has ended, or ends with this.
async fn cancel(transaction: &DatabaseTransaction, job: job::Model, now: DateTime<Utc>) -> Result<(), StoreError> {
    edit(transaction, job.subject, now, |tuning| run::end(tuning, RunState::Cancelled, None, now)).await?;
    close(transaction, job, JobState::Cancelled, None).await
}

fn end_race(race: &mut tuning_race::ActiveModel, state: RunState, error: Option<String>, now: DateTime<Utc>) {
    (race.state, race.error, race.finished_at) = (Set(state), Set(error), Set(Some(now)));
}

/// Changes a race that is locked, counts its revision up and tells of it.
async fn edit_race(
    transaction: &DatabaseTransaction,
    race: tuning_race::Model,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut tuning_race::ActiveModel),
) -> Result<(), StoreError> {
    let (id, before, revision) = (race.id, race.state, race.revision + 1);
    let mut row = race.into_active_model();
    row.revision = Set(revision);
    change(&mut row);
    let state = row.update(transaction).await?.state;
    let kind = if state.is_final() && state != before { EventKind::RaceEnded } else { EventKind::RaceChanged };
    tell(transaction, kind, id, now).await
}

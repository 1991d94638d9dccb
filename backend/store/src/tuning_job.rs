//! The job of a tuning: what its worker writes while it is at it, and what the tuning says when the job takes a step. All that a
//! worker writes is fenced by the lease, and all of it may be repeated.

use chrono::{DateTime, Utc};
use eagleeye_spec::{Epoch, TuningResult};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::checkpoints::{CheckpointFormat, CheckpointOf, request_in};
use crate::entities::{tuning, tuning_epoch};
use crate::error::{Kind, StoreError};
use crate::files::FileHash;
use crate::number::{to_i32, to_i64, to_json};
use crate::queue::{JobState, Lease, already_done, close, hold_of, note_progress};
use crate::run::{self, end};
use crate::settling::{self, WAITS_FOR_OTHERS, settle};
use crate::subject::{Step, Subject};
use crate::tunings::{PAUSED_PHASE, TUNING_JOB, Tuning, TuningState, Tunings, edit, locked, unreadable};
use crate::uploads::{Upload, consume};

/// The phase in which epochs are trained; `done` of `total` counts steps, and `total` is 0 until it is known.
pub const EPOCHS_PHASE: &str = "epochs";

/// What a tuning has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The tuned network's weights, uploaded by the worker.
    pub weights: Upload,
    /// Steps that were done.
    pub steps: u64,
    pub result: TuningResult,
}

impl Tunings<'_> {
    /// States how much a snapshot takes on the disk, before the first one.
    pub async fn begin(&self, lease: &Lease, snapshot_bytes: u64) -> Result<(), StoreError> {
        let bytes = to_i64("snapshot_bytes", snapshot_bytes)?;
        let transaction = self.0.begin().await?;
        let id = hold_of(&transaction, lease, TUNING_JOB).await?.subject;
        edit(&transaction, id, self.0.clock().now(), |tuning| tuning.snapshot_bytes = Set(Some(bytes))).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores an epoch. One that is stored already, by a worker that was ended before its next snapshot, is replaced.
    pub async fn record_epoch(&self, lease: &Lease, epoch: &Epoch) -> Result<(), StoreError> {
        let (number, row) = (to_i32("epoch", epoch.epoch.into())?, to_json(Kind::Tuning, "row", epoch)?);
        let transaction = self.0.begin().await?;
        let job = hold_of(&transaction, lease, TUNING_JOB).await?;
        let id = job.subject;
        note_progress(&transaction, job, self.0.clock().now_ms()).await?;
        let now = self.0.clock().now();
        let revision = edit(&transaction, id, now, |tuning| tuning.waiting_for = Set(None)).await?.revision;
        let (tuning_id, epoch, row, revision) = (Set(id), Set(number), Set(row), Set(revision));
        let key = [tuning_epoch::Column::TuningId, tuning_epoch::Column::Epoch];
        let replaced = [tuning_epoch::Column::Row, tuning_epoch::Column::Revision];
        tuning_epoch::Entity::insert(tuning_epoch::ActiveModel { tuning_id, epoch, row, revision })
            .on_conflict(OnConflict::columns(key).update_columns(replaced).to_owned())
            .exec_without_returning(&transaction)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a snapshot, whose upload is taken over; the one before goes. When the lease is lost the upload is discarded.
    pub async fn save_snapshot(&self, lease: &Lease, snapshot: &Upload) -> Result<(), StoreError> {
        let outcome = self.replace_snapshot(lease, snapshot).await;
        match outcome {
            Ok(replaced) => self.0.collect(replaced).await,
            Err(error) => {
                self.0.discard(snapshot).await?;
                Err(error)
            }
        }
    }

    /// Stores a snapshot as [`Self::save_snapshot`], and ends the job: the tuning waits for the other candidates of its race, or is
    /// out, or goes on at once where it was the last of its rung. When the lease is lost the upload is discarded.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is not to pause.
    pub async fn reach_end_of_rung(&self, lease: &Lease, snapshot: &Upload) -> Result<(), StoreError> {
        let outcome = self.store_and_pause(lease, snapshot).await;
        match outcome {
            Ok(replaced) => self.0.collect(replaced).await,
            Err(error) => {
                self.0.discard(snapshot).await?;
                Err(error)
            }
        }
    }

    async fn store_and_pause(&self, lease: &Lease, snapshot: &Upload) -> Result<Option<FileHash>, StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold_of(&transaction, lease, TUNING_JOB).await?;
        let row = locked(&transaction, job.subject).await?;
        let (Some(race_id), Some(_)) = (row.race_id, row.pause_at) else {
            let reason = "is to be trained to its end without a pause".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Tuning, id: row.id, reason });
        };
        let replaced = row.snapshot_hash.map(FileHash::try_from).transpose()?;
        let (hash, now) = (snapshot.hash.to_string(), self.0.clock().now());
        edit(&transaction, row.id, now, |tuning| {
            tuning.snapshot_hash = Set(Some(hash));
            (tuning.state, tuning.phase) = (Set(TuningState::Queued), Set(PAUSED_PHASE.to_owned()));
            tuning.waiting_for = Set(Some(WAITS_FOR_OTHERS.to_owned()));
        })
        .await?;
        consume(&transaction, std::slice::from_ref(snapshot)).await?;
        settling::paused(&transaction, race_id, job, now).await?;
        transaction.commit().await?;
        Ok(replaced)
    }

    async fn replace_snapshot(&self, lease: &Lease, snapshot: &Upload) -> Result<Option<FileHash>, StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold_of(&transaction, lease, TUNING_JOB).await?;
        let id = job.subject;
        let replaced = locked(&transaction, id).await?.snapshot_hash.map(FileHash::try_from).transpose()?;
        note_progress(&transaction, job, self.0.clock().now_ms()).await?;
        let hash = snapshot.hash.to_string();
        edit(&transaction, id, self.0.clock().now(), |tuning| tuning.snapshot_hash = Set(Some(hash))).await?;
        consume(&transaction, std::slice::from_ref(snapshot)).await?;
        transaction.commit().await?;
        Ok(replaced)
    }

    /// Ends a tuning with its weights, whose upload is taken over, and asks for them in the formats that are made unasked. The
    /// snapshot goes. May be repeated. When the lease is lost the upload is discarded.
    pub async fn finish(&self, lease: &Lease, tuned: &Tuned) -> Result<Tuning, StoreError> {
        let outcome = self.store_weights(lease, tuned).await;
        match outcome {
            Ok((tuning, snapshot)) => {
                self.0.collect(snapshot).await?;
                Ok(tuning)
            }
            Err(error) => {
                self.0.discard(&tuned.weights).await?;
                Err(error)
            }
        }
    }

    async fn store_weights(&self, lease: &Lease, tuned: &Tuned) -> Result<(Tuning, Option<FileHash>), StoreError> {
        let result = tuned.result.to_stored().map_err(|error| unreadable("result", &error))?;
        let transaction = self.0.begin().await?;
        if let Some(id) = already_done(&transaction, lease, TUNING_JOB).await? {
            drop(transaction);
            self.0.discard(&tuned.weights).await?;
            return Ok((self.get(id).await?, None));
        }
        let job = hold_of(&transaction, lease, TUNING_JOB).await?;
        let row = locked(&transaction, job.subject).await?;
        let snapshot = row.snapshot_hash.map(FileHash::try_from).transpose()?;
        let steps = to_i64("steps", tuned.steps)?;
        let now = self.0.clock().now();
        let row = edit(&transaction, job.subject, now, |tuning| {
            end(tuning, TuningState::Succeeded, None, now);
            // It may have ended before the planned steps: because its time was up, or because it stopped improving.
            (tuning.phase, tuning.done, tuning.total) = (Set(EPOCHS_PHASE.to_owned()), Set(steps), Set(steps));
            tuning.snapshot_hash = Set(None);
            tuning.weights_hash = Set(Some(tuned.weights.hash.to_string()));
            tuning.result = Set(Some(result));
        })
        .await?;
        // An attempt that was ended may have stored more epochs than the one that came to the end.
        let beyond = tuning_epoch::Column::Epoch.gt(tuned.result.epochs);
        let of_tuning = tuning_epoch::Column::TuningId.eq(row.id);
        tuning_epoch::Entity::delete_many().filter(of_tuning).filter(beyond).exec(&transaction).await?;
        consume(&transaction, std::slice::from_ref(&tuned.weights)).await?;
        // A study wants accuracies, not files.
        let unasked = if row.study_id.is_none() { &CheckpointFormat::AUTOMATIC[..] } else { &[] };
        for format in unasked {
            request_in(self.0, &transaction, CheckpointOf::tuning(&row), *format).await?;
        }
        close(&transaction, job, JobState::Succeeded, None).await?;
        if let Some(race_id) = race_of(&row) {
            settle(&transaction, race_id, now).await?;
        }
        transaction.commit().await?;
        Ok((row.try_into()?, snapshot))
    }
}

/// A tuning, which says how its job stands.
#[derive(Debug)]
pub(crate) struct TuningSubject;

#[async_trait]
impl Subject for TuningSubject {
    fn kind(&self) -> &'static str {
        TUNING_JOB
    }

    fn worn_out(&self) -> &'static str {
        "without storing another epoch or snapshot"
    }

    async fn follow(
        &self,
        transaction: &DatabaseTransaction,
        id: Uuid,
        step: Step<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        run::follow::<tuning::ActiveModel>(transaction, id, step, now).await?;
        match step {
            Step::Started | Step::Failed(_) | Step::Cancelled => {}
            Step::Progressed(_) | Step::WaitsFor(_) | Step::GivenBack | Step::Paused => return Ok(()),
        }
        let row = tuning::Entity::find_by_id(id).one(transaction).await?;
        match row.as_ref().and_then(race_of) {
            Some(race_id) if step == Step::Started => settling::begin(transaction, race_id, now).await,
            Some(race_id) => settle(transaction, race_id, now).await,
            None => Ok(()),
        }
    }
}

/// The race that a tuning takes part in.
fn race_of(row: &tuning::Model) -> Option<Uuid> {
    row.race_id.filter(|_| !row.has_left_race)
}

//! Candidates, repaired ones and tuned ones as files, exported by a worker.

use chrono::{DateTime, Utc};
use eagleeye_spec::CandidateWeights;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, TryInsertResult,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::candidates::held;
pub use crate::entities::checkpoint::{CheckpointFormat, CheckpointState, CheckpointWeights};
use crate::entities::{RunState, candidate, checkpoint, tuning};
use crate::error::{Kind, Owner, StoreError};
use crate::events::{EventKind, tell};
use crate::files::{Check, FileHash, Sha256};
use crate::number::from_sql;
use crate::queue::{NewJob, Payload, Turn, enqueue_in, of_subject};
use crate::store::Store;
use crate::tunings::{self, TUNING_JOB};

/// Kind of the jobs that write a checkpoint, whose subject is the checkpoint.
pub const EXPORT_JOB: &str = "export";

/// What a checkpoint is of: a candidate, adapted or repaired, or one of its tunings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CheckpointOf {
    candidate_id: Uuid,
    tuning_id: Option<Uuid>,
    weights: CheckpointWeights,
}

impl CheckpointOf {
    pub(crate) fn candidate(id: Uuid, weights: CandidateWeights) -> Self {
        let weights = match weights {
            CandidateWeights::Adapted => CheckpointWeights::Adapted,
            CandidateWeights::Repaired => CheckpointWeights::Repaired,
        };
        CheckpointOf { candidate_id: id, tuning_id: None, weights }
    }

    pub(crate) fn tuning(row: &tuning::Model) -> Self {
        CheckpointOf { candidate_id: row.candidate_id, tuning_id: Some(row.id), weights: CheckpointWeights::Tuned }
    }

    fn filter(self) -> Condition {
        match self.tuning_id {
            Some(id) => of_tuning(id),
            None => of_candidate(self.candidate_id).add(checkpoint::Column::Weights.eq(self.weights)),
        }
    }
}

fn of_candidate(id: Uuid) -> Condition {
    let without_tuning = checkpoint::Column::TuningId.is_null();
    Condition::all().add(checkpoint::Column::CandidateId.eq(id)).add(without_tuning)
}

fn of_tuning(id: Uuid) -> Condition {
    Condition::all().add(checkpoint::Column::TuningId.eq(id))
}

/// A candidate, tuned or not, in one file format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    pub id: Uuid,
    pub candidate_id: Uuid,
    /// The tuning of the candidate that it has the weights of.
    pub tuning_id: Option<Uuid>,
    pub weights: CheckpointWeights,
    pub format: CheckpointFormat,
    pub state: CheckpointState,
    /// The file, its size, and how far its outputs were from the engine's own when it was loaded again; once ready.
    pub hash: Option<FileHash>,
    /// None, too, for a file that an older version has written.
    pub sha256: Option<Sha256>,
    pub bytes: Option<u64>,
    pub max_difference: Option<f64>,
    pub error: Option<String>,
    /// What its export has to wait for, as a phrase that completes "waiting for".
    pub waiting_for: Option<String>,
    pub created_at: DateTime<Utc>,
}

impl Checkpoint {
    /// For messages about its file.
    pub fn owner(&self) -> Owner {
        Owner { kind: Kind::Checkpoint, id: self.id, name: String::new(), file: None }
    }
}

/// The checkpoints of a store.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoints<'a>(pub(crate) &'a Store);

impl Store {
    pub fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints(self)
    }
}

impl Checkpoints<'_> {
    /// Asks for a candidate in a format. One that is there, or on its way, is returned as it is; one that failed, or
    /// whose file is damaged, is queued again.
    pub async fn request(
        &self,
        candidate_id: Uuid,
        weights: CandidateWeights,
        format: CheckpointFormat,
    ) -> Result<Checkpoint, StoreError> {
        let of = CheckpointOf::candidate(candidate_id, weights);
        self.give_up_damaged(of, format).await?;
        let transaction = self.0.begin().await?;
        held(&transaction, candidate_id).await?;
        let row = request_in(self.0, &transaction, of, format).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// [`Self::request`] of a tuned candidate.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the tuning has not succeeded.
    pub async fn request_tuned(&self, tuning_id: Uuid, format: CheckpointFormat) -> Result<Checkpoint, StoreError> {
        let of = CheckpointOf::tuning(&self.tuning(tuning_id).await?);
        self.give_up_damaged(of, format).await?;
        let transaction = self.0.begin().await?;
        held(&transaction, of.candidate_id).await?;
        // Whoever deletes the tuning holds its job.
        of_subject(&transaction, TUNING_JOB, tuning_id).await?;
        let row = tunings::locked(&transaction, tuning_id).await?;
        if row.state != RunState::Succeeded {
            let reason = "has not succeeded, so there are no weights to export".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Tuning, id: tuning_id, reason });
        }
        let row = request_in(self.0, &transaction, of, format).await?;
        transaction.commit().await?;
        row.try_into()
    }

    pub async fn get(&self, id: Uuid) -> Result<Checkpoint, StoreError> {
        let row = checkpoint::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Checkpoint, id))?.try_into()
    }

    /// A checkpoint whose file is damaged becomes one that failed.
    async fn give_up_damaged(&self, of: CheckpointOf, format: CheckpointFormat) -> Result<(), StoreError> {
        let rows = checkpoint::Entity::find()
            .filter(of.filter())
            .filter(checkpoint::Column::Format.eq(format))
            .filter(checkpoint::Column::State.eq(CheckpointState::Ready));
        let Some(row) = rows.one(self.0.database()).await? else { return Ok(()) };
        let checkpoint = Checkpoint::try_from(row)?;
        let Some(hash) = &checkpoint.hash else { return Ok(()) };
        let damage = match self.0.files().materialize(hash, Check::Once).await {
            Err(error @ StoreError::Damaged { .. }) => error.about(|| checkpoint.owner()),
            outcome => return outcome.map(drop),
        };
        let transaction = self.0.begin().await?;
        // Another request may have had it made anew meanwhile.
        let updated = checkpoint::Entity::update_many()
            .col_expr(checkpoint::Column::State, Expr::value(CheckpointState::Failed))
            .col_expr(checkpoint::Column::Error, Expr::value(damage.to_string()))
            .col_expr(checkpoint::Column::FileHash, Expr::value(Option::<String>::None))
            .col_expr(checkpoint::Column::Sha256, Expr::value(Option::<String>::None))
            .col_expr(checkpoint::Column::Bytes, Expr::value(Option::<i64>::None))
            .col_expr(checkpoint::Column::MaxDifference, Expr::value(Option::<f64>::None))
            .filter(checkpoint::Column::Id.eq(checkpoint.id))
            .filter(checkpoint::Column::State.eq(CheckpointState::Ready))
            .filter(checkpoint::Column::FileHash.eq(hash.as_str()))
            .exec(&transaction)
            .await?;
        if updated.rows_affected > 0 {
            tell(&transaction, EventKind::CheckpointEnded, checkpoint.id, self.0.clock().now()).await?;
        }
        transaction.commit().await?;
        self.0.collect([hash.clone()]).await
    }

    /// The checkpoints of a candidate that is not tuned, by weights and format.
    pub async fn of_candidate(&self, candidate_id: Uuid) -> Result<Vec<Checkpoint>, StoreError> {
        let known = candidate::Entity::find_by_id(candidate_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Candidate, candidate_id))?;
        self.all(of_candidate(candidate_id)).await
    }

    /// The checkpoints of a tuning, by format.
    pub async fn of_tuning(&self, tuning_id: Uuid) -> Result<Vec<Checkpoint>, StoreError> {
        self.tuning(tuning_id).await?;
        self.all(of_tuning(tuning_id)).await
    }

    async fn all(&self, which: Condition) -> Result<Vec<Checkpoint>, StoreError> {
        let rows = checkpoint::Entity::find()
            .filter(which)
            .order_by_asc(checkpoint::Column::Weights)
            .order_by_asc(checkpoint::Column::Format)
            .all(self.0.database())
            .await?;
        rows.into_iter().map(Checkpoint::try_from).collect()
    }

    async fn tuning(&self, id: Uuid) -> Result<tuning::Model, StoreError> {
        let row = tuning::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))
    }
}

/// [`Checkpoints::request`] inside a transaction.
pub(crate) async fn request_in(
    store: &Store,
    transaction: &DatabaseTransaction,
    of: CheckpointOf,
    format: CheckpointFormat,
) -> Result<checkpoint::Model, StoreError> {
    let new = checkpoint::ActiveModel {
        id: Set(Uuid::now_v7()),
        candidate_id: Set(of.candidate_id),
        tuning_id: Set(of.tuning_id),
        weights: Set(of.weights),
        format: Set(format),
        state: Set(CheckpointState::Queued),
        created_at: Set(store.clock().now()),
        ..Default::default()
    };
    // Whichever of the two indices it is that allows one per format (and weights).
    let inserted = checkpoint::Entity::insert(new)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .try_insert()
        .exec_without_returning(transaction)
        .await?;

    let row = find(transaction, of, format).await?;
    let is_new = matches!(inserted, TryInsertResult::Inserted(count) if count > 0);
    if !is_new && row.state != CheckpointState::Failed {
        return Ok(row);
    }
    tell(transaction, EventKind::CheckpointRequested, row.id, store.clock().now()).await?;
    enqueue_in(store, transaction, export_of(row.id)).await?;
    if is_new {
        return Ok(row);
    }
    let mut again = row.into_active_model();
    again.state = Set(CheckpointState::Queued);
    again.error = Set(None);
    again.waiting_for = Set(None);
    Ok(again.update(transaction).await?)
}

fn export_of(subject: Uuid) -> NewJob<'static> {
    NewJob { kind: EXPORT_JOB, subject, payload: Payload::empty(), turn: Turn::Next }
}

async fn find<C: ConnectionTrait>(
    connection: &C,
    of: CheckpointOf,
    format: CheckpointFormat,
) -> Result<checkpoint::Model, StoreError> {
    checkpoint::Entity::find()
        .filter(of.filter())
        .filter(checkpoint::Column::Format.eq(format))
        .lock_exclusive()
        .one(connection)
        .await?
        .ok_or_else(|| StoreError::not_found(Kind::Checkpoint, of.tuning_id.unwrap_or(of.candidate_id)))
}

impl TryFrom<checkpoint::Model> for Checkpoint {
    type Error = StoreError;

    fn try_from(row: checkpoint::Model) -> Result<Self, StoreError> {
        Ok(Checkpoint {
            id: row.id,
            candidate_id: row.candidate_id,
            tuning_id: row.tuning_id,
            weights: row.weights,
            format: row.format,
            state: row.state,
            hash: row.file_hash.map(FileHash::try_from).transpose()?,
            sha256: row.sha256.map(Sha256::try_from).transpose()?,
            bytes: row.bytes.map(|bytes| from_sql(Kind::Checkpoint, "bytes", bytes)).transpose()?,
            max_difference: row.max_difference,
            error: row.error,
            waiting_for: row.waiting_for,
            created_at: row.created_at,
        })
    }
}

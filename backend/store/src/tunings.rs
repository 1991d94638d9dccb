//! Tunings: candidates that are trained further. What workers write into them is in [`crate::tuning_job`].

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eagleeye_spec::{Epoch, StoredError, TuneOptions, TuningResult};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::candidates::held;
pub use crate::entities::RunState as TuningState;
use crate::entities::{candidate, search, tuning, tuning_epoch};
use crate::error::{Kind, Owner, StoreError};
use crate::events::{EventKind, tell};
use crate::files::FileHash;
use crate::number::{from_json, from_sql};
use crate::page::{Page, PageRequest};
use crate::queue::{NewJob, Payload, Turn, enqueue_in};
use crate::run::{self, QUEUED, run};
use crate::store::Store;
use crate::subject::Progress;

/// Kind of the jobs that tune a candidate, whose subject is the tuning.
pub const TUNING_JOB: &str = "tuning";
/// The newest version of their payload. With version 2 the tuning may have to pause ([`Tuning::pause_at`]), which workers of the
/// time of version 1 do not know.
pub const TUNING_PAYLOAD: u32 = 2;
/// The phase of a tuning that has come to the end of its rung. It is queued, and has no job that could be claimed.
pub const PAUSED_PHASE: &str = "paused";

/// A candidate that is trained further.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    pub id: Uuid,
    /// The candidate's.
    pub search_id: Uuid,
    pub candidate_id: Uuid,
    pub state: TuningState,
    pub request: TuneOptions,
    /// The race that it takes or took part in.
    pub race_id: Option<Uuid>,
    /// The study that it is part of.
    pub study_id: Option<Uuid>,
    /// The epoch after which it waits for the other candidates of its race.
    pub pause_at: Option<u32>,
    pub progress: Progress,
    /// Bytes of one snapshot, stated before the first step. While one replaces another there are two.
    pub snapshot_bytes: Option<u64>,
    /// The file from which it goes on; none before the first snapshot, and none once it has succeeded.
    pub snapshot: Option<FileHash>,
    /// The tuned network's weights, once it has succeeded.
    pub weights: Option<FileHash>,
    pub result: Option<TuningResult>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it has to wait for before it can go on, as a phrase that completes "waiting for".
    pub waiting_for: Option<String>,
    /// Grows with every change of the tuning or its epochs.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Tuning {
    /// For messages about its files.
    pub fn owner(&self) -> Owner {
        Owner { kind: Kind::Tuning, id: self.id, name: String::new(), file: None }
    }
}

/// What has happened to a tuning since a revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningChanges {
    /// The changed tuning; its `revision` is what to ask with next time.
    pub tuning: Tuning,
    /// Epochs stored since, oldest first, each with the revision that it came with.
    pub epochs: Vec<(i64, Epoch)>,
}

/// The tunings of a store.
#[derive(Debug, Clone, Copy)]
pub struct Tunings<'a>(pub(crate) &'a Store);

impl Store {
    pub fn tunings(&self) -> Tunings<'_> {
        Tunings(self)
    }
}

impl Tunings<'_> {
    /// Creates a tuning of a candidate and, in the same transaction, its job.
    pub async fn create(&self, candidate_id: Uuid, request: &TuneOptions) -> Result<Tuning, StoreError> {
        let transaction = self.0.begin().await?;
        let candidate = held(&transaction, candidate_id).await?;
        let row = create_in(self.0, &transaction, &candidate, request, None).await?;
        transaction.commit().await?;
        row.try_into()
    }

    pub async fn get(&self, id: Uuid) -> Result<Tuning, StoreError> {
        let row = tuning::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))?.try_into()
    }

    /// The searches that these tunings are of, by the tunings' ids. Those that do not exist are left out.
    pub async fn searches(&self, ids: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>, StoreError> {
        let found = tuning::Entity::find().filter(tuning::Column::Id.is_in(ids.iter().copied())).select_only();
        let pairs = found.column(tuning::Column::Id).column(tuning::Column::SearchId).into_tuple();
        let pairs: Vec<(Uuid, Uuid)> = pairs.all(self.0.database()).await?;
        Ok(pairs.into_iter().collect())
    }

    /// The tunings of a search's candidates, newest first, but for those of studies, which are many and listed with them.
    pub async fn list(&self, search_id: Uuid, page: &PageRequest) -> Result<Page<Tuning>, StoreError> {
        let known = search::Entity::find_by_id(search_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;
        let mut query = tuning::Entity::find()
            .filter(tuning::Column::SearchId.eq(search_id))
            .filter(tuning::Column::StudyId.is_null())
            .order_by_desc(tuning::Column::Id)
            .limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(tuning::Column::Id.lt(id));
        }
        let rows = query.all(self.0.database()).await?;
        let tunings = rows.into_iter().map(Tuning::try_from).collect::<Result<_, _>>()?;
        Ok(Page::cut(tunings, page.limit(), |tuning: &Tuning| tuning.id.to_string()))
    }

    /// The epochs that are stored, in their order.
    pub async fn epochs(&self, id: Uuid) -> Result<Vec<Epoch>, StoreError> {
        let known = tuning::Entity::find_by_id(id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))?;
        let rows = tuning_epoch::Entity::find()
            .filter(tuning_epoch::Column::TuningId.eq(id))
            .order_by_asc(tuning_epoch::Column::Epoch)
            .all(self.0.database())
            .await?;
        rows.into_iter().map(|row| from_json(Kind::Tuning, "row", row.row)).collect()
    }

    /// The tuning and its new epochs, or `None` when nothing has changed since `revision`. Start with 0 for all.
    pub async fn changes_since(&self, id: Uuid, revision: i64) -> Result<Option<TuningChanges>, StoreError> {
        let tuning = self.get(id).await?;
        if tuning.revision <= revision {
            return Ok(None);
        }
        let rows = tuning_epoch::Entity::find()
            .filter(tuning_epoch::Column::TuningId.eq(id))
            .filter(tuning_epoch::Column::Revision.gt(revision))
            // One stored since `tuning` was read comes with the next call.
            .filter(tuning_epoch::Column::Revision.lte(tuning.revision))
            .order_by_asc(tuning_epoch::Column::Revision)
            .all(self.0.database())
            .await?;
        let read = |row: tuning_epoch::Model| Ok((row.revision, from_json(Kind::Tuning, "row", row.row)?));
        Ok(Some(TuningChanges { tuning, epochs: rows.into_iter().map(read).collect::<Result<_, StoreError>>()? }))
    }
}

/// What a tuning is created with that is not alone.
pub(crate) enum Membership {
    Race {
        race_id: Uuid,
        /// `None` where the first rung is the last.
        pause_at: Option<i32>,
    },
    Study {
        study_id: Uuid,
    },
}

/// Creates a tuning and its job. The search's job is held.
pub(crate) async fn create_in(
    store: &Store,
    transaction: &DatabaseTransaction,
    candidate: &candidate::Model,
    request: &TuneOptions,
    membership: Option<Membership>,
) -> Result<tuning::Model, StoreError> {
    let mut row = tuning::ActiveModel {
        id: Set(Uuid::now_v7()),
        search_id: Set(candidate.search_id),
        candidate_id: Set(candidate.id),
        state: Set(TuningState::Queued),
        start: Set(request.start.name().to_owned()),
        request: Set(request.to_stored().map_err(|error| unreadable("request", &error))?),
        phase: Set(QUEUED.to_owned()),
        done: Set(0),
        total: Set(0),
        revision: Set(1),
        created_at: Set(store.clock().now()),
        has_left_race: Set(false),
        ..Default::default()
    };
    let mut payload = Payload::empty();
    let mut turn = Turn::Next;
    match membership {
        Some(Membership::Race { race_id, pause_at }) => {
            (row.race_id, row.race_rung, row.pause_at) = (Set(Some(race_id)), Set(Some(0)), Set(pause_at));
            payload.version = TUNING_PAYLOAD;
        }
        Some(Membership::Study { study_id }) => {
            row.study_id = Set(Some(study_id));
            turn = Turn::BehindAll;
        }
        None => {}
    }
    let row = row.insert(transaction).await?;
    tell(transaction, EventKind::TuningCreated, row.id, row.created_at).await?;
    enqueue_in(store, transaction, NewJob { kind: TUNING_JOB, subject: row.id, payload, turn }).await?;
    Ok(row)
}

/// What was asked of one tuning of several: nothing is wrong where it has ended, or was deleted, since it was looked at.
pub(crate) fn or_overtaken(outcome: Result<Tuning, StoreError>) -> Result<(), StoreError> {
    match outcome {
        Ok(_) | Err(StoreError::Conflict { .. } | StoreError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Whether a tuning has come to the end of its rung and waits for the others of its race.
pub(crate) fn is_paused(row: &tuning::Model) -> bool {
    row.state == TuningState::Queued && row.phase == PAUSED_PHASE
}

pub(crate) fn unreadable(column: &'static str, error: &StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::Tuning, column, reason: error.to_string() }
}

/// A tuning's row, locked until the transaction ends.
pub(crate) async fn locked(transaction: &DatabaseTransaction, id: Uuid) -> Result<tuning::Model, StoreError> {
    let row = tuning::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))
}

run!(tuning, Kind::Tuning, TUNING_JOB, EventKind::TuningChanged, EventKind::TuningEnded);

/// [`run::edit`] of a tuning.
pub(crate) async fn edit(
    transaction: &DatabaseTransaction,
    id: Uuid,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut tuning::ActiveModel),
) -> Result<tuning::Model, StoreError> {
    run::edit(transaction, id, now, change).await
}

impl TryFrom<tuning::Model> for Tuning {
    type Error = StoreError;

    fn try_from(row: tuning::Model) -> Result<Self, StoreError> {
        let kind = Kind::Tuning;
        let result = row.result.map(TuningResult::from_stored).transpose();
        Ok(Tuning {
            id: row.id,
            search_id: row.search_id,
            candidate_id: row.candidate_id,
            state: row.state,
            request: TuneOptions::from_stored(row.request).map_err(|error| unreadable("request", &error))?,
            race_id: row.race_id,
            study_id: row.study_id,
            pause_at: row.pause_at.map(|epoch| from_sql(kind, "pause_at", epoch)).transpose()?,
            progress: Progress {
                phase: row.phase,
                done: from_sql(kind, "done", row.done)?,
                total: from_sql(kind, "total", row.total)?,
            },
            snapshot_bytes: row.snapshot_bytes.map(|bytes| from_sql(kind, "snapshot_bytes", bytes)).transpose()?,
            snapshot: row.snapshot_hash.map(FileHash::try_from).transpose()?,
            weights: row.weights_hash.map(FileHash::try_from).transpose()?,
            result: result.map_err(|error| unreadable("result", &error))?,
            error: row.error,
            waiting_for: row.waiting_for,
            revision: row.revision,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

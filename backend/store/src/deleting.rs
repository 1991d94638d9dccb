//! Deletions on the user's wish, of searches, tuning races and tunings with what belongs to them.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};
use uuid::Uuid;

use crate::checkpoints::EXPORT_JOB;
use crate::entities::{candidate, checkpoint, job, search, study, tuning, tuning_race};
use crate::error::{Kind, StoreError};
use crate::evaluations::IDS_PER_QUERY;
use crate::events::{EventKind, tell};
use crate::files::FileHash;
use crate::searches::{SEARCH_JOB, Searches};
use crate::settling;
use crate::studies::Studies;
use crate::tuning_races::{TuningRaces, unfinished};
use crate::tunings::{TUNING_JOB, Tunings, is_paused};

impl Searches<'_> {
    /// Deletes a search with its candidates, tunings, races, checkpoints and their files, whatever its state.
    ///
    /// A worker that is at it notices at its next heartbeat.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        loop {
            for race in unfinished(self.0.database(), id).await? {
                match self.0.tuning_races().abandon(race).await {
                    Ok(_) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if let Some(hashes) = self.delete_without_races(id).await? {
                return self.0.collect(hashes).await;
            }
        }
    }

    /// The files that may go; `None` where a race has been created meanwhile, whose tunings may wait for each other.
    async fn delete_without_races(&self, id: Uuid) -> Result<Option<Vec<FileHash>>, StoreError> {
        let transaction = self.0.begin().await?;
        // Nobody adds a race while this is held.
        lock_jobs(&transaction, about(SEARCH_JOB).add(job::Column::Subject.eq(id))).await?;
        if !unfinished(&transaction, id).await?.is_empty() {
            return Ok(None);
        }
        let tunings = Condition::all().add(tuning::Column::SearchId.eq(id));
        let belongings = Belongings::find(&transaction, tunings, of_search(id), Some(id)).await?;
        let now = self.0.clock().now();
        let hashes = belongings.delete(&transaction, now).await?;
        let races = tuning_race::Entity::find().filter(tuning_race::Column::SearchId.eq(id)).all(&transaction).await?;
        for race in races {
            tell(&transaction, EventKind::RaceDeleted, race.id, now).await?;
        }
        let studies = study::Entity::find().filter(study::Column::SearchId.eq(id)).all(&transaction).await?;
        for study in studies {
            tell(&transaction, EventKind::StudyDeleted, study.id, now).await?;
        }
        let deleted = search::Entity::delete_by_id(id).exec(&transaction).await?;
        if deleted.rows_affected == 0 {
            return Err(StoreError::not_found(Kind::Search, id));
        }
        tell(&transaction, EventKind::SearchDeleted, id, now).await?;
        transaction.commit().await?;
        Ok(Some(hashes))
    }
}

impl TuningRaces<'_> {
    /// Deletes a race with all its tunings and their files, whatever its state. The candidates stay.
    ///
    /// Workers that are at it notice at their next heartbeats.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        // After this no tuning waits for others, so that all jobs are locked before the race.
        self.abandon(id).await?;
        let transaction = self.0.begin().await?;
        let (tunings, checkpoints) = of_group(tuning::Column::RaceId, id);
        let belongings = Belongings::find(&transaction, tunings, checkpoints, None).await?;
        let now = self.0.clock().now();
        let hashes = belongings.delete(&transaction, now).await?;
        let deleted = tuning_race::Entity::delete_by_id(id).exec(&transaction).await?;
        if deleted.rows_affected == 0 {
            return Err(StoreError::not_found(Kind::TuningRace, id));
        }
        tell(&transaction, EventKind::RaceDeleted, id, now).await?;
        transaction.commit().await?;
        self.0.collect(hashes).await
    }
}

impl Studies<'_> {
    /// Deletes a study with all its tunings and their files, whatever its state. The candidates stay.
    ///
    /// Workers that are at it notice at their next heartbeats.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let (tunings, checkpoints) = of_group(tuning::Column::StudyId, id);
        let belongings = Belongings::find(&transaction, tunings, checkpoints, None).await?;
        let now = self.0.clock().now();
        let hashes = belongings.delete(&transaction, now).await?;
        let deleted = study::Entity::delete_by_id(id).exec(&transaction).await?;
        if deleted.rows_affected == 0 {
            return Err(StoreError::not_found(Kind::Study, id));
        }
        tell(&transaction, EventKind::StudyDeleted, id, now).await?;
        transaction.commit().await?;
        self.0.collect(hashes).await
    }
}

impl Tunings<'_> {
    /// Deletes a tuning with its epochs, snapshot, checkpoints and their files, whatever its state. The candidate stays. A race
    /// goes on without it.
    ///
    /// A worker that is at it notices at its next heartbeat.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        loop {
            if let Some(hashes) = self.delete_as_found(id).await? {
                return self.0.collect(hashes).await;
            }
        }
    }

    /// The files that may go; `None` where it has begun to wait for others of its race, or has ceased to, since it was looked at.
    async fn delete_as_found(&self, id: Uuid) -> Result<Option<Vec<FileHash>>, StoreError> {
        let transaction = self.0.begin().await?;
        let found = tuning::Entity::find_by_id(id).one(&transaction).await?;
        let found = found.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))?;
        let was_paused = is_paused(&found);
        // See `settling` for the order of the locks.
        if let Some(race_id) = found.race_id.filter(|_| was_paused)
            && !settling::holds_paused(&transaction, race_id, id).await?
        {
            return Ok(None);
        }
        let tunings = Condition::all().add(tuning::Column::Id.eq(id));
        let checkpoints = Condition::all().add(checkpoint::Column::TuningId.eq(id));
        let belongings = Belongings::find(&transaction, tunings, checkpoints, None).await?;
        let [tuning] = &belongings.tunings[..] else { return Err(StoreError::not_found(Kind::Tuning, id)) };
        if is_paused(tuning) != was_paused {
            return Ok(None);
        }
        let now = self.0.clock().now();
        let hashes = belongings.delete(&transaction, now).await?;
        if let Some(race_id) = found.race_id {
            settling::deleted(&transaction, race_id, id, now).await?;
        }
        transaction.commit().await?;
        Ok(Some(hashes))
    }
}

/// What goes, whose jobs are locked.
struct Belongings {
    jobs: Vec<Uuid>,
    tunings: Vec<tuning::Model>,
    checkpoints: Vec<checkpoint::Model>,
}

impl Belongings {
    /// Takes the locks of a deletion in the order in which workers take them, jobs first, so that neither waits for the other.
    async fn find(
        transaction: &DatabaseTransaction,
        tunings: Condition,
        checkpoints: Condition,
        search: Option<Uuid>,
    ) -> Result<Self, StoreError> {
        let chosen = tuning::Entity::find().filter(tunings.clone()).select_only().column(tuning::Column::Id);
        let files = checkpoint::Entity::find().filter(checkpoints.clone()).select_only().column(checkpoint::Column::Id);
        let of_tunings = about(TUNING_JOB).add(job::Column::Subject.in_subquery(chosen.into_query()));
        let of_files = about(EXPORT_JOB).add(job::Column::Subject.in_subquery(files.into_query()));
        let mut jobs = Vec::new();
        // Whoever adds to a search holds its job, and a tuning's job asks for its exports. A statement sees what was there when it
        // began: what was added while a job was waited for is seen by the next one.
        if let Some(search) = search {
            jobs.extend(lock_jobs(transaction, about(SEARCH_JOB).add(job::Column::Subject.eq(search))).await?);
        }
        jobs.extend(lock_jobs(transaction, of_tunings).await?);
        jobs.extend(lock_jobs(transaction, of_files).await?);
        Ok(Belongings {
            jobs,
            tunings: tuning::Entity::find().filter(tunings).all(transaction).await?,
            checkpoints: checkpoint::Entity::find().filter(checkpoints).all(transaction).await?,
        })
    }

    /// Deletes the rows, and tells of the tunings; the files that may go with them.
    async fn delete(self, transaction: &DatabaseTransaction, now: DateTime<Utc>) -> Result<Vec<FileHash>, StoreError> {
        let Belongings { jobs, tunings, checkpoints } = self;
        let ids: Vec<Uuid> = tunings.iter().map(|tuning| tuning.id).collect();
        for jobs in jobs.chunks(IDS_PER_QUERY) {
            job::Entity::delete_many().filter(job::Column::Id.is_in(jobs.iter().copied())).exec(transaction).await?;
        }
        for id in &ids {
            tell(transaction, EventKind::TuningDeleted, *id, now).await?;
        }
        for ids in ids.chunks(IDS_PER_QUERY) {
            tuning::Entity::delete_many()
                .filter(tuning::Column::Id.is_in(ids.iter().copied()))
                .exec(transaction)
                .await?;
        }
        let of_tunings = tunings.into_iter().flat_map(|tuning| [tuning.snapshot_hash, tuning.weights_hash]);
        let of_checkpoints = checkpoints.into_iter().map(|checkpoint| checkpoint.file_hash);
        let hashes = of_tunings.chain(of_checkpoints).flatten();
        hashes.map(|hash| FileHash::try_from(hash).map_err(StoreError::from)).collect()
    }
}

/// The tunings of a race or a study, and their files.
fn of_group(column: tuning::Column, id: Uuid) -> (Condition, Condition) {
    let members = tuning::Entity::find().filter(column.eq(id)).select_only().column(tuning::Column::Id).into_query();
    let files = Condition::all().add(checkpoint::Column::TuningId.in_subquery(members));
    (Condition::all().add(column.eq(id)), files)
}

fn about(kind: &str) -> Condition {
    Condition::all().add(job::Column::Kind.eq(kind))
}

/// Ids of the jobs, which are locked in their order.
async fn lock_jobs(transaction: &DatabaseTransaction, which: Condition) -> Result<Vec<Uuid>, StoreError> {
    let jobs = job::Entity::find().filter(which).order_by_asc(job::Column::Id).lock_exclusive();
    Ok(jobs.all(transaction).await?.into_iter().map(|job| job.id).collect())
}

/// Of the search's candidates and of their tunings.
fn of_search(search_id: Uuid) -> Condition {
    Condition::all().add(checkpoint::Column::CandidateId.in_subquery(candidates_of(search_id)))
}

fn candidates_of(search_id: Uuid) -> SelectStatement {
    candidate::Entity::find()
        .select_only()
        .column(candidate::Column::Id)
        .filter(candidate::Column::SearchId.eq(search_id))
        .into_query()
}

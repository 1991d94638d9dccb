//! What a worker writes while it is at a job. All of it is fenced by the lease, and all of it may be repeated.

use eagleeye_spec::Baseline;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter,
};
use uuid::Uuid;

use super::fence::hold_search;
use super::{HeartbeatAnswer, JobState, Lease, Queue};
use crate::candidates::{Candidate, NewCandidate, read, unranked};
use crate::entities::{candidate, job, split};
use crate::error::{Kind, StoreError};
use crate::evaluations;
use crate::number::{to_i32, to_i64, to_json};
use crate::searches::{Progress, Split, edit};

/// The phase in which candidates are evaluated; [`Queue::record_candidate`] keeps its progress.
pub const CANDIDATES_PHASE: &str = "candidates";

impl Queue<'_> {
    /// Says that the worker is alive; to be called well within the time after which a job counts as abandoned.
    pub async fn heartbeat(&self, lease: &Lease) -> Result<HeartbeatAnswer, StoreError> {
        let alive = job::ActiveModel { heartbeat_at_ms: Set(Some(self.0.clock().now_ms())), ..Default::default() };
        let updated = job::Entity::update_many()
            .set(alive)
            .filter(job::Column::Id.eq(lease.job_id))
            .filter(job::Column::Lease.eq(lease.number))
            .filter(job::Column::State.eq(JobState::Running))
            .exec(self.0.database())
            .await
            .map_err(StoreError::from);
        let updated = self.0.reach().note(self.0, updated)?;
        if updated.rows_affected == 0 {
            return Ok(HeartbeatAnswer { cancel_requested: false, lost: true });
        }
        let job = job::Entity::find_by_id(lease.job_id).one(self.0.database()).await?;
        let cancel_requested = job.is_some_and(|job| job.cancel_requested);
        Ok(HeartbeatAnswer { cancel_requested, lost: false })
    }

    /// Shows how far the search is.
    pub async fn progress(&self, lease: &Lease, progress: &Progress) -> Result<(), StoreError> {
        let (done, total) = (to_i64("done", progress.done)?, to_i64("total", progress.total)?);
        let transaction = self.0.begin().await?;
        let (_, search_id) = hold_search(&transaction, lease).await?;
        edit(&transaction, search_id, |search| {
            search.phase = Set(progress.phase.clone());
            search.waiting_for = Set(None);
            search.done = Set(done);
            search.total = Set(total);
        })
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Stores which images the search uses. The first split stored stays, since candidates were scored with it; it is
    /// returned.
    pub async fn save_split(&self, lease: &Lease, split: &Split) -> Result<Split, StoreError> {
        let transaction = self.0.begin().await?;
        let (_, search_id) = hold_search(&transaction, lease).await?;
        if split::Entity::find_by_id(search_id).one(&transaction).await?.is_none() {
            insert_split(&transaction, search_id, split).await?;
        }
        transaction.commit().await?;
        Ok(self.0.searches().split(search_id).await?.unwrap_or_default())
    }

    /// Stores how the full network does on the scoring images.
    pub async fn save_baseline(&self, lease: &Lease, baseline: &Baseline) -> Result<(), StoreError> {
        let (macs, parameters) = (to_i64("macs", baseline.macs)?, to_i64("parameters", baseline.parameters)?);
        let transaction = self.0.begin().await?;
        let (_, search_id) = hold_search(&transaction, lease).await?;
        edit(&transaction, search_id, |search| {
            search.baseline_top1 = Set(Some(baseline.score.top1));
            search.baseline_top5 = Set(Some(baseline.score.top5));
            search.baseline_cross_entropy = Set(baseline.score.cross_entropy);
            search.baseline_macs = Set(Some(macs));
            search.baseline_parameters = Set(Some(parameters));
        })
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a candidate, and with it the search's progress. An index that is stored already changes nothing; the
    /// stored candidate is returned.
    pub async fn record_candidate(&self, lease: &Lease, new: NewCandidate) -> Result<Candidate, StoreError> {
        let transaction = self.0.begin().await?;
        let (job, search_id) = hold_search(&transaction, lease).await?;
        let stored = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(search_id))
            .filter(candidate::Column::Index.eq(to_i32("index", new.index.into())?))
            .one(&transaction)
            .await?;
        let row = match stored {
            Some(row) => row,
            None => {
                note_progress(&transaction, job, self.0.clock().now_ms()).await?;
                self.insert_candidate(&transaction, search_id, new).await?
            }
        };
        let candidate = read(&transaction, vec![row]).await?.pop().ok_or_else(unranked)?;
        transaction.commit().await?;
        Ok(candidate)
    }

    async fn insert_candidate(
        &self,
        transaction: &DatabaseTransaction,
        search_id: Uuid,
        new: NewCandidate,
    ) -> Result<candidate::Model, StoreError> {
        let stored = candidate::Entity::find().filter(candidate::Column::SearchId.eq(search_id));
        let done = to_i64("done", stored.count(transaction).await? + 1)?;
        let search = edit(transaction, search_id, |search| {
            search.phase = Set(CANDIDATES_PHASE.to_string());
            search.waiting_for = Set(None);
            search.done = Set(done);
        })
        .await?;
        let row = candidate::ActiveModel {
            id: Set(Uuid::now_v7()),
            search_id: Set(search_id),
            index: Set(to_i32("index", new.index.into())?),
            strategy: Set(to_json(Kind::Candidate, "strategy", &new.strategy)?),
            groups: Set(to_json(Kind::Candidate, "groups", &new.groups)?),
            macs: Set(to_i64("macs", new.macs)?),
            parameters: Set(to_i64("parameters", new.parameters)?),
            seconds: Set(new.seconds),
            revision: Set(search.revision),
            created_at: Set(self.0.clock().now()),
        };
        let row = row.insert(transaction).await?;
        evaluations::insert(transaction, row.id, &new.evaluations).await?;
        Ok(row)
    }
}

async fn insert_split(transaction: &DatabaseTransaction, search_id: Uuid, split: &Split) -> Result<(), StoreError> {
    let count = |field, list: &[u32]| to_i32(field, list.len() as u64);
    let calibration = count("calibration", &split.calibration)?;
    let scoring = count("scoring", &split.scoring)?;
    let test = count("test", &split.test)?;
    let row = split::ActiveModel {
        search_id: Set(search_id),
        calibration: Set(to_json(Kind::Search, "calibration", &split.calibration)?),
        scoring: Set(to_json(Kind::Search, "scoring", &split.scoring)?),
        test: Set(to_json(Kind::Search, "test", &split.test)?),
    };
    split::Entity::insert(row).exec_without_returning(transaction).await?;
    edit(transaction, search_id, |search| {
        search.split_calibration = Set(Some(calibration));
        search.split_scoring = Set(Some(scoring));
        search.split_test = Set(Some(test));
    })
    .await?;
    Ok(())
}

/// A job that gets on starts counting its attempts anew, so that a long search may survive many restarts.
async fn note_progress(transaction: &DatabaseTransaction, job: job::Model, now_ms: i64) -> Result<(), StoreError> {
    let mut job = job.into_active_model();
    job.attempts = Set(1);
    job.set_aside = Set(0);
    job.heartbeat_at_ms = Set(Some(now_ms));
    job.update(transaction).await?;
    Ok(())
}

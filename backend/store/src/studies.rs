//! Studies: candidates of a search that are fine-tuned from several seeds each. A study has no job and no state of its own: both are
//! those of its tunings.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eagleeye_spec::{MAX_FINE_TUNINGS, StoredError, StudyRequest, TuningResult};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::candidates::{self, Candidate};
use crate::entities::{candidate, search, study, tuning};
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::number::from_sql;
use crate::page::{Page, PageRequest};
use crate::searches::held_succeeded;
use crate::store::Store;
use crate::tunings::{Membership, Tuning, TuningState, create_in, or_overtaken};

/// Candidates that are fine-tuned from several seeds each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Study {
    pub id: Uuid,
    pub search_id: Uuid,
    pub request: StudyRequest,
    /// In the order of their candidates and then of the seeds.
    pub members: Vec<StudyMember>,
    pub created_at: DateTime<Utc>,
}

/// One fine-tuning of a study.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyMember {
    pub tuning_id: Uuid,
    pub candidate_id: Uuid,
    /// The candidate's number in its search.
    pub index: u32,
    pub seed: u64,
    pub state: TuningState,
    pub error: Option<String>,
    /// What it has to wait for before it can go on, as a phrase that completes "waiting for".
    pub waiting_for: Option<String>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

impl Study {
    /// What its tunings come to: queued before the first has begun, running while one is left, paused where
    /// those that are left are, failed where one has failed,
    /// cancelled where one was or where all were deleted, and otherwise succeeded.
    pub fn state(&self) -> TuningState {
        let any = |state: TuningState| self.members.iter().any(|member| member.state == state);
        let has_begun = self.members.iter().any(|member| member.started_at.is_some());
        match () {
            () if any(TuningState::Running) || (any(TuningState::Queued) && has_begun) => TuningState::Running,
            () if any(TuningState::Queued) => TuningState::Queued,
            () if any(TuningState::Paused) => TuningState::Paused,
            () if any(TuningState::Failed) => TuningState::Failed,
            () if any(TuningState::Cancelled) || self.members.is_empty() => TuningState::Cancelled,
            () => TuningState::Succeeded,
        }
    }
}

/// A candidate with the fine-tunings of a study that have succeeded.
#[derive(Debug, Clone, PartialEq)]
pub struct Studied {
    pub candidate: Candidate,
    /// In the order of the seeds.
    pub tunings: Vec<StudiedTuning>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StudiedTuning {
    pub seed: u64,
    pub result: TuningResult,
}

/// The studies of a store.
#[derive(Debug, Clone, Copy)]
pub struct Studies<'a>(pub(crate) &'a Store);

impl Store {
    pub fn studies(&self) -> Studies<'_> {
        Studies(self)
    }
}

impl Studies<'_> {
    /// Creates a study of these candidates of a search, with a tuning and a job for each of them and each seed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the search has not succeeded; [`StoreError::NothingToCompare`] without candidates, and
    /// [`StoreError::TooManyTunings`] with too many;
    /// [`StoreError::NotFound`] for a candidate that is not the search's.
    pub async fn create(
        &self,
        search_id: Uuid,
        request: &StudyRequest,
        candidates: &[Uuid],
    ) -> Result<Study, StoreError> {
        let transaction = self.0.begin().await?;
        held_succeeded(&transaction, search_id, "its candidates can be studied when it has").await?;
        if candidates.is_empty() {
            return Err(StoreError::NothingToCompare);
        }
        let tunings = candidates.len() * request.seeds.len();
        if tunings > MAX_FINE_TUNINGS {
            return Err(StoreError::TooManyTunings { tunings: tunings as u64, most: MAX_FINE_TUNINGS as u64 });
        }
        let now = self.0.clock().now();
        let row = study::ActiveModel {
            id: Set(Uuid::now_v7()),
            search_id: Set(search_id),
            request: Set(request.to_stored().map_err(|error| unreadable(&error))?),
            created_at: Set(now),
        };
        let row = row.insert(&transaction).await?;
        tell(&transaction, EventKind::StudyCreated, row.id, now).await?;
        for id in candidates {
            let candidate = candidate::Entity::find_by_id(*id).one(&transaction).await?;
            let candidate = candidate.filter(|candidate| candidate.search_id == search_id);
            let candidate = candidate.ok_or_else(|| StoreError::not_found(Kind::Candidate, *id))?;
            for &seed in &request.seeds {
                let membership = Membership::Study { study_id: row.id };
                create_in(self.0, &transaction, &candidate, &request.options_from(seed), Some(membership)).await?;
            }
        }
        transaction.commit().await?;
        self.get(row.id).await
    }

    pub async fn get(&self, id: Uuid) -> Result<Study, StoreError> {
        let row = study::Entity::find_by_id(id).one(self.0.database()).await?;
        read(self.0.database(), row.ok_or_else(|| StoreError::not_found(Kind::Study, id))?).await
    }

    /// The studies of a search, newest first.
    pub async fn list(&self, search_id: Uuid, page: &PageRequest) -> Result<Page<Study>, StoreError> {
        let known = search::Entity::find_by_id(search_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;
        let mut query = study::Entity::find()
            .filter(study::Column::SearchId.eq(search_id))
            .order_by_desc(study::Column::Id)
            .limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(study::Column::Id.lt(id));
        }
        let mut studies = Vec::new();
        for row in query.all(self.0.database()).await? {
            studies.push(read(self.0.database(), row).await?);
        }
        Ok(Page::cut(studies, page.limit(), |study: &Study| study.id.to_string()))
    }

    /// Its candidates with the fine-tunings that have succeeded, in order of index.
    pub async fn studied(&self, id: Uuid) -> Result<Vec<Studied>, StoreError> {
        let row = study::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Study, id))?;
        let succeeded = tuning::Entity::find()
            .filter(tuning::Column::StudyId.eq(id))
            .filter(tuning::Column::State.eq(TuningState::Succeeded))
            .order_by_asc(tuning::Column::Id)
            .all(self.0.database())
            .await?;
        let mut tunings: BTreeMap<Uuid, Vec<StudiedTuning>> = BTreeMap::new();
        for row in succeeded {
            let (candidate_id, tuning) = (row.candidate_id, self.studied_tuning(row.try_into()?).await?);
            tunings.entry(candidate_id).or_default().extend(tuning);
        }
        let of_study = tuning::Entity::find().filter(tuning::Column::StudyId.eq(id));
        let of_study = of_study.select_only().column(tuning::Column::CandidateId).into_query();
        let rows = candidate::Entity::find()
            .filter(candidate::Column::Id.in_subquery(of_study))
            .order_by_asc(candidate::Column::Index)
            .all(self.0.database())
            .await?;
        let candidates = candidates::read(self.0.database(), rows).await?;
        let studied = candidates.into_iter().filter_map(|candidate| {
            let tunings = tunings.remove(&candidate.id)?;
            Some(Studied { candidate, tunings })
        });
        Ok(studied.collect())
    }

    /// What is needed of a fine-tuning that has succeeded. A result of an older version does not have its epochs.
    async fn studied_tuning(&self, tuning: Tuning) -> Result<Option<StudiedTuning>, StoreError> {
        let Some(mut result) = tuning.result else { return Ok(None) };
        if result.by_epoch.is_empty() {
            let epochs = self.0.tunings().epochs(tuning.id).await?;
            result.by_epoch = epochs.iter().map(|epoch| epoch.validation.top1).collect();
            result.seconds = epochs.last().map(|epoch| epoch.seconds);
        }
        Ok(Some(StudiedTuning { seed: tuning.request.seed, result }))
    }

    /// Cancels the tunings that have not ended: at once, and those that are running by their workers' next heartbeats. What they
    /// have done stays, and [`Self::retry`] goes on with it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where all have ended.
    pub async fn cancel(&self, id: Uuid) -> Result<Study, StoreError> {
        let study = self.get(id).await?;
        if study.state() == TuningState::Cancelled {
            return Ok(study);
        }
        for tuning in self.at_work(id, "cancelled").await? {
            or_overtaken(self.0.tunings().cancel(tuning).await)?;
        }
        self.get(id).await
    }

    /// Pauses the tunings that have not ended: at once, and those that are running by their workers' next heartbeats.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where all have ended.
    pub async fn pause(&self, id: Uuid) -> Result<Study, StoreError> {
        for tuning in self.at_work(id, "paused").await? {
            or_overtaken(self.0.tunings().pause(tuning).await)?;
        }
        self.get(id).await
    }

    /// Queues the tunings again that have failed, were cancelled or are paused.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where there are none.
    pub async fn retry(&self, id: Uuid) -> Result<Study, StoreError> {
        let study = self.get(id).await?;
        let has_stopped =
            |m: &&StudyMember| matches!(m.state, TuningState::Failed | TuningState::Cancelled | TuningState::Paused);
        let stopped: Vec<Uuid> = study.members.iter().filter(has_stopped).map(|member| member.tuning_id).collect();
        if stopped.is_empty() {
            let reason = "has no fine-tuning that has failed, was cancelled or is paused".to_owned();
            return Err(StoreError::Conflict { kind: Kind::Study, id, reason });
        }
        for tuning in stopped {
            or_overtaken(self.0.tunings().retry(tuning).await)?;
        }
        self.get(id).await
    }

    /// The tunings that have not ended; `wish` completes "can no longer be".
    async fn at_work(&self, id: Uuid, wish: &str) -> Result<Vec<Uuid>, StoreError> {
        let members = self.get(id).await?.members;
        let at_work: Vec<Uuid> = members.iter().filter(|m| !m.state.is_final()).map(|m| m.tuning_id).collect();
        if at_work.is_empty() {
            let reason = format!("has ended and can no longer be {wish}");
            return Err(StoreError::Conflict { kind: Kind::Study, id, reason });
        }
        Ok(at_work)
    }
}

fn unreadable(error: &StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::Study, column: "request", reason: error.to_string() }
}

async fn members<C: ConnectionTrait>(connection: &C, id: Uuid) -> Result<Vec<tuning::Model>, StoreError> {
    let rows = tuning::Entity::find().filter(tuning::Column::StudyId.eq(id)).order_by_asc(tuning::Column::Id);
    Ok(rows.all(connection).await?)
}

async fn read<C: ConnectionTrait>(connection: &C, row: study::Model) -> Result<Study, StoreError> {
    let request = StudyRequest::from_stored(row.request).map_err(|error| unreadable(&error))?;
    let rows = members(connection, row.id).await?;
    let indices: Vec<(Uuid, i32)> = candidate::Entity::find()
        .select_only()
        .columns([candidate::Column::Id, candidate::Column::Index])
        .filter(candidate::Column::Id.is_in(rows.iter().map(|row| row.candidate_id)))
        .into_tuple()
        .all(connection)
        .await?;
    let indices: BTreeMap<Uuid, i32> = indices.into_iter().collect();
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        let tuning = Tuning::try_from(row)?;
        // It was deleted since the tunings were read.
        let Some(&index) = indices.get(&tuning.candidate_id) else { continue };
        members.push(StudyMember {
            tuning_id: tuning.id,
            candidate_id: tuning.candidate_id,
            index: from_sql(Kind::Candidate, "index", index)?,
            seed: tuning.request.seed,
            state: tuning.state,
            error: tuning.error,
            waiting_for: tuning.waiting_for,
            started_at: tuning.started_at,
            finished_at: tuning.finished_at,
        });
    }
    let place = |seed: u64| request.seeds.iter().position(|known| *known == seed);
    members.sort_by_key(|member| (member.index, place(member.seed)));
    Ok(Study { id: row.id, search_id: row.search_id, request, members, created_at: row.created_at })
}

//! Tuning races: the best candidates of a search share a budget of epochs. How one goes on is in [`crate::settling`].

use chrono::{DateTime, Utc};
use eagleeye_spec::{Score, TuningRaceRequest, TuningRung};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::entities::RunState as RaceState;
use crate::entities::{candidate, search, tuning_race};
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::number::from_sql;
use crate::ordering::best_of;
use crate::page::{Page, PageRequest};
use crate::searches::held_succeeded;
use crate::settling::{abandon, pause_at, request_of, unreadable};
use crate::standings::{Standing, standings};
use crate::store::Store;
use crate::tunings::{Membership, TuningState, create_in, or_overtaken};

/// Several candidates that are trained further, of whom one wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TuningRace {
    pub id: Uuid,
    pub search_id: Uuid,
    pub state: RaceState,
    pub request: TuningRaceRequest,
    pub rungs: Vec<TuningRung>,
    /// Best first.
    pub members: Vec<RaceMember>,
    /// The tuning that has won, once the race has succeeded.
    pub winner_id: Option<Uuid>,
    /// Why it failed.
    pub error: Option<String>,
    /// Grows with every change of the race, but not with those of its tunings.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// A candidate in a race.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RaceMember {
    pub tuning_id: Uuid,
    pub candidate_id: Uuid,
    /// The candidate's number in its search.
    pub index: u32,
    /// The tuning's.
    pub state: TuningState,
    /// The last rung that it is or was in, from 0.
    pub rung: u32,
    /// Epochs that it was trained for in the race.
    pub epochs: u32,
    /// After the last of these, on the validation images.
    pub validation: Option<Score>,
    /// Whether it can no longer win.
    pub is_out: bool,
}

/// The tuning races of a store.
#[derive(Debug, Clone, Copy)]
pub struct TuningRaces<'a>(pub(crate) &'a Store);

impl Store {
    pub fn tuning_races(&self) -> TuningRaces<'_> {
        TuningRaces(self)
    }
}

impl TuningRaces<'_> {
    /// Creates a race of the best candidates for a budget, with a tuning and a job for each.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the search has not succeeded; [`StoreError::NoSuchBudget`],
    /// [`StoreError::TooFewCandidates`] and [`StoreError::TooFewEpochs`] where it or the request is too small.
    pub async fn create(&self, search_id: Uuid, request: &TuningRaceRequest) -> Result<TuningRace, StoreError> {
        if let Some(least) = request.missing_epochs() {
            let TuningRaceRequest { epochs, candidates, .. } = *request;
            return Err(StoreError::TooFewEpochs { epochs, candidates, least });
        }
        let transaction = self.0.begin().await?;
        let candidates = contestants(&transaction, search_id, request).await?;
        let now = self.0.clock().now();
        let row = tuning_race::ActiveModel {
            id: Set(Uuid::now_v7()),
            search_id: Set(search_id),
            state: Set(RaceState::Queued),
            request: Set(request.to_stored().map_err(|error| unreadable(&error))?),
            revision: Set(1),
            created_at: Set(now),
            ..Default::default()
        };
        let row = row.insert(&transaction).await?;
        tell(&transaction, EventKind::RaceCreated, row.id, now).await?;
        let (options, pause_at) = (request.member_options(), pause_at(&request.rungs(), 0)?);
        for candidate in candidates {
            let membership = Membership::Race { race_id: row.id, pause_at };
            create_in(self.0, &transaction, &candidate, &options, Some(membership)).await?;
        }
        transaction.commit().await?;
        self.get(row.id).await
    }

    pub async fn get(&self, id: Uuid) -> Result<TuningRace, StoreError> {
        let row = tuning_race::Entity::find_by_id(id).one(self.0.database()).await?;
        read(self.0.database(), row.ok_or_else(|| StoreError::not_found(Kind::TuningRace, id))?).await
    }

    /// The races of a search, newest first.
    pub async fn list(&self, search_id: Uuid, page: &PageRequest) -> Result<Page<TuningRace>, StoreError> {
        let known = search::Entity::find_by_id(search_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;
        let mut query = tuning_race::Entity::find()
            .filter(tuning_race::Column::SearchId.eq(search_id))
            .order_by_desc(tuning_race::Column::Id)
            .limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(tuning_race::Column::Id.lt(id));
        }
        let mut races = Vec::new();
        for row in query.all(self.0.database()).await? {
            races.push(read(self.0.database(), row).await?);
        }
        Ok(Page::cut(races, page.limit(), |race: &TuningRace| race.id.to_string()))
    }

    /// Cancels a race and the tunings in it that have not ended: at once, and those that are running by their workers' next
    /// heartbeats. Tunings that were taken up again outside of it go on. One that was cancelled before is returned as it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it has succeeded or failed.
    pub async fn cancel(&self, id: Uuid) -> Result<TuningRace, StoreError> {
        let ended = match self.abandon(id).await? {
            RaceState::Succeeded => Some("has succeeded"),
            RaceState::Failed => Some("has failed"),
            RaceState::Queued | RaceState::Running | RaceState::Paused | RaceState::Cancelled => None,
        };
        if let Some(how) = ended {
            let reason = format!("{how} and can no longer be cancelled");
            return Err(StoreError::Conflict { kind: Kind::TuningRace, id, reason });
        }
        let at_work = |member: &RaceMember| !member.is_out && !member.state.is_final();
        for member in self.get(id).await?.members.into_iter().filter(at_work) {
            or_overtaken(self.0.tunings().cancel(member.tuning_id).await)?;
        }
        self.get(id).await
    }

    /// Ends a race, so that none of its tunings waits for others; the state that it then has.
    pub(crate) async fn abandon(&self, id: Uuid) -> Result<RaceState, StoreError> {
        let transaction = self.0.begin().await?;
        let state = abandon(&transaction, id, self.0.clock().now()).await?;
        transaction.commit().await?;
        Ok(state)
    }
}

/// The races of a search that have not ended.
pub(crate) async fn unfinished<C: ConnectionTrait>(connection: &C, search_id: Uuid) -> Result<Vec<Uuid>, StoreError> {
    let query = tuning_race::Entity::find().select_only().column(tuning_race::Column::Id);
    let query = query
        .filter(tuning_race::Column::SearchId.eq(search_id))
        .filter(tuning_race::Column::State.is_in([RaceState::Queued, RaceState::Running]));
    Ok(query.into_tuple().all(connection).await?)
}

/// The candidates that take part, best first, of a search that cannot be deleted before the transaction ends.
async fn contestants(
    transaction: &DatabaseTransaction,
    search_id: Uuid,
    request: &TuningRaceRequest,
) -> Result<Vec<candidate::Model>, StoreError> {
    let search = held_succeeded(transaction, search_id, "its candidates can be tuned in a race when it has").await?;
    let (budget, budgets) = (request.budget, search.request.budgets().len() as u64);
    if u64::from(budget) >= budgets {
        return Err(StoreError::NoSuchBudget { budget, budgets });
    }
    let wanted = request.candidates;
    let candidates = best_of(transaction, search_id, budget, wanted).await?;
    let found = candidates.len() as u64;
    if found < u64::from(wanted) {
        return Err(StoreError::TooFewCandidates { budget, found, wanted });
    }
    Ok(candidates)
}

async fn read<C: ConnectionTrait>(connection: &C, row: tuning_race::Model) -> Result<TuningRace, StoreError> {
    let request = request_of(&row)?;
    let rungs = request.rungs();
    let standings = standings(connection, row.id, &rungs).await?;
    let ids = standings.iter().map(|standing| standing.row.candidate_id);
    let indices: Vec<(Uuid, i32)> = candidate::Entity::find()
        .select_only()
        .columns([candidate::Column::Id, candidate::Column::Index])
        .filter(candidate::Column::Id.is_in(ids))
        .into_tuple()
        .all(connection)
        .await?;
    let mut members = Vec::with_capacity(standings.len());
    for standing in standings {
        let index = indices.iter().find(|(id, _)| *id == standing.row.candidate_id);
        // It was deleted since the tunings were read.
        let Some((_, index)) = index else { continue };
        members.push(member(standing, from_sql(Kind::Candidate, "index", *index)?));
    }
    Ok(TuningRace {
        id: row.id,
        search_id: row.search_id,
        state: row.state,
        request,
        rungs,
        members,
        winner_id: row.winner_id,
        error: row.error,
        revision: row.revision,
        created_at: row.created_at,
        started_at: row.started_at,
        finished_at: row.finished_at,
    })
}

fn member(standing: Standing, index: u32) -> RaceMember {
    let is_out = standing.is_out();
    let Standing { row, rung, epochs, validation } = standing;
    let (tuning_id, candidate_id, state) = (row.id, row.candidate_id, row.state);
    RaceMember { tuning_id, candidate_id, index, state, rung, epochs, validation, is_out }
}

//! Evaluated strategies of a search.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, Utc};
use eagleeye_spec::{
    Evaluation, GroupKeep, Hits, Latency, Origin, RANKED_IMAGES, RANKED_KIND, Score, StrategyName, evaluation_of,
    score_of, tied,
};
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QueryOrder};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{candidate, recipe};
use crate::error::{Kind, StoreError};
use crate::evaluations;
use crate::number::{from_json, from_sql};
use crate::ordering::best;
use crate::queue::of_subject;
use crate::searches::SEARCH_JOB;
use crate::store::Store;

/// What a worker reports; the rest of a [`Candidate`] is the store's.
pub type NewCandidate = eagleeye_spec::Candidate;

/// One evaluated strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: Uuid,
    pub search_id: Uuid,
    /// Its number in the search, from 0, in the order of evaluation.
    pub index: u32,
    pub origin: Origin,
    /// Units kept of each prunable group, in the graph's order.
    pub strategy: Vec<u32>,
    /// The same with names and sizes.
    pub groups: Vec<GroupKeep>,
    pub macs: u64,
    pub parameters: u64,
    pub bytes: Option<u64>,
    /// The score that it is ranked by, which is one of its evaluations.
    pub score: Score,
    /// In the order of their kinds, sets and numbers of images.
    pub evaluations: Vec<Evaluation>,
    /// Whether it cannot be told from the best of its budget, by the images that both were scored on; `None` where that is not
    /// known.
    pub is_tied: Option<bool>,
    /// How long it takes, where that was measured.
    pub latencies: Vec<Latency>,
    /// Time that its first evaluation took, of all kinds.
    pub seconds: f64,
    /// The search's revision when this was stored.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
}

impl From<Candidate> for NewCandidate {
    fn from(candidate: Candidate) -> Self {
        Self {
            index: candidate.index,
            origin: candidate.origin,
            strategy: candidate.strategy,
            groups: candidate.groups,
            macs: candidate.macs,
            parameters: candidate.parameters,
            bytes: candidate.bytes,
            evaluations: candidate.evaluations,
            seconds: candidate.seconds,
        }
    }
}

/// The candidates of a store.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a>(pub(crate) &'a Store);

impl Store {
    pub fn candidates(&self) -> Candidates<'_> {
        Candidates(self)
    }
}

impl Candidates<'_> {
    pub async fn get(&self, id: Uuid) -> Result<Candidate, StoreError> {
        let rows = candidate::Entity::find_by_id(id).all(self.0.database()).await?;
        let found = read(self.0.database(), rows).await?;
        found.into_iter().next().ok_or_else(|| StoreError::not_found(Kind::Candidate, id))
    }

    /// By what it can be made again without images, where a search has stored that.
    pub async fn recipe(&self, id: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(recipe::Entity::find_by_id(id).one(self.0.database()).await?.map(|row| row.content))
    }

    /// All candidates of a search in order of index.
    pub async fn all(&self, search_id: Uuid) -> Result<Vec<Candidate>, StoreError> {
        let rows = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(search_id))
            .order_by_asc(candidate::Column::Index)
            .all(self.0.database())
            .await?;
        read(self.0.database(), rows).await
    }

    /// The candidates that are stored already, in order of index: what a worker that takes a search over need not evaluate.
    pub async fn evaluated(&self, search_id: Uuid) -> Result<Vec<NewCandidate>, StoreError> {
        Ok(self.all(search_id).await?.into_iter().map(NewCandidate::from).collect())
    }
}

/// A candidate whose search cannot be deleted before the transaction ends, so that what is added to it does not outlive it.
pub(crate) async fn held(transaction: &DatabaseTransaction, id: Uuid) -> Result<candidate::Model, StoreError> {
    let missing = || StoreError::not_found(Kind::Candidate, id);
    let found = candidate::Entity::find_by_id(id).one(transaction).await?.ok_or_else(missing)?;
    of_subject(transaction, SEARCH_JOB, found.search_id).await?.ok_or_else(missing)?;
    // It may have been deleted while that was waited for.
    candidate::Entity::find_by_id(id).one(transaction).await?.ok_or_else(missing)
}

/// The candidates of these rows, in their order. One that was deleted since its row was read is left out.
pub(crate) async fn read<C: ConnectionTrait>(
    connection: &C,
    rows: Vec<candidate::Model>,
) -> Result<Vec<Candidate>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut evaluations = evaluations::of(connection, &ids).await?;
    let found = rows.into_iter().filter_map(|row| evaluations.remove(&row.id).map(|evaluated| (row, evaluated)));
    let mut candidates = found.map(|(row, evaluated)| from_row(row, evaluated)).collect::<Result<Vec<_>, _>>()?;
    mark_ties(connection, &mut candidates).await?;
    Ok(candidates)
}

/// Says of each candidate whether it is tied with the best of its budget.
async fn mark_ties<C: ConnectionTrait>(connection: &C, candidates: &mut [Candidate]) -> Result<(), StoreError> {
    let mut best_hits: BTreeMap<(Uuid, Option<u32>), Option<Hits>> = BTreeMap::new();
    for candidate in candidates.iter_mut().filter(|candidate| !candidate.origin.is_probe) {
        let place = (candidate.search_id, candidate.origin.budget);
        let best = match best_hits.entry(place) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(unknown) => unknown.insert(hits_of_best(connection, place).await?),
        };
        if let (Some(best), Some(own)) = (&*best, ranked_hits(&candidate.evaluations)) {
            candidate.is_tied = Some(tied(best, own));
        }
    }
    Ok(())
}

/// What the best candidate of a budget has classified correctly.
async fn hits_of_best<C: ConnectionTrait>(
    connection: &C,
    (search_id, budget): (Uuid, Option<u32>),
) -> Result<Option<Hits>, StoreError> {
    let Some(best) = best(connection, search_id, budget).await? else { return Ok(None) };
    let evaluations = evaluations::of(connection, &[best.id]).await?;
    Ok(evaluations.get(&best.id).and_then(|evaluations| ranked_hits(evaluations).cloned()))
}

fn ranked_hits(evaluations: &[Evaluation]) -> Option<&Hits> {
    evaluation_of(evaluations, RANKED_KIND, RANKED_IMAGES)?.hits.as_ref()
}

fn from_row(row: candidate::Model, evaluations: Vec<Evaluation>) -> Result<Candidate, StoreError> {
    let kind = Kind::Candidate;
    Ok(Candidate {
        id: row.id,
        search_id: row.search_id,
        index: from_sql(kind, "index", row.index)?,
        strategy: from_json(kind, "strategy", row.strategy)?,
        groups: from_json(kind, "groups", row.groups)?,
        origin: Origin {
            strategy: StrategyName(row.proposer),
            budget: row.budget.map(|budget| from_sql(kind, "budget", budget)).transpose()?,
            number: from_sql(kind, "number", row.number)?,
            is_probe: row.is_probe,
        },
        macs: from_sql(kind, "macs", row.macs)?,
        parameters: from_sql(kind, "parameters", row.parameters)?,
        bytes: row.bytes.map(|bytes| from_sql(kind, "bytes", bytes)).transpose()?,
        latencies: row.latencies.map_or(Ok(Vec::new()), |latencies| from_json(kind, "latencies", latencies))?,
        is_tied: None,
        score: score_of(&evaluations, RANKED_KIND, RANKED_IMAGES).ok_or_else(unranked)?,
        evaluations,
        seconds: row.seconds,
        revision: row.revision,
        created_at: row.created_at,
    })
}

pub(crate) fn unranked() -> StoreError {
    let (kind, images) = (RANKED_KIND.name(), RANKED_IMAGES.name());
    let reason = format!("the evaluation by which candidates are ranked is missing: kind `{kind}`, images `{images}`");
    StoreError::Corrupt { kind: Kind::Candidate, column: "evaluations", reason }
}

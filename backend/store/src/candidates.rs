//! Evaluated strategies of a search.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use eagleeye_spec::{Evaluation, GroupKeep, RANKED_IMAGES, RANKED_KIND, Score, score_of};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, JoinType, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{candidate, evaluation};
use crate::error::{Kind, StoreError};
use crate::evaluations;
use crate::number::{from_json, from_sql};
use crate::store::Store;

/// What a worker reports; the rest of a [`Candidate`] is the store's.
pub type NewCandidate = eagleeye_spec::Candidate;

/// One evaluated strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: Uuid,
    pub search_id: Uuid,
    /// Which draw of the search it is, from 0.
    pub index: u32,
    /// Units kept of each prunable group, in the graph's order.
    pub strategy: Vec<u32>,
    /// The same with names and sizes.
    pub groups: Vec<GroupKeep>,
    pub macs: u64,
    pub parameters: u64,
    /// The score that it is ranked by, which is one of its evaluations.
    pub score: Score,
    /// In the order of their kinds and sets of images.
    pub evaluations: Vec<Evaluation>,
    /// Time that all of it took.
    pub seconds: f64,
    /// The search's revision when this was stored.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
}

/// A strategy that was evaluated, and how well it did.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStrategy {
    /// Units kept of each prunable group.
    pub keep: Vec<u32>,
    /// The score that it is ranked by.
    pub score: Score,
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

    /// All candidates of a search in order of index.
    pub async fn all(&self, search_id: Uuid) -> Result<Vec<Candidate>, StoreError> {
        let rows = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(search_id))
            .order_by_asc(candidate::Column::Index)
            .all(self.0.database())
            .await?;
        read(self.0.database(), rows).await
    }

    /// The candidates that are stored already, by index: what a worker that takes a search over need not evaluate.
    pub async fn evaluated(&self, search_id: Uuid) -> Result<BTreeMap<u32, StoredStrategy>, StoreError> {
        let rows: Vec<(i32, sea_orm::JsonValue, f64, f64, Option<f64>)> = candidate::Entity::find()
            .join(JoinType::InnerJoin, evaluations::of_candidate())
            .select_only()
            .column(candidate::Column::Index)
            .column(candidate::Column::Strategy)
            .column(evaluation::Column::Top1)
            .column(evaluation::Column::Top5)
            .column(evaluation::Column::CrossEntropy)
            .filter(candidate::Column::SearchId.eq(search_id))
            .filter(evaluations::is_ranked())
            .into_tuple()
            .all(self.0.database())
            .await?;
        let each = rows.into_iter().map(|(index, strategy, top1, top5, cross_entropy)| {
            let keep = from_json(Kind::Candidate, "strategy", strategy)?;
            let score = Score { top1, top5, cross_entropy };
            Ok((from_sql(Kind::Candidate, "index", index)?, StoredStrategy { keep, score }))
        });
        each.collect()
    }
}

/// The candidates of these rows, in their order. One that was deleted since its row was read is left out.
pub(crate) async fn read<C: ConnectionTrait>(
    connection: &C,
    rows: Vec<candidate::Model>,
) -> Result<Vec<Candidate>, StoreError> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut evaluations = evaluations::of(connection, &ids).await?;
    let found = rows.into_iter().filter_map(|row| evaluations.remove(&row.id).map(|evaluated| (row, evaluated)));
    found.map(|(row, evaluated)| from_row(row, evaluated)).collect()
}

fn from_row(row: candidate::Model, evaluations: Vec<Evaluation>) -> Result<Candidate, StoreError> {
    let kind = Kind::Candidate;
    Ok(Candidate {
        id: row.id,
        search_id: row.search_id,
        index: from_sql(kind, "index", row.index)?,
        strategy: from_json(kind, "strategy", row.strategy)?,
        groups: from_json(kind, "groups", row.groups)?,
        macs: from_sql(kind, "macs", row.macs)?,
        parameters: from_sql(kind, "parameters", row.parameters)?,
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

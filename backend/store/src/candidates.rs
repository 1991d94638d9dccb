//! Evaluated strategies of a search.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, EntityTrait, Order, QueryFilter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{candidate, search};
use crate::error::{Kind, StoreError};
use crate::number::{from_json, from_sql};
use crate::page::{Page, PageRequest};
use crate::store::Store;

/// How well a network does on the scoring images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Share of images whose first guess is right, 0 to 1.
    pub top1: f64,
    /// Share of images whose first five guesses hold the right class, 0 to 1.
    pub top5: f64,
    /// Mean, in nats; absent when it is not a finite number, as with statistics that do not fit the pruned network.
    pub cross_entropy: Option<f64>,
}

impl Score {
    pub fn new(top1: f64, top5: f64, cross_entropy: f64) -> Self {
        Score { top1, top5, cross_entropy: Some(cross_entropy).filter(|value| value.is_finite()) }
    }
}

/// How much of a channel group is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupKeep {
    pub group: String,
    pub size: u32,
    pub kept: u32,
}

/// One evaluated strategy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub id: Uuid,
    pub search_id: Uuid,
    /// Which draw of the search it is, from 0.
    pub index: u32,
    /// Units kept of each prunable group, in the graph's order.
    pub strategy: Vec<u32>,
    pub keep_ratios: Vec<GroupKeep>,
    pub macs: u64,
    pub parameters: u64,
    /// With adapted batch norm statistics.
    pub score: Score,
    /// With the statistics of the full network.
    pub score_without_adaptation: Option<Score>,
    /// Time the evaluation took.
    pub seconds: f64,
    /// The search's revision when this was stored.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
}

/// What a worker reports; the rest of a [`Candidate`] is the store's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewCandidate {
    pub index: u32,
    pub strategy: Vec<u32>,
    pub keep_ratios: Vec<GroupKeep>,
    pub macs: u64,
    pub parameters: u64,
    pub score: Score,
    pub score_without_adaptation: Option<Score>,
    pub seconds: f64,
}

/// A strategy that was evaluated, and how well it did.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStrategy {
    /// Units kept of each prunable group.
    pub keep: Vec<u32>,
    /// With adapted statistics.
    pub top1: f64,
}

/// What a list of candidates can be ordered by. Ties go by index, so the order is always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    Index,
    Top1,
    Top5,
    CrossEntropy,
    Macs,
    Parameters,
    Seconds,
}

/// The order of a list of candidates; parsed from a key's name, with `-` in front for descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateSort {
    pub key: SortKey,
    pub descending: bool,
}

impl CandidateSort {
    pub const INDEX: CandidateSort = CandidateSort { key: SortKey::Index, descending: false };
    pub const BEST_FIRST: CandidateSort = CandidateSort { key: SortKey::Top1, descending: true };
}

impl FromStr for CandidateSort {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let key = match name {
            "index" => SortKey::Index,
            "top1" => SortKey::Top1,
            "top5" => SortKey::Top5,
            "cross_entropy" => SortKey::CrossEntropy,
            "macs" => SortKey::Macs,
            "parameters" => SortKey::Parameters,
            "seconds" => SortKey::Seconds,
            _ => return Err(StoreError::BadSort { sort: text.to_string() }),
        };
        Ok(CandidateSort { key, descending })
    }
}

/// The candidates of a store.
#[derive(Debug, Clone, Copy)]
pub struct Candidates<'a>(&'a Store);

impl Store {
    pub fn candidates(&self) -> Candidates<'_> {
        Candidates(self)
    }
}

impl Candidates<'_> {
    pub async fn get(&self, id: Uuid) -> Result<Candidate, StoreError> {
        let row = candidate::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Candidate, id))?.try_into()
    }

    /// One page of a search's candidates. A cursor is good for the order it was made with.
    pub async fn list(
        &self,
        search_id: Uuid,
        sort: CandidateSort,
        page: &PageRequest,
    ) -> Result<Page<Candidate>, StoreError> {
        let known = search::Entity::find_by_id(search_id).one(self.0.database()).await?;
        known.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;

        let order = if sort.descending { Order::Desc } else { Order::Asc };
        let mut query = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(search_id))
            .order_by(sort.key.expression(), order)
            .order_by_asc(candidate::Column::Index)
            .limit(page.limit() + 1);
        if let Some(cursor) = &page.cursor {
            query = query.filter(after(sort, cursor)?);
        }
        let rows = query.all(self.0.database()).await?;
        let candidates = rows.into_iter().map(Candidate::try_from).collect::<Result<_, _>>()?;
        Ok(Page::cut(candidates, page.limit(), |last| cursor_of(sort.key, last)))
    }

    /// All candidates of a search in order of index.
    pub async fn all(&self, search_id: Uuid) -> Result<Vec<Candidate>, StoreError> {
        let rows = candidate::Entity::find()
            .filter(candidate::Column::SearchId.eq(search_id))
            .order_by_asc(candidate::Column::Index)
            .all(self.0.database())
            .await?;
        rows.into_iter().map(Candidate::try_from).collect()
    }

    /// The candidates that are stored already, by index: what a worker that takes a search over need not evaluate.
    pub async fn evaluated(&self, search_id: Uuid) -> Result<BTreeMap<u32, StoredStrategy>, StoreError> {
        let rows: Vec<(i32, sea_orm::JsonValue, f64)> = candidate::Entity::find()
            .select_only()
            .column(candidate::Column::Index)
            .column(candidate::Column::Strategy)
            .column(candidate::Column::Top1)
            .filter(candidate::Column::SearchId.eq(search_id))
            .into_tuple()
            .all(self.0.database())
            .await?;
        let each = rows.into_iter().map(|(index, strategy, top1)| {
            let keep = from_json(Kind::Candidate, "strategy", strategy)?;
            Ok((from_sql(Kind::Candidate, "index", index)?, StoredStrategy { keep, top1 }))
        });
        each.collect()
    }
}

/// The winner: highest top-1, then lowest cross-entropy, then lowest index.
pub(crate) async fn best<C: ConnectionTrait>(
    connection: &C,
    search_id: Uuid,
) -> Result<Option<candidate::Model>, StoreError> {
    Ok(candidate::Entity::find()
        .filter(candidate::Column::SearchId.eq(search_id))
        .order_by_desc(candidate::Column::Top1)
        .order_by_asc(SortKey::CrossEntropy.expression())
        .order_by_asc(candidate::Column::Index)
        .one(connection)
        .await?)
}

impl SortKey {
    fn expression(self) -> Expr {
        match self {
            SortKey::Index => Expr::col(candidate::Column::Index),
            SortKey::Top1 => Expr::col(candidate::Column::Top1),
            SortKey::Top5 => Expr::col(candidate::Column::Top5),
            // The databases disagree on where nulls go.
            SortKey::CrossEntropy => {
                Func::coalesce([Expr::col(candidate::Column::CrossEntropy), Expr::val(f64::MAX)]).into()
            }
            SortKey::Macs => Expr::col(candidate::Column::Macs),
            SortKey::Parameters => Expr::col(candidate::Column::Parameters),
            SortKey::Seconds => Expr::col(candidate::Column::Seconds),
        }
    }

    /// The key's value as text that parses back to the same number.
    fn value_of(self, candidate: &Candidate) -> String {
        match self {
            SortKey::Index => candidate.index.to_string(),
            SortKey::Top1 => candidate.score.top1.to_string(),
            SortKey::Top5 => candidate.score.top5.to_string(),
            SortKey::CrossEntropy => candidate.score.cross_entropy.unwrap_or(f64::MAX).to_string(),
            SortKey::Macs => candidate.macs.to_string(),
            SortKey::Parameters => candidate.parameters.to_string(),
            SortKey::Seconds => candidate.seconds.to_string(),
        }
    }

    fn parse(self, text: &str) -> Option<sea_orm::Value> {
        match self {
            SortKey::Index | SortKey::Macs | SortKey::Parameters => text.parse::<i64>().ok().map(Into::into),
            SortKey::Top1 | SortKey::Top5 | SortKey::CrossEntropy | SortKey::Seconds => {
                text.parse::<f64>().ok().map(Into::into)
            }
        }
    }
}

fn cursor_of(key: SortKey, last: &Candidate) -> String {
    format!("{}_{}", key.value_of(last), last.index)
}

fn after(sort: CandidateSort, cursor: &str) -> Result<Condition, StoreError> {
    let bad = || StoreError::BadCursor { cursor: cursor.to_string() };
    let (value, index) = cursor.split_once('_').ok_or_else(bad)?;
    let value = sort.key.parse(value).ok_or_else(bad)?;
    let index: i32 = index.parse().map_err(|_| bad())?;
    let key = sort.key.expression();
    let beyond = if sort.descending { key.clone().lt(value.clone()) } else { key.clone().gt(value.clone()) };
    let tied = Condition::all().add(key.eq(value)).add(candidate::Column::Index.gt(index));
    Ok(Condition::any().add(beyond).add(tied))
}

impl TryFrom<candidate::Model> for Candidate {
    type Error = StoreError;

    fn try_from(row: candidate::Model) -> Result<Self, StoreError> {
        let kind = Kind::Candidate;
        let unadapted = match (row.unadapted_top1, row.unadapted_top5) {
            (Some(top1), Some(top5)) => Some(Score { top1, top5, cross_entropy: row.unadapted_cross_entropy }),
            _ => None,
        };
        Ok(Candidate {
            id: row.id,
            search_id: row.search_id,
            index: from_sql(kind, "index", row.index)?,
            strategy: from_json(kind, "strategy", row.strategy)?,
            keep_ratios: from_json(kind, "keep_ratios", row.keep_ratios)?,
            macs: from_sql(kind, "macs", row.macs)?,
            parameters: from_sql(kind, "parameters", row.parameters)?,
            score: Score { top1: row.top1, top5: row.top5, cross_entropy: row.cross_entropy },
            score_without_adaptation: unadapted,
            seconds: row.seconds,
            revision: row.revision,
            created_at: row.created_at,
        })
    }
}

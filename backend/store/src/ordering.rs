//! In which order candidates are listed, and which of them is best.

use std::str::FromStr;

use eagleeye_spec::{RANKING, RankedBy};
use sea_orm::sea_query::{Expr, ExprTrait, Func};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, JoinType, Order, QueryFilter, QueryOrder, QuerySelect, Select,
};
use uuid::Uuid;

use crate::entities::{candidate, evaluation};
use crate::error::StoreError;
use crate::evaluations;
use crate::number::to_i32;

/// The order of a list of candidates; parsed from a key's name, with `-` in front for descending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CandidateSort {
    key: SortKey,
    descending: bool,
}

/// What a list of candidates can be ordered by. Ties go by index, so the order is always the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SortKey {
    /// All criteria of the ranking.
    Rank,
    By(Measure),
}

/// A number that each candidate has. Scores are those that candidates are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Index,
    Images,
    Top1,
    Top5,
    CrossEntropy,
    Macs,
    Parameters,
    Seconds,
}

/// One of the numbers that an order compares; the next one decides between equals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) measure: Measure,
    descending: bool,
}

impl CandidateSort {
    pub const INDEX: CandidateSort = CandidateSort { key: SortKey::By(Measure::Index), descending: false };
    pub const BEST_FIRST: CandidateSort = CandidateSort { key: SortKey::Rank, descending: false };

    /// The last one is the index, which no two candidates of a search have in common.
    pub(crate) fn terms(self) -> Vec<Term> {
        let CandidateSort { key, descending } = self;
        match key {
            SortKey::Rank => {
                let terms = RANKING.iter().map(|criterion| Term {
                    measure: criterion.by.into(),
                    descending: criterion.descending != descending,
                });
                terms.collect()
            }
            SortKey::By(Measure::Index) => vec![Term { measure: Measure::Index, descending }],
            SortKey::By(measure) => {
                vec![Term { measure, descending }, Term { measure: Measure::Index, descending: false }]
            }
        }
    }
}

impl FromStr for CandidateSort {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let key = match name {
            "rank" => SortKey::Rank,
            "index" => SortKey::By(Measure::Index),
            "images" => SortKey::By(Measure::Images),
            "top1" => SortKey::By(Measure::Top1),
            "top5" => SortKey::By(Measure::Top5),
            "cross_entropy" => SortKey::By(Measure::CrossEntropy),
            "macs" => SortKey::By(Measure::Macs),
            "parameters" => SortKey::By(Measure::Parameters),
            "seconds" => SortKey::By(Measure::Seconds),
            _ => return Err(StoreError::BadSort { sort: text.to_string() }),
        };
        Ok(CandidateSort { key, descending })
    }
}

impl From<RankedBy> for Measure {
    fn from(by: RankedBy) -> Self {
        match by {
            RankedBy::Images => Measure::Images,
            RankedBy::Top1 => Measure::Top1,
            RankedBy::CrossEntropy => Measure::CrossEntropy,
            RankedBy::Index => Measure::Index,
        }
    }
}

/// Which of a search's candidates are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// Those of one strategy.
    pub strategy: Option<String>,
    /// Those for one budget, by its place among the search's.
    pub budget: Option<u32>,
    /// Probes too.
    pub probes: bool,
}

impl Which {
    pub(crate) fn condition(&self) -> Result<Condition, StoreError> {
        let budget = self.budget.map(|budget| to_i32("budget", budget.into())).transpose()?;
        Ok(Condition::all()
            .add_option(self.strategy.as_ref().map(|name| candidate::Column::Proposer.eq(name.as_str())))
            .add_option(budget.map(|budget| candidate::Column::Budget.eq(budget)))
            .add_option((!self.probes).then(|| candidate::Column::IsProbe.eq(false))))
    }
}

/// The winner of a budget, as the ranking has it.
pub(crate) async fn best<C: ConnectionTrait>(
    connection: &C,
    search_id: Uuid,
    budget: Option<u32>,
) -> Result<Option<candidate::Model>, StoreError> {
    let of_budget = match budget {
        Some(budget) => candidate::Column::Budget.eq(to_i32("budget", budget.into())?),
        None => candidate::Column::Budget.is_null(),
    };
    let candidates = ordered(search_id, &CandidateSort::BEST_FIRST.terms());
    let candidates = candidates.filter(candidate::Column::IsProbe.eq(false)).filter(of_budget);
    Ok(candidates.one(connection).await?)
}

/// The best candidates for a budget, as the ranking has them, and no more than `most`.
pub(crate) async fn best_of<C: ConnectionTrait>(
    connection: &C,
    search_id: Uuid,
    budget: u32,
    most: u32,
) -> Result<Vec<candidate::Model>, StoreError> {
    let which = Which { budget: Some(budget), ..Which::default() };
    let candidates = ordered(search_id, &CandidateSort::BEST_FIRST.terms()).filter(which.condition()?);
    Ok(candidates.limit(u64::from(most)).all(connection).await?)
}

/// A search's candidates with the evaluation that they are ranked by, in order.
pub(crate) fn ordered(search_id: Uuid, terms: &[Term]) -> Select<candidate::Entity> {
    let candidates = candidate::Entity::find()
        .join(JoinType::InnerJoin, evaluations::of_candidate())
        .filter(candidate::Column::SearchId.eq(search_id))
        .filter(evaluations::is_ranked());
    terms.iter().fold(candidates, |query, term| {
        query.order_by(term.measure.expression(), if term.descending { Order::Desc } else { Order::Asc })
    })
}

/// What comes after the candidate with these numbers.
pub(crate) fn after(terms: &[Term], cursor: &str) -> Result<Condition, StoreError> {
    let bad = || StoreError::BadCursor { cursor: cursor.to_string() };
    let values: Vec<&str> = cursor.split('_').collect();
    if values.len() != terms.len() {
        return Err(bad());
    }
    let (mut later, mut tied) = (Condition::any(), Condition::all());
    for (Term { measure, descending }, value) in terms.iter().zip(values) {
        let (number, value) = (measure.expression(), measure.parse(value).ok_or_else(bad)?);
        let beyond = if *descending { number.clone().lt(value.clone()) } else { number.clone().gt(value.clone()) };
        later = later.add(tied.clone().add(beyond));
        tied = tied.add(number.eq(value));
    }
    Ok(later)
}

impl Measure {
    fn expression(self) -> Expr {
        match self {
            Measure::Index => Expr::col(candidate::Column::Index.as_column_ref()),
            Measure::Images => Expr::col(evaluation::Column::Images.as_column_ref()),
            Measure::Top1 => Expr::col(evaluation::Column::Top1.as_column_ref()),
            Measure::Top5 => Expr::col(evaluation::Column::Top5.as_column_ref()),
            // The databases disagree on where nulls go.
            Measure::CrossEntropy => {
                let column = Expr::col(evaluation::Column::CrossEntropy.as_column_ref());
                Func::coalesce([column, Expr::val(f64::MAX)]).into()
            }
            Measure::Macs => Expr::col(candidate::Column::Macs.as_column_ref()),
            Measure::Parameters => Expr::col(candidate::Column::Parameters.as_column_ref()),
            Measure::Seconds => Expr::col(candidate::Column::Seconds.as_column_ref()),
        }
    }

    fn parse(self, text: &str) -> Option<sea_orm::Value> {
        match self {
            Measure::Index => text.parse::<i32>().ok().map(Into::into),
            Measure::Images | Measure::Macs | Measure::Parameters => text.parse::<i64>().ok().map(Into::into),
            Measure::Top1 | Measure::Top5 | Measure::CrossEntropy | Measure::Seconds => {
                text.parse::<f64>().ok().map(Into::into)
            }
        }
    }
}

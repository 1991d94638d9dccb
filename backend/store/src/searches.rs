//! Pruning searches. What workers write into them is in [`crate::queue`].

use chrono::{DateTime, Utc};
use eagleeye_spec::summary::ReportedSplit;
use eagleeye_spec::{Baseline, Errors, Intervals, LatencyModel, Score, SearchRequest, StoredError, Warning};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::entities::RunState as SearchState;
use crate::entities::{dataset, model, search, split};
use crate::error::{Kind, StoreError};
use crate::evaluations::hits_of;
use crate::events::{EventKind, tell};
use crate::number::{from_json, from_sql, to_i64, to_json};
use crate::page::{Page, PageRequest};
use crate::queue::{NewJob, Payload, Turn, enqueue_in, of_subject};
use crate::run::{self, QUEUED, run};
use crate::store::Store;
use crate::subject::Progress;

/// Kind of the jobs that do a search, which is their subject.
pub const SEARCH_JOB: &str = "search";

/// Which images of the dataset serve for what; the three lists never overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Split {
    pub calibration: Vec<u32>,
    pub scoring: Vec<u32>,
    pub test: Vec<u32>,
}

/// The best candidate of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Winner {
    /// The budget's place among the search's; `None` for candidates that are for none.
    pub budget: Option<u32>,
    pub candidate_id: Uuid,
}

/// What of a baseline has no columns.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct BaselineDetails {
    pub errors: Errors,
    pub bytes: Option<u64>,
    pub test: Option<Score>,
}

/// One pruning search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    pub id: Uuid,
    pub name: Option<String>,
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    pub state: SearchState,
    pub request: SearchRequest,
    pub progress: Progress,
    pub baseline: Option<Baseline>,
    /// The winner of the first budget; set when the search has succeeded.
    pub best_candidate_id: Option<Uuid>,
    /// The winner of each budget; none before the search has succeeded.
    pub winners: Vec<Winner>,
    pub warnings: Vec<Warning>,
    /// What tells the latency of strategies, once a worker has measured it.
    pub latency_model: Option<LatencyModel>,
    /// How many images are used for what.
    pub split: Option<ReportedSplit>,
    /// Why it failed.
    pub error: Option<String>,
    /// What it has to wait for before it can go on, as a phrase that completes "waiting for".
    pub waiting_for: Option<String>,
    /// Grows with every change of the search or its candidates.
    pub revision: i64,
    pub created_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// The searches of a store.
#[derive(Debug, Clone, Copy)]
pub struct Searches<'a>(pub(crate) &'a Store);

impl Store {
    pub fn searches(&self) -> Searches<'_> {
        Searches(self)
    }
}

impl Searches<'_> {
    /// Creates a search and, in the same transaction, its job.
    pub async fn create(&self, request: SearchRequest) -> Result<Search, StoreError> {
        self.create_warned(request, &[]).await
    }

    /// Creates a search of which something is to be said from the beginning.
    pub async fn create_warned(&self, request: SearchRequest, warnings: &[Warning]) -> Result<Search, StoreError> {
        let transaction = self.0.begin().await?;
        let row = insert_in(self.0, &transaction, request, warnings).await?;
        transaction.commit().await?;
        row.try_into()
    }

    pub async fn get(&self, id: Uuid) -> Result<Search, StoreError> {
        let row = search::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Search, id))?.try_into()
    }

    /// Newest first.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Search>, StoreError> {
        let mut query = search::Entity::find().order_by_desc(search::Column::Id).limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(search::Column::Id.lt(id));
        }
        let rows = query.all(self.0.database()).await?;
        let searches = rows.into_iter().map(Search::try_from).collect::<Result<_, _>>()?;
        Ok(Page::cut(searches, page.limit(), |search: &Search| search.id.to_string()))
    }

    /// The images that the search uses, once a worker has stored them.
    pub async fn split(&self, id: Uuid) -> Result<Option<Split>, StoreError> {
        let Some(row) = split::Entity::find_by_id(id).one(self.0.database()).await? else { return Ok(None) };
        Ok(Some(Split {
            calibration: from_json(Kind::Search, "calibration", row.calibration)?,
            scoring: from_json(Kind::Search, "scoring", row.scoring)?,
            test: from_json(Kind::Search, "test", row.test)?,
        }))
    }

    /// Gives a search another name, or none.
    pub async fn rename(&self, id: Uuid, name: Option<String>) -> Result<Search, StoreError> {
        let transaction = self.0.begin().await?;
        let row = edit(&transaction, id, self.0.clock().now(), |search| search.name = Set(name)).await?;
        transaction.commit().await?;
        row.try_into()
    }
}

/// [`Searches::create_warned`] inside a transaction.
pub(crate) async fn insert_in(
    store: &Store,
    transaction: &DatabaseTransaction,
    request: SearchRequest,
    warnings: &[Warning],
) -> Result<search::Model, StoreError> {
    let found = model::Entity::find_by_id(request.model_id).one(transaction).await?;
    found.ok_or_else(|| StoreError::not_found(Kind::Model, request.model_id))?;
    let found = dataset::Entity::find_by_id(request.dataset_id).one(transaction).await?;
    found.ok_or_else(|| StoreError::not_found(Kind::Dataset, request.dataset_id))?;
    let mut row = new_row(store, request)?;
    row.warnings = Set(Some(to_json(Kind::Search, "warnings", &warnings)?));
    let row = row.insert(transaction).await?;
    tell(transaction, EventKind::SearchCreated, row.id, row.created_at).await?;
    let job = NewJob { kind: SEARCH_JOB, subject: row.id, payload: Payload::empty(), turn: Turn::Next };
    enqueue_in(store, transaction, job).await?;
    Ok(row)
}

fn new_row(store: &Store, request: SearchRequest) -> Result<search::ActiveModel, StoreError> {
    Ok(search::ActiveModel {
        id: Set(Uuid::now_v7()),
        model_id: Set(request.model_id),
        dataset_id: Set(request.dataset_id),
        state: Set(SearchState::Queued),
        request: Set(request.to_stored().map_err(unreadable)?),
        phase: Set(QUEUED.to_owned()),
        done: Set(0),
        total: Set(to_i64("candidates", request.most_candidates())?),
        revision: Set(1),
        created_at: Set(store.clock().now()),
        name: Set(request.name),
        ..Default::default()
    })
}

pub(crate) fn unreadable(error: StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::Search, column: "request", reason: error.to_string() }
}

/// Ids of the searches whose `column` is `id`, oldest first.
pub(crate) async fn searches_with<C: ConnectionTrait>(
    connection: &C,
    column: search::Column,
    id: Uuid,
) -> Result<Vec<Uuid>, StoreError> {
    let query = search::Entity::find().select_only().column(search::Column::Id).filter(column.eq(id));
    Ok(query.order_by_asc(search::Column::Id).into_tuple().all(connection).await?)
}

/// A search that has succeeded, and that cannot be deleted before the transaction ends. `until` completes "has not succeeded; ".
///
/// # Errors
/// [`StoreError::NotFound`], and [`StoreError::Conflict`] where it has not succeeded.
pub(crate) async fn held_succeeded(
    transaction: &DatabaseTransaction,
    id: Uuid,
    until: &str,
) -> Result<Search, StoreError> {
    let missing = || StoreError::not_found(Kind::Search, id);
    of_subject(transaction, SEARCH_JOB, id).await?.ok_or_else(missing)?;
    let row = search::Entity::find_by_id(id).one(transaction).await?;
    let search: Search = row.ok_or_else(missing)?.try_into()?;
    if search.state != SearchState::Succeeded {
        let reason = format!("has not succeeded; {until}");
        return Err(StoreError::Conflict { kind: Kind::Search, id, reason });
    }
    Ok(search)
}

run!(search, Kind::Search, SEARCH_JOB, EventKind::SearchChanged, EventKind::SearchEnded);

/// [`run::edit`] of a search.
pub(crate) async fn edit(
    transaction: &DatabaseTransaction,
    id: Uuid,
    now: DateTime<Utc>,
    change: impl FnOnce(&mut search::ActiveModel),
) -> Result<search::Model, StoreError> {
    run::edit(transaction, id, now, change).await
}

impl TryFrom<search::Model> for Search {
    type Error = StoreError;

    fn try_from(row: search::Model) -> Result<Self, StoreError> {
        let kind = Kind::Search;
        let request =
            SearchRequest::from_stored(row.request.clone(), row.model_id, row.dataset_id).map_err(unreadable)?;
        Ok(Search {
            id: row.id,
            baseline: baseline(&row)?,
            split: split_counts(&row, &request)?,
            request,
            name: row.name,
            model_id: row.model_id,
            dataset_id: row.dataset_id,
            state: row.state,
            progress: Progress {
                phase: row.phase,
                done: from_sql(kind, "done", row.done)?,
                total: from_sql(kind, "total", row.total)?,
            },
            best_candidate_id: row.best_candidate_id,
            winners: match row.winners {
                Some(winners) => from_json(kind, "winners", winners)?,
                // Searches of the time before there were several budgets have one.
                None => row
                    .best_candidate_id
                    .map(|candidate_id| Winner { budget: Some(0), candidate_id })
                    .into_iter()
                    .collect(),
            },
            warnings: row.warnings.map_or(Ok(Vec::new()), |warnings| from_json(kind, "warnings", warnings))?,
            latency_model: row.latency_model.map(|model| from_json(kind, "latency_model", model)).transpose()?,
            error: row.error,
            waiting_for: row.waiting_for,
            revision: row.revision,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
        })
    }
}

fn baseline(row: &search::Model) -> Result<Option<Baseline>, StoreError> {
    let (Some(top1), Some(top5), Some(macs), Some(parameters)) =
        (row.baseline_top1, row.baseline_top5, row.baseline_macs, row.baseline_parameters)
    else {
        return Ok(None);
    };
    let kind = Kind::Search;
    let details =
        row.baseline_details.clone().map(|details| from_json(kind, "baseline_details", details)).transpose()?;
    // A network agrees with itself; earlier versions did not ask.
    let (agreement, kl) = if details.is_some() { (Some(1.0), Some(0.0)) } else { (None, None) };
    let BaselineDetails { errors, bytes, test } = details.unwrap_or_default();
    let score = Score { top1, top5, cross_entropy: row.baseline_cross_entropy, agreement, kl, errors };
    let images: Option<u64> = row.split_scoring.map(|images| from_sql(kind, "split_scoring", images)).transpose()?;
    let hits = row.baseline_hits.clone().zip(images);
    Ok(Some(Baseline {
        score,
        intervals: images.map(|images| Intervals::of(&score, images)),
        macs: from_sql(kind, "baseline_macs", macs)?,
        parameters: from_sql(kind, "baseline_parameters", parameters)?,
        bytes,
        test,
        hits: hits.map(|(bytes, images)| hits_of("baseline_hits", kind, bytes, images)).transpose()?,
    }))
}

/// The images that a [`Split`] has for the winners' scores may be more than the request uses.
fn split_counts(row: &search::Model, request: &SearchRequest) -> Result<Option<ReportedSplit>, StoreError> {
    let (Some(calibration), Some(scoring), Some(test)) = (row.split_calibration, row.split_scoring, row.split_test)
    else {
        return Ok(None);
    };
    Ok(Some(ReportedSplit {
        calibration: from_sql(Kind::Search, "split_calibration", calibration)?,
        scoring: from_sql(Kind::Search, "split_scoring", scoring)?,
        test: request.used_test_images(from_sql(Kind::Search, "split_test", test)?),
    }))
}

//! The job of a search: what its worker writes while it is at it, and what the search says when the job takes a step. All
//! that a worker writes is fenced by the lease, and all of it may be repeated.

use chrono::{DateTime, Utc};
use eagleeye_spec::{Baseline, CandidateWeights, Evaluation, Latency, LatencyModel, Warning};
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{Set, Unchanged},
    ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect,
};
use uuid::Uuid;

use crate::candidates::{Candidate, NewCandidate, read, unranked};
use crate::checkpoints::{CheckpointFormat, CheckpointOf, request_in};
use crate::entities::{candidate, recipe, search, split};
use crate::error::{Kind, StoreError};
use crate::evaluations;
use crate::number::{from_json, to_i32, to_i64, to_json};
use crate::ordering::best;
use crate::queue::{JobState, Lease, already_done, close, hold_of, note_progress};
use crate::run;
use crate::searches::{BaselineDetails, SEARCH_JOB, Search, SearchState, Searches, Split, Winner, edit};
use crate::subject::{Step, Subject};

/// The phase in which candidates are evaluated; [`Searches::record_candidate`] keeps its progress.
pub const CANDIDATES_PHASE: &str = "candidates";

impl Searches<'_> {
    /// Stores which images the search uses. The first split stored stays, since candidates were scored with it; it is
    /// returned.
    pub async fn save_split(&self, lease: &Lease, split: &Split) -> Result<Split, StoreError> {
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        if split::Entity::find_by_id(search_id).one(&transaction).await?.is_none() {
            insert_split(&transaction, search_id, split, self.0.clock().now()).await?;
        }
        transaction.commit().await?;
        Ok(self.split(search_id).await?.unwrap_or_default())
    }

    /// Stores what tells the latency of strategies. The first model stored stays, since strategies were proposed with it; it is
    /// returned.
    pub async fn save_latency_model(&self, lease: &Lease, model: &LatencyModel) -> Result<LatencyModel, StoreError> {
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        let model = to_json(Kind::Search, "latency_model", model)?;
        let row = edit(&transaction, search_id, self.0.clock().now(), |search| {
            if !matches!(&search.latency_model, Unchanged(Some(_))) {
                search.latency_model = Set(Some(model));
            }
        })
        .await?;
        transaction.commit().await?;
        let stored = row.latency_model.unwrap_or_default();
        from_json(Kind::Search, "latency_model", stored)
    }

    /// Stores how the full network does on the scoring images.
    pub async fn save_baseline(&self, lease: &Lease, baseline: &Baseline) -> Result<(), StoreError> {
        let (macs, parameters) = (to_i64("macs", baseline.macs)?, to_i64("parameters", baseline.parameters)?);
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        let details = BaselineDetails { errors: baseline.score.errors, bytes: baseline.bytes, test: baseline.test };
        let details = to_json(Kind::Search, "baseline_details", &details)?;
        let hits = baseline.hits.as_ref().map(|hits| hits.to_bytes().to_vec());
        edit(&transaction, search_id, self.0.clock().now(), |search| {
            search.baseline_top1 = Set(Some(baseline.score.top1));
            search.baseline_top5 = Set(Some(baseline.score.top5));
            search.baseline_cross_entropy = Set(baseline.score.cross_entropy);
            search.baseline_macs = Set(Some(macs));
            search.baseline_parameters = Set(Some(parameters));
            search.baseline_details = Set(Some(details));
            search.baseline_hits = Set(hits);
        })
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a warning, unless the search has one of the same kind for the same budget.
    pub async fn save_warning(&self, lease: &Lease, warning: &Warning) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        let row = search::Entity::find_by_id(search_id).lock_exclusive().one(&transaction).await?;
        let row = row.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?;
        let mut warnings: Vec<Warning> =
            row.warnings.map_or(Ok(Vec::new()), |warnings| from_json(Kind::Search, "warnings", warnings))?;
        if warnings.iter().any(|known| known.code == warning.code && known.message == warning.message) {
            return Ok(());
        }
        warnings.push(warning.clone());
        let warnings = to_json(Kind::Search, "warnings", &warnings)?;
        edit(&transaction, search_id, self.0.clock().now(), |search| search.warnings = Set(Some(warnings))).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a further evaluation of a candidate. One that is stored already changes nothing.
    pub async fn record_evaluation(
        &self,
        lease: &Lease,
        index: u32,
        evaluation: &Evaluation,
    ) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold_of(&transaction, lease, SEARCH_JOB).await?;
        let search_id = job.subject;
        let row = candidate_of(&transaction, search_id, index).await?;
        if evaluations::is_stored(&transaction, row.id, evaluation).await? {
            return Ok(());
        }
        note_progress(&transaction, job, self.0.clock().now_ms()).await?;
        evaluations::insert(&transaction, row.id, std::slice::from_ref(evaluation)).await?;
        let search =
            edit(&transaction, search_id, self.0.clock().now(), |search| search.waiting_for = Set(None)).await?;
        let mut row = row.into_active_model();
        row.revision = Set(search.revision);
        row.update(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores by what a candidate can be made again without images. What was stored before stays.
    pub async fn save_recipe(&self, lease: &Lease, index: u32, content: &[u8]) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        let candidate_id = candidate_of(&transaction, search_id, index).await?.id;
        if recipe::Entity::find_by_id(candidate_id).one(&transaction).await?.is_some() {
            return Ok(());
        }
        let row = recipe::ActiveModel { candidate_id: Set(candidate_id), content: Set(content.to_vec()) };
        recipe::Entity::insert(row).exec_without_returning(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores how long a candidate takes. What was measured before stays.
    pub async fn save_latencies(&self, lease: &Lease, index: u32, latencies: &[Latency]) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let search_id = hold_of(&transaction, lease, SEARCH_JOB).await?.subject;
        let row = candidate_of(&transaction, search_id, index).await?;
        if row.latencies.is_some() {
            return Ok(());
        }
        let search =
            edit(&transaction, search_id, self.0.clock().now(), |search| search.waiting_for = Set(None)).await?;
        let mut row = row.into_active_model();
        row.latencies = Set(Some(to_json(Kind::Candidate, "latencies", &latencies)?));
        row.revision = Set(search.revision);
        row.update(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Stores a candidate, and with it the search's progress. An index that is stored already changes nothing; the
    /// stored candidate is returned.
    pub async fn record_candidate(&self, lease: &Lease, new: NewCandidate) -> Result<Candidate, StoreError> {
        let transaction = self.0.begin().await?;
        let job = hold_of(&transaction, lease, SEARCH_JOB).await?;
        let search_id = job.subject;
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

    /// Ends a search: names the best candidate of each budget, and asks for these in the formats that are made unasked.
    ///
    /// Best is the first of the ranking ([`eagleeye_spec::RANKING`]). May be repeated.
    pub async fn finish(&self, lease: &Lease) -> Result<Search, StoreError> {
        let transaction = self.0.begin().await?;
        if let Some(id) = already_done(&transaction, lease, SEARCH_JOB).await? {
            drop(transaction);
            return self.get(id).await;
        }
        let job = hold_of(&transaction, lease, SEARCH_JOB).await?;
        let winners = winners(&transaction, job.subject).await?;
        let stored = to_json(Kind::Search, "winners", &winners)?;
        let candidates = candidate::Entity::find().filter(candidate::Column::SearchId.eq(job.subject));
        let evaluated = to_i64("done", candidates.count(&transaction).await?)?;
        let now = self.0.clock().now();
        let search = edit(&transaction, job.subject, now, |search| {
            run::end(search, SearchState::Succeeded, None, now);
            search.best_candidate_id = Set(winners.first().map(|winner| winner.candidate_id));
            search.winners = Set(Some(stored));
            search.phase = Set(CANDIDATES_PHASE.to_string());
            search.done = Set(evaluated);
            search.total = Set(evaluated);
        })
        .await?;
        for winner in winners {
            for format in CheckpointFormat::AUTOMATIC {
                let of = CheckpointOf::candidate(winner.candidate_id, CandidateWeights::Adapted);
                request_in(self.0, &transaction, of, format).await?;
            }
        }
        close(&transaction, job, JobState::Succeeded, None).await?;
        transaction.commit().await?;
        search.try_into()
    }

    async fn insert_candidate(
        &self,
        transaction: &DatabaseTransaction,
        search_id: Uuid,
        new: NewCandidate,
    ) -> Result<candidate::Model, StoreError> {
        let stored = candidate::Entity::find().filter(candidate::Column::SearchId.eq(search_id));
        let done = to_i64("done", stored.count(transaction).await? + 1)?;
        let now = self.0.clock().now();
        let search = edit(transaction, search_id, now, |search| {
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
            proposer: Set(new.origin.strategy.0),
            budget: Set(new.origin.budget.map(|budget| to_i32("budget", budget.into())).transpose()?),
            number: Set(to_i32("number", new.origin.number.into())?),
            is_probe: Set(new.origin.is_probe),
            macs: Set(to_i64("macs", new.macs)?),
            parameters: Set(to_i64("parameters", new.parameters)?),
            bytes: Set(new.bytes.map(|bytes| to_i64("bytes", bytes)).transpose()?),
            latencies: Set(None),
            seconds: Set(new.seconds),
            revision: Set(search.revision),
            created_at: Set(now),
        };
        let row = row.insert(transaction).await?;
        evaluations::insert(transaction, row.id, &new.evaluations).await?;
        Ok(row)
    }
}

async fn candidate_of(
    transaction: &DatabaseTransaction,
    search_id: Uuid,
    index: u32,
) -> Result<candidate::Model, StoreError> {
    let row = candidate::Entity::find()
        .filter(candidate::Column::SearchId.eq(search_id))
        .filter(candidate::Column::Index.eq(to_i32("index", index.into())?))
        .one(transaction)
        .await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))
}

/// The best of each budget in their order, and then of those that are for none.
async fn winners(transaction: &DatabaseTransaction, search_id: Uuid) -> Result<Vec<Winner>, StoreError> {
    let row = search::Entity::find_by_id(search_id).one(transaction).await?;
    let search: Search = row.ok_or_else(|| StoreError::not_found(Kind::Search, search_id))?.try_into()?;
    let budgets = search.request.budgets().len() as u32;
    let mut winners = Vec::new();
    for budget in (0..budgets).map(Some).chain([None]) {
        let best = best(transaction, search_id, budget).await?;
        winners.extend(best.map(|best| Winner { budget, candidate_id: best.id }));
    }
    Ok(winners)
}

async fn insert_split(
    transaction: &DatabaseTransaction,
    search_id: Uuid,
    split: &Split,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
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
    edit(transaction, search_id, now, |search| {
        search.split_calibration = Set(Some(calibration));
        search.split_scoring = Set(Some(scoring));
        search.split_test = Set(Some(test));
    })
    .await?;
    Ok(())
}

/// A search, which says how its job stands.
#[derive(Debug)]
pub(crate) struct SearchSubject;

#[async_trait]
impl Subject for SearchSubject {
    fn kind(&self) -> &'static str {
        SEARCH_JOB
    }

    fn worn_out(&self) -> &'static str {
        "without storing another candidate"
    }

    async fn follow(
        &self,
        transaction: &DatabaseTransaction,
        id: Uuid,
        step: Step<'_>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        run::follow::<search::ActiveModel>(transaction, id, step, now).await
    }
}

//! Pipelines: stages of pruning, each of which begins with what the one before it has made.
//!
//! A pipeline has no job. It says which searches, tunings and checkpoints its stages consist of, and these have jobs; whoever drives
//! it asks for what comes next once what there is has ended. What a stage consists of is written down in the transaction that
//! makes it, so that several drivers, or one that was killed, make nothing twice.

use chrono::{DateTime, Utc};
use eagleeye_spec::{CandidateWeights, PipelineRequest, SearchRequest, StoredError, TuneOptions, Warning};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::candidates::held;
use crate::checkpoints::{CheckpointFormat, CheckpointOf, request_in};
pub use crate::entities::RunState as PipelineState;
use crate::entities::{pipeline, pipeline_stage, tuning};
use crate::error::{Kind, StoreError};
use crate::events::{EventKind, tell};
use crate::models::{self, NewModel};
use crate::number::{from_sql, to_i32};
use crate::page::{Page, PageRequest};
use crate::searches;
use crate::store::Store;
use crate::tunings::create_in;

/// Stages of pruning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub id: Uuid,
    /// Never queued.
    pub state: PipelineState,
    pub request: PipelineRequest,
    /// Those that have begun, in their order.
    pub stages: Vec<PipelineStage>,
    /// Why it failed.
    pub error: Option<String>,
    pub created_at: DateTime<Utc>,
    pub finished_at: Option<DateTime<Utc>>,
}

/// What a stage consists of, as far as it has come. What is named here may have been deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PipelineStage {
    pub model_id: Uuid,
    pub search_id: Option<Uuid>,
    pub tuning_id: Option<Uuid>,
    /// What the next stage begins with, or what the pipeline ends with.
    pub checkpoint_id: Option<Uuid>,
}

/// The pipelines of a store.
#[derive(Debug, Clone, Copy)]
pub struct Pipelines<'a>(&'a Store);

impl Store {
    pub fn pipelines(&self) -> Pipelines<'_> {
        Pipelines(self)
    }
}

impl Pipelines<'_> {
    /// Creates a pipeline with its first stage, of which nothing has been made yet.
    pub async fn create(&self, request: &PipelineRequest) -> Result<Pipeline, StoreError> {
        let document = request.to_stored().map_err(unreadable)?;
        let transaction = self.0.begin().await?;
        models::exists(&transaction, request.search.model_id).await?;
        let row = pipeline::ActiveModel {
            id: Set(Uuid::now_v7()),
            state: Set(PipelineState::Running),
            request: Set(document),
            created_at: Set(self.0.clock().now()),
            ..Default::default()
        };
        let row = row.insert(&transaction).await?;
        let stage = insert_stage(&transaction, row.id, 0, request.search.model_id).await?;
        tell(&transaction, EventKind::PipelineCreated, row.id, row.created_at).await?;
        transaction.commit().await?;
        pipeline_of(row, vec![stage])
    }

    pub async fn get(&self, id: Uuid) -> Result<Pipeline, StoreError> {
        let row = pipeline::Entity::find_by_id(id).one(self.0.database()).await?;
        self.with_stages(row.ok_or_else(|| StoreError::not_found(Kind::Pipeline, id))?).await
    }

    /// Newest first.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Pipeline>, StoreError> {
        let mut query = pipeline::Entity::find().order_by_desc(pipeline::Column::Id).limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(pipeline::Column::Id.lt(id));
        }
        let mut pipelines = Vec::new();
        for row in query.all(self.0.database()).await? {
            pipelines.push(self.with_stages(row).await?);
        }
        Ok(Page::cut(pipelines, page.limit(), |pipeline: &Pipeline| pipeline.id.to_string()))
    }

    /// Those that have not ended, oldest first.
    pub async fn unfinished(&self) -> Result<Vec<Uuid>, StoreError> {
        let running = pipeline::Entity::find()
            .filter(pipeline::Column::State.eq(PipelineState::Running))
            .order_by_asc(pipeline::Column::Id)
            .select_only()
            .column(pipeline::Column::Id);
        Ok(running.into_tuple().all(self.0.database()).await?)
    }

    /// Creates the search of a stage, unless there is one or the pipeline has ended.
    pub async fn begin_search(
        &self,
        id: Uuid,
        stage: usize,
        request: SearchRequest,
        warnings: &[Warning],
    ) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let Some(row) = open_stage(&transaction, id, stage).await?.filter(|row| row.search_id.is_none()) else {
            return Ok(());
        };
        let search = searches::insert_in(self.0, &transaction, request, warnings).await?;
        let mut row = row.into_active_model();
        row.search_id = Set(Some(search.id));
        self.commit(transaction, id, row).await
    }

    /// Creates the tuning of a stage, unless there is one or the pipeline has ended.
    pub async fn begin_tuning(
        &self,
        id: Uuid,
        stage: usize,
        candidate_id: Uuid,
        options: &TuneOptions,
    ) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let Some(row) = open_stage(&transaction, id, stage).await?.filter(|row| row.tuning_id.is_none()) else {
            return Ok(());
        };
        let candidate = held(&transaction, candidate_id).await?;
        let tuning = create_in(self.0, &transaction, &candidate, options, None).await?;
        let mut row = row.into_active_model();
        row.tuning_id = Set(Some(tuning.id));
        self.commit(transaction, id, row).await
    }

    /// Asks for what a stage ends with, unless that has been done or the pipeline has ended: the file of its tuning, or where there
    /// is none that of its candidate.
    pub async fn begin_export(
        &self,
        id: Uuid,
        stage: usize,
        candidate_id: Uuid,
        weights: CandidateWeights,
        format: CheckpointFormat,
    ) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let Some(row) = open_stage(&transaction, id, stage).await?.filter(|row| row.checkpoint_id.is_none()) else {
            return Ok(());
        };
        let of = match row.tuning_id {
            None => CheckpointOf::candidate(candidate_id, weights),
            Some(id) => {
                let tuning = tuning::Entity::find_by_id(id).one(&transaction).await?;
                CheckpointOf::tuning(&tuning.ok_or_else(|| StoreError::not_found(Kind::Tuning, id))?)
            }
        };
        let checkpoint = request_in(self.0, &transaction, of, format).await?;
        let mut row = row.into_active_model();
        row.checkpoint_id = Set(Some(checkpoint.id));
        self.commit(transaction, id, row).await
    }

    /// Begins the stage behind `stage` with a new model, whose uploads are taken over; unless it has begun, or the pipeline has
    /// ended, where they are discarded.
    pub async fn begin_stage(&self, id: Uuid, stage: usize, model: NewModel) -> Result<(), StoreError> {
        let uploads = model.uploads();
        let begun = self.insert_model(id, stage, model).await;
        if !matches!(begun, Ok(true)) {
            self.0.discard_all(&uploads).await?;
        }
        begun.map(drop)
    }

    async fn insert_model(&self, id: Uuid, stage: usize, model: NewModel) -> Result<bool, StoreError> {
        let transaction = self.0.begin().await?;
        let is_open = open_stage(&transaction, id, stage).await?.is_some();
        if !is_open || stage_row(&transaction, id, stage + 1).await?.is_some() {
            return Ok(false);
        }
        let model = models::insert_in(self.0, &transaction, model).await?;
        insert_stage(&transaction, id, stage + 1, model.id).await?;
        tell(&transaction, EventKind::PipelineChanged, id, self.0.clock().now()).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Ends a pipeline, unless it has ended.
    pub async fn end(&self, id: Uuid, state: PipelineState, error: Option<String>) -> Result<Pipeline, StoreError> {
        let transaction = self.0.begin().await?;
        let row = locked(&transaction, id).await?;
        if !row.state.is_final() {
            let now = self.0.clock().now();
            let mut row = row.into_active_model();
            (row.state, row.error, row.finished_at) = (Set(state), Set(error), Set(Some(now)));
            row.update(&transaction).await?;
            tell(&transaction, EventKind::PipelineEnded, id, now).await?;
            transaction.commit().await?;
        }
        self.get(id).await
    }

    /// Lets a pipeline that failed or was cancelled go on, once what it failed over has been queued again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is running or has succeeded.
    pub async fn reopen(&self, id: Uuid) -> Result<Pipeline, StoreError> {
        let transaction = self.0.begin().await?;
        let row = locked(&transaction, id).await?;
        let refused = match row.state {
            PipelineState::Failed | PipelineState::Cancelled => None,
            PipelineState::Succeeded => Some("has succeeded, so there is nothing left to do"),
            PipelineState::Queued | PipelineState::Running | PipelineState::Paused => {
                Some("is running; cancel it first")
            }
        };
        if let Some(reason) = refused {
            return Err(StoreError::Conflict { kind: Kind::Pipeline, id, reason: reason.to_owned() });
        }
        let mut row = row.into_active_model();
        (row.state, row.error, row.finished_at) = (Set(PipelineState::Running), Set(None), Set(None));
        row.update(&transaction).await?;
        tell(&transaction, EventKind::PipelineChanged, id, self.0.clock().now()).await?;
        transaction.commit().await?;
        self.get(id).await
    }

    /// Deletes a pipeline. Its models, searches, tunings and checkpoints stay.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        locked(&transaction, id).await?;
        pipeline::Entity::delete_by_id(id).exec(&transaction).await?;
        tell(&transaction, EventKind::PipelineDeleted, id, self.0.clock().now()).await?;
        Ok(transaction.commit().await?)
    }

    async fn commit(
        &self,
        transaction: DatabaseTransaction,
        id: Uuid,
        stage: pipeline_stage::ActiveModel,
    ) -> Result<(), StoreError> {
        stage.update(&transaction).await?;
        tell(&transaction, EventKind::PipelineChanged, id, self.0.clock().now()).await?;
        Ok(transaction.commit().await?)
    }

    async fn with_stages(&self, row: pipeline::Model) -> Result<Pipeline, StoreError> {
        let stages = pipeline_stage::Entity::find()
            .filter(pipeline_stage::Column::PipelineId.eq(row.id))
            .order_by_asc(pipeline_stage::Column::Stage)
            .all(self.0.database())
            .await?;
        pipeline_of(row, stages)
    }
}

/// A pipeline's row, locked until the transaction ends.
async fn locked(transaction: &DatabaseTransaction, id: Uuid) -> Result<pipeline::Model, StoreError> {
    let row = pipeline::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Pipeline, id))
}

/// The row of a stage, where the pipeline, which is locked, has not ended.
async fn open_stage(
    transaction: &DatabaseTransaction,
    id: Uuid,
    stage: usize,
) -> Result<Option<pipeline_stage::Model>, StoreError> {
    let pipeline = locked(transaction, id).await?;
    if pipeline.state.is_final() {
        return Ok(None);
    }
    stage_row(transaction, id, stage).await
}

async fn stage_row(
    transaction: &DatabaseTransaction,
    id: Uuid,
    stage: usize,
) -> Result<Option<pipeline_stage::Model>, StoreError> {
    let key = (id, to_i32("stage", stage as u64)?);
    Ok(pipeline_stage::Entity::find_by_id(key).one(transaction).await?)
}

async fn insert_stage(
    transaction: &DatabaseTransaction,
    pipeline_id: Uuid,
    stage: usize,
    model_id: Uuid,
) -> Result<pipeline_stage::Model, StoreError> {
    let row = pipeline_stage::ActiveModel {
        pipeline_id: Set(pipeline_id),
        stage: Set(to_i32("stage", stage as u64)?),
        model_id: Set(model_id),
        ..Default::default()
    };
    Ok(row.insert(transaction).await?)
}

fn unreadable(error: StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::Pipeline, column: "request", reason: error.to_string() }
}

fn pipeline_of(row: pipeline::Model, stages: Vec<pipeline_stage::Model>) -> Result<Pipeline, StoreError> {
    for (place, stage) in stages.iter().enumerate() {
        let found: u64 = from_sql(Kind::Pipeline, "stage", stage.stage)?;
        if found != place as u64 {
            let reason = format!("stage {place} is missing");
            return Err(StoreError::Corrupt { kind: Kind::Pipeline, column: "stage", reason });
        }
    }
    let stage = |row: pipeline_stage::Model| PipelineStage {
        model_id: row.model_id,
        search_id: row.search_id,
        tuning_id: row.tuning_id,
        checkpoint_id: row.checkpoint_id,
    };
    Ok(Pipeline {
        id: row.id,
        state: row.state,
        request: PipelineRequest::from_stored(row.request).map_err(unreadable)?,
        stages: stages.into_iter().map(stage).collect(),
        error: row.error,
        created_at: row.created_at,
        finished_at: row.finished_at,
    })
}

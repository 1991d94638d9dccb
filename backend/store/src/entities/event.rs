//! Table `events`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// What has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(32))")]
pub enum EventKind {
    #[sea_orm(string_value = "search.created")]
    SearchCreated,
    /// Its state, its progress, its name or its candidates.
    #[sea_orm(string_value = "search.changed")]
    SearchChanged,
    /// It has succeeded, failed or been cancelled.
    #[sea_orm(string_value = "search.ended")]
    SearchEnded,
    #[sea_orm(string_value = "search.deleted")]
    SearchDeleted,
    /// It was asked for, or asked for again.
    #[sea_orm(string_value = "checkpoint.requested")]
    CheckpointRequested,
    #[sea_orm(string_value = "checkpoint.changed")]
    CheckpointChanged,
    /// Its file is ready, or it has failed.
    #[sea_orm(string_value = "checkpoint.ended")]
    CheckpointEnded,
    #[sea_orm(string_value = "tuning.created")]
    TuningCreated,
    /// Its state, its progress, its epochs or its snapshot.
    #[sea_orm(string_value = "tuning.changed")]
    TuningChanged,
    /// It has succeeded, failed or been cancelled.
    #[sea_orm(string_value = "tuning.ended")]
    TuningEnded,
    #[sea_orm(string_value = "tuning.deleted")]
    TuningDeleted,
    #[sea_orm(string_value = "pipeline.created")]
    PipelineCreated,
    /// Its state, or what its stages consist of.
    #[sea_orm(string_value = "pipeline.changed")]
    PipelineChanged,
    /// It has succeeded, failed or been cancelled.
    #[sea_orm(string_value = "pipeline.ended")]
    PipelineEnded,
    #[sea_orm(string_value = "pipeline.deleted")]
    PipelineDeleted,
    #[sea_orm(string_value = "race.created")]
    RaceCreated,
    /// Its state, its members, or the rungs that they are in.
    #[sea_orm(string_value = "race.changed")]
    RaceChanged,
    /// It has succeeded, failed or been cancelled.
    #[sea_orm(string_value = "race.ended")]
    RaceEnded,
    #[sea_orm(string_value = "race.deleted")]
    RaceDeleted,
    #[sea_orm(string_value = "study.created")]
    StudyCreated,
    #[sea_orm(string_value = "study.deleted")]
    StudyDeleted,
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "events")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub kind: EventKind,
    pub subject: Uuid,
    pub at_ms: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

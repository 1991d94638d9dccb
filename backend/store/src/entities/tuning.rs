//! Table `tunings`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

use super::RunState;

/// What a tuning begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum TuningStart {
    /// The candidate with adapted running statistics.
    #[default]
    Adapted,
    /// The candidate with repaired weights.
    Repaired,
}

impl From<eagleeye_spec::TuningStart> for TuningStart {
    fn from(start: eagleeye_spec::TuningStart) -> Self {
        match start {
            eagleeye_spec::TuningStart::Adapted => TuningStart::Adapted,
            eagleeye_spec::TuningStart::Repaired => TuningStart::Repaired,
        }
    }
}

impl From<TuningStart> for eagleeye_spec::TuningStart {
    fn from(start: TuningStart) -> Self {
        match start {
            TuningStart::Adapted => eagleeye_spec::TuningStart::Adapted,
            TuningStart::Repaired => eagleeye_spec::TuningStart::Repaired,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tunings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub search_id: Uuid,
    pub candidate_id: Uuid,
    pub state: RunState,
    pub start: TuningStart,
    pub request: Json,
    pub phase: String,
    pub done: i64,
    pub total: i64,
    pub snapshot_bytes: Option<i64>,
    pub snapshot_hash: Option<String>,
    pub weights_hash: Option<String>,
    pub result: Option<Json>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub waiting_for: Option<String>,
    pub revision: i64,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

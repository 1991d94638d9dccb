//! Table `searches`.

use sea_orm::entity::prelude::*;

use super::RunState;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "searches")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: Option<String>,
    pub model_id: Uuid,
    pub dataset_id: Uuid,
    pub state: RunState,
    pub request: Json,
    pub phase: String,
    pub done: i64,
    pub total: i64,
    #[sea_orm(column_type = "Double", nullable)]
    pub baseline_top1: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub baseline_top5: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub baseline_cross_entropy: Option<f64>,
    pub baseline_macs: Option<i64>,
    pub baseline_parameters: Option<i64>,
    pub baseline_details: Option<Json>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub baseline_hits: Option<Vec<u8>>,
    pub split_calibration: Option<i32>,
    pub split_scoring: Option<i32>,
    pub split_test: Option<i32>,
    pub best_candidate_id: Option<Uuid>,
    pub winners: Option<Json>,
    pub warnings: Option<Json>,
    pub latency_model: Option<Json>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub revision: i64,
    pub created_at: DateTimeUtc,
    pub started_at: Option<DateTimeUtc>,
    pub finished_at: Option<DateTimeUtc>,
    #[sea_orm(column_type = "Text", nullable)]
    pub waiting_for: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

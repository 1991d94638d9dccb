//! Table `tunings`.

use sea_orm::entity::prelude::*;

use super::RunState;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tunings")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub search_id: Uuid,
    pub candidate_id: Uuid,
    pub state: RunState,
    /// As in the request.
    pub start: String,
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

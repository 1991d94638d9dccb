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
    pub race_id: Option<Uuid>,
    /// The last rung of its race that it is or was in, from 0.
    pub race_rung: Option<i32>,
    /// The epoch at the end of that rung; none in the last one, and none outside of a race.
    pub pause_at: Option<i32>,
    /// It was taken up again after it was out of its race.
    pub has_left_race: bool,
    pub study_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

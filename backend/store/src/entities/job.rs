//! Table `jobs`.

use sea_orm::entity::prelude::*;

use crate::queue::{JobKind, JobState};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: JobKind,
    pub search_id: Option<Uuid>,
    pub checkpoint_id: Option<Uuid>,
    pub state: JobState,
    pub priority: i32,
    pub worker: Option<String>,
    pub lease: i64,
    pub attempts: i32,
    pub heartbeat_at_ms: Option<i64>,
    pub cancel_requested: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub set_aside: i32,
    pub not_before_ms: Option<i64>,
    pub avoid: Option<String>,
    pub avoid_until_ms: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

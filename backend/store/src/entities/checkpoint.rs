//! Table `checkpoints`.

use sea_orm::entity::prelude::*;

use crate::checkpoints::{CheckpointFormat, CheckpointState};

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "checkpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub candidate_id: Uuid,
    pub format: CheckpointFormat,
    pub state: CheckpointState,
    pub file_hash: Option<String>,
    pub bytes: Option<i64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub max_difference: Option<f64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub waiting_for: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

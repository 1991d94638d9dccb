//! Table `workers`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workers")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub host: String,
    pub pid: i64,
    pub device: String,
    pub device_reason: Option<String>,
    #[sea_orm(column_type = "Text", nullable)]
    pub hardware: Option<String>,
    pub memory_bytes: Option<i64>,
    pub since_ms: i64,
    pub seen_at_ms: i64,
    pub job_id: Option<Uuid>,
    #[sea_orm(column_type = "Text", nullable)]
    pub note: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

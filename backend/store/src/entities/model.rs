//! Table `models`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "models")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub format: String,
    pub file_name: String,
    pub file_hash: String,
    pub data_name: Option<String>,
    pub data_hash: Option<String>,
    pub bytes: i64,
    pub input_shape: Json,
    pub macs: i64,
    pub parameters: i64,
    pub batch_norms: i32,
    pub classes: Option<i32>,
    #[sea_orm(column_type = "Double")]
    pub reachable_min: f64,
    #[sea_orm(column_type = "Double")]
    pub reachable_max: f64,
    pub report: Json,
    /// Null for a model that was uploaded.
    pub lineage: Option<Json>,
    pub created_at: DateTimeUtc,
    pub sha256: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

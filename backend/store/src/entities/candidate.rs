//! Table `candidates`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "candidates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub search_id: Uuid,
    pub index: i32,
    pub strategy: Json,
    pub groups: Json,
    pub proposer: String,
    pub budget: Option<i32>,
    pub number: i32,
    pub is_probe: bool,
    pub macs: i64,
    pub parameters: i64,
    pub bytes: Option<i64>,
    pub latencies: Option<Json>,
    #[sea_orm(column_type = "Double")]
    pub seconds: f64,
    pub revision: i64,
    pub created_at: DateTimeUtc,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Table `splits`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "splits")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub search_id: Uuid,
    pub calibration: Json,
    pub scoring: Json,
    pub test: Json,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

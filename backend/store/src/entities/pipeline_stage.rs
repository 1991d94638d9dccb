//! Table `pipeline_stages`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "pipeline_stages")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub pipeline_id: Uuid,
    /// From 0.
    #[sea_orm(primary_key, auto_increment = false)]
    pub stage: i32,
    pub model_id: Uuid,
    pub search_id: Option<Uuid>,
    pub tuning_id: Option<Uuid>,
    pub checkpoint_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

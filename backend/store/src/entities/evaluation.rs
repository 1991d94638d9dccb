//! Table `evaluations`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evaluations")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub candidate_id: Uuid,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub image_set: String,
    pub images: i64,
    #[sea_orm(column_type = "Double")]
    pub top1: f64,
    #[sea_orm(column_type = "Double")]
    pub top5: f64,
    #[sea_orm(column_type = "Double", nullable)]
    pub cross_entropy: Option<f64>,
    #[sea_orm(column_type = "Double")]
    pub seconds: f64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

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
    #[sea_orm(primary_key, auto_increment = false)]
    pub images: i64,
    pub calibration_images: Option<i64>,
    #[sea_orm(column_type = "Double")]
    pub top1: f64,
    #[sea_orm(column_type = "Double")]
    pub top5: f64,
    #[sea_orm(column_type = "Double", nullable)]
    pub cross_entropy: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub cross_entropy_error: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub agreement: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub kl: Option<f64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub kl_error: Option<f64>,
    #[sea_orm(column_type = "Blob", nullable)]
    pub hits: Option<Vec<u8>>,
    /// Of those of its kind on this set, it is the one on most images.
    pub is_current: bool,
    #[sea_orm(column_type = "Double")]
    pub seconds: f64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

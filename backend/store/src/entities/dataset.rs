//! Table `datasets`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "datasets")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub name: String,
    pub kind: String,
    pub images_name: String,
    pub images_hash: String,
    pub labels_name: Option<String>,
    pub labels_hash: Option<String>,
    pub bytes: i64,
    pub images: i64,
    pub channels: i32,
    pub width: i32,
    pub height: i32,
    pub classes: Json,
    pub summary: Json,
    pub created_at: DateTimeUtc,
    /// Null for files that were uploaded. Else `images_hash` is that of the listing of what lies there.
    pub location: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

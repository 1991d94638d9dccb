//! `recipes`: by what a candidate is made again without images, at most one for each. It goes with its candidate.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{blob, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("recipes")
            .col(uuid("candidate_id").primary_key())
            .col(blob("content"))
            .foreign_key(
                ForeignKey::create()
                    .name("fk_recipes_candidate")
                    .from("recipes", "candidate_id")
                    .to("candidates", "id")
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("recipes").to_owned()).await
    }
}

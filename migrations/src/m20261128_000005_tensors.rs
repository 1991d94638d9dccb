//! `model_graphs.tensors`: how the values of a network's tensors are spread. Rows of older versions are made again.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::json_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("model_graphs").add_column(json_null("tensors")).to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter().table("model_graphs").drop_column("tensors").to_owned();
        manager.alter_table(table).await
    }
}

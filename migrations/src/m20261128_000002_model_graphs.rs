//! `model_graphs`: networks as they are drawn, which are many times larger than what lists of models read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json, pk_uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut of_model = ForeignKey::create();
        of_model.name("fk_model_graphs_model").from("model_graphs", "model_id").to("models", "id");
        let table = Table::create()
            .table("model_graphs")
            .col(pk_uuid("model_id"))
            .col(json("graph"))
            .foreign_key(of_model.on_delete(ForeignKeyAction::Cascade))
            .to_owned();
        manager.create_table(table).await
    }

    /// Networks are inspected again when they are next drawn.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("model_graphs").to_owned()).await
    }
}

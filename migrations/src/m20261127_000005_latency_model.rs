//! Searches with budgets of latency: what tells the latency of strategies is measured once and kept, so that a search that goes on
//! proposes what it would have.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::json_null;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = json_null("latency_model");
        manager.alter_table(Table::alter().table("searches").add_column(&mut column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("searches").drop_column("latency_model").to_owned()).await
    }
}

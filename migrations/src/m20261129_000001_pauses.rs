//! Jobs that are to be paused: a running one says so until its worker has stopped. That it is paused is a state like any other.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::boolean;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = boolean("pause_requested").default(false).to_owned();
        manager.alter_table(Table::alter().table("jobs").add_column(column).to_owned()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("jobs").drop_column("pause_requested").to_owned()).await
    }
}

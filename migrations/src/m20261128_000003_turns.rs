//! `jobs.turn`: the order in which jobs of a kind are done, which a user may change.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::big_integer;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Jobs of earlier versions come before all later ones, in the order of their ids as before.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let turn = Table::alter().table("jobs").add_column(big_integer("turn").default(0)).to_owned();
        manager.alter_table(turn).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(Table::alter().table("jobs").drop_column("turn").to_owned()).await
    }
}

//! What a worker computes on: the name of its processor or card, and the memory that there is.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text_null};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text_null("hardware"), big_integer_null("memory_bytes")] {
            let table = Table::alter().table("workers").add_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["hardware", "memory_bytes"] {
            let table = Table::alter().table("workers").drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

//! SHA-256 of what can be downloaded, beside the BLAKE3 that names it: `sha256sum` is on every machine. Null for files that were
//! stored before.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len_null;

const TABLES: [&str; 2] = ["models", "checkpoints"];

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let table = Table::alter().table(table).add_column(string_len_null("sha256", 64)).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in TABLES {
            let table = Table::alter().table(table).drop_column("sha256").to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }
}

//! `files`: one row per content-addressed blob. `uploads`: claims on a blob that no other row names yet.
//!
//! A blob may be deleted when no model, dataset, thumbnail, checkpoint or upload names its hash. An upload is a row,
//! not a counter, so that one left behind by a crash can be told by its age.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, pk_uuid, string_len, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("files")
                    .col(string_len("hash", 64).primary_key())
                    .col(big_integer("bytes"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_table(
                Table::create()
                    .table("uploads")
                    .col(pk_uuid("id"))
                    .col(string_len("file_hash", 64))
                    .col(big_integer("created_at_ms"))
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_uploads_file")
                            .from("uploads", "file_hash")
                            .to("files", "hash")
                            .on_delete(ForeignKeyAction::Restrict),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(Index::create().name("ix_uploads_file_hash").table("uploads").col("file_hash").to_owned())
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("uploads").to_owned()).await?;
        manager.drop_table(Table::drop().table("files").to_owned()).await
    }
}

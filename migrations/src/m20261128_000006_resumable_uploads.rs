//! `resumable_uploads`: files that arrive in parts, over several connections; and their parts, each a file of its own until all are there.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, pk_uuid, string_len, text, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let uploads = Table::create()
            .table("resumable_uploads")
            .col(pk_uuid("id"))
            .col(text("name"))
            .col(big_integer("length"))
            .col(big_integer("received"))
            .col(big_integer("touched_at_ms"))
            .to_owned();
        manager.create_table(uploads).await?;
        let mut of_upload = ForeignKey::create();
        of_upload.name("fk_upload_parts_upload").from("upload_parts", "upload_id").to("resumable_uploads", "id");
        let mut of_file = ForeignKey::create();
        of_file.name("fk_upload_parts_file").from("upload_parts", "file_hash").to("files", "hash");
        let parts = Table::create()
            .table("upload_parts")
            .col(uuid("upload_id"))
            .col(big_integer("start"))
            .col(string_len("file_hash", 64))
            .primary_key(Index::create().col("upload_id").col("start"))
            .foreign_key(of_upload.on_delete(ForeignKeyAction::Cascade))
            .foreign_key(&mut of_file)
            .to_owned();
        manager.create_table(parts).await?;
        let index = Index::create().name("ix_upload_parts_file_hash").table("upload_parts").col("file_hash").to_owned();
        manager.create_index(index).await
    }

    /// Uploads that were under way are lost.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("upload_parts").to_owned()).await?;
        manager.drop_table(Table::drop().table("resumable_uploads").to_owned()).await
    }
}

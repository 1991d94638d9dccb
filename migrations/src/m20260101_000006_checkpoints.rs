//! `checkpoints`: a candidate's weights in one file format; at most one per (candidate, format).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, double_null, pk_uuid, string_len, string_len_null, text_null, timestamp_with_time_zone, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("checkpoints")
                    .col(pk_uuid("id"))
                    .col(uuid("candidate_id"))
                    .col(string_len("format", 16))
                    .col(string_len("state", 16))
                    .col(string_len_null("file_hash", 64))
                    .col(big_integer_null("bytes"))
                    .col(double_null("max_difference"))
                    .col(text_null("error"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_checkpoints_candidate")
                            .from("checkpoints", "candidate_id")
                            .to("candidates", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_checkpoints_file")
                            .from("checkpoints", "file_hash")
                            .to("files", "hash")
                            .on_delete(ForeignKeyAction::Restrict),
                    )
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ux_checkpoints_candidate_format")
                    .table("checkpoints")
                    .col("candidate_id")
                    .col("format")
                    .unique()
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("ix_checkpoints_file_hash").table("checkpoints").col("file_hash").to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("checkpoints").to_owned()).await
    }
}

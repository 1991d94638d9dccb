//! `models`: uploaded networks, with what their inspection found.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, double, integer, integer_null, json, pk_uuid, string, string_len, string_len_null, string_null,
    timestamp_with_time_zone,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("models")
                    .col(pk_uuid("id"))
                    .col(string("name"))
                    .col(string_len("format", 16))
                    .col(string("file_name"))
                    .col(string_len("file_hash", 64))
                    .col(string_null("data_name"))
                    .col(string_len_null("data_hash", 64))
                    .col(big_integer("bytes"))
                    .col(json("input_shape"))
                    .col(big_integer("macs"))
                    .col(big_integer("parameters"))
                    .col(integer("batch_norms"))
                    .col(integer_null("classes"))
                    .col(double("reachable_min"))
                    .col(double("reachable_max"))
                    .col(json("report"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut file_key("fk_models_file", "file_hash"))
                    .foreign_key(&mut file_key("fk_models_data", "data_hash"))
                    .to_owned(),
            )
            .await?;
        for column in ["file_hash", "data_hash"] {
            let name = format!("ix_models_{column}");
            manager.create_index(Index::create().name(name).table("models").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("models").to_owned()).await
    }
}

fn file_key(name: &str, column: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from("models", column)
        .to("files", "hash")
        .on_delete(ForeignKeyAction::Restrict)
        .to_owned()
}

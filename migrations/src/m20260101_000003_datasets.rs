//! `datasets`: uploaded images and labels, with their checked summary. `thumbnails`: small PNGs of the first images.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, integer, json, pk_uuid, string, string_len, string_len_null, string_null, timestamp_with_time_zone,
    uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("datasets")
                    .col(pk_uuid("id"))
                    .col(string("name"))
                    .col(string_len("kind", 16))
                    .col(string("images_name"))
                    .col(string_len("images_hash", 64))
                    .col(string_null("labels_name"))
                    .col(string_len_null("labels_hash", 64))
                    .col(big_integer("bytes"))
                    .col(big_integer("images"))
                    .col(integer("channels"))
                    .col(integer("width"))
                    .col(integer("height"))
                    .col(json("classes"))
                    .col(json("summary"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut file_key("datasets", "fk_datasets_images", "images_hash"))
                    .foreign_key(&mut file_key("datasets", "fk_datasets_labels", "labels_hash"))
                    .to_owned(),
            )
            .await?;
        for column in ["images_hash", "labels_hash"] {
            let name = format!("ix_datasets_{column}");
            manager.create_index(Index::create().name(name).table("datasets").col(column).to_owned()).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("thumbnails")
                    .col(uuid("dataset_id"))
                    .col(integer("position"))
                    .col(string_len("file_hash", 64))
                    .primary_key(Index::create().col("dataset_id").col("position"))
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_thumbnails_dataset")
                            .from("thumbnails", "dataset_id")
                            .to("datasets", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .foreign_key(&mut file_key("thumbnails", "fk_thumbnails_file", "file_hash"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create().name("ix_thumbnails_file_hash").table("thumbnails").col("file_hash").to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("thumbnails").to_owned()).await?;
        manager.drop_table(Table::drop().table("datasets").to_owned()).await
    }
}

fn file_key(table: &'static str, name: &str, column: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from(table, column)
        .to("files", "hash")
        .on_delete(ForeignKeyAction::Restrict)
        .to_owned()
}

//! `tunings`: candidates that are fine-tuned, and `tuning_epochs`, one row for each epoch of them. A checkpoint is of a candidate as
//! it was found, or of one of its tunings; either has at most one per format.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, json, json_null, pk_uuid, string, string_len, string_len_null, text_null,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const ONE_PER_FORMAT: &str = "ux_checkpoints_candidate_format";
const ONE_PER_TUNING: &str = "ux_checkpoints_tuning_format";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(tunings()).await?;
        for column in ["search_id", "candidate_id", "snapshot_hash", "weights_hash"] {
            let name = format!("ix_tunings_{column}");
            manager.create_index(Index::create().name(name).table("tunings").col(column).to_owned()).await?;
        }
        manager.create_table(epochs()).await?;

        // SQLite takes a foreign key of an existing table together with its column alone.
        let kind = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "uuid_text" };
        let column =
            format!("ALTER TABLE checkpoints ADD COLUMN tuning_id {kind} REFERENCES tunings (id) ON DELETE CASCADE");
        manager.get_connection().execute_unprepared(&column).await?;
        manager.drop_index(Index::drop().name(ONE_PER_FORMAT).table("checkpoints").to_owned()).await?;
        let of_candidates = format!(
            "CREATE UNIQUE INDEX {ONE_PER_FORMAT} ON checkpoints (candidate_id, format) WHERE tuning_id IS NULL"
        );
        manager.get_connection().execute_unprepared(&of_candidates).await?;
        manager.create_index(one_per_format(ONE_PER_TUNING, "tuning_id")).await
    }

    /// Tunings and their checkpoints are lost.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let forget = "DELETE FROM jobs WHERE kind = 'tuning' OR (kind = 'export' AND subject IN \
                      (SELECT id FROM checkpoints WHERE tuning_id IS NOT NULL)); \
                      DELETE FROM checkpoints WHERE tuning_id IS NOT NULL";
        manager.get_connection().execute_unprepared(forget).await?;
        for index in [ONE_PER_TUNING, ONE_PER_FORMAT] {
            manager.drop_index(Index::drop().name(index).table("checkpoints").to_owned()).await?;
        }
        manager.create_index(one_per_format(ONE_PER_FORMAT, "candidate_id")).await?;
        manager.alter_table(Table::alter().table("checkpoints").drop_column("tuning_id").to_owned()).await?;
        manager.drop_table(Table::drop().table("tuning_epochs").to_owned()).await?;
        manager.drop_table(Table::drop().table("tunings").to_owned()).await
    }
}

fn one_per_format(name: &str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(name).table("checkpoints").col(column).col("format").unique().to_owned()
}

fn tunings() -> TableCreateStatement {
    Table::create()
        .table("tunings")
        .col(pk_uuid("id"))
        .col(uuid("search_id"))
        .col(uuid("candidate_id"))
        .col(string_len("state", 16))
        .col(string_len("start", 16))
        .col(json("request"))
        .col(string("phase"))
        .col(big_integer("done"))
        .col(big_integer("total"))
        .col(big_integer_null("snapshot_bytes"))
        .col(string_len_null("snapshot_hash", 64))
        .col(string_len_null("weights_hash", 64))
        .col(json_null("result"))
        .col(text_null("error"))
        .col(text_null("waiting_for"))
        .col(big_integer("revision"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .foreign_key(&mut goes_with("fk_tunings_search", "tunings", "search_id", "searches"))
        .foreign_key(&mut goes_with("fk_tunings_candidate", "tunings", "candidate_id", "candidates"))
        .foreign_key(&mut file("fk_tunings_snapshot", "snapshot_hash"))
        .foreign_key(&mut file("fk_tunings_weights", "weights_hash"))
        .to_owned()
}

fn epochs() -> TableCreateStatement {
    Table::create()
        .table("tuning_epochs")
        .col(uuid("tuning_id"))
        .col(integer("epoch"))
        .col(json("row"))
        .col(big_integer("revision"))
        .primary_key(Index::create().col("tuning_id").col("epoch"))
        .foreign_key(&mut goes_with("fk_tuning_epochs_tuning", "tuning_epochs", "tuning_id", "tunings"))
        .to_owned()
}

fn goes_with(name: &str, table: &'static str, column: &'static str, owner: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from(table, column).to(owner, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

fn file(name: &str, column: &'static str) -> ForeignKeyCreateStatement {
    let mut key = ForeignKey::create();
    key.name(name).from("tunings", column).to("files", "hash").on_delete(ForeignKeyAction::Restrict).to_owned()
}

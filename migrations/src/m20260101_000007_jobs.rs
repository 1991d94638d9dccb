//! `jobs`: the queue. A job belongs to one search or one checkpoint and goes with it.
//!
//! `lease` counts how often the job was claimed: it is the fencing token of every write that a worker makes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, pk_uuid, string_len, string_null, text_null,
    timestamp_with_time_zone, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("jobs")
                    .col(pk_uuid("id"))
                    .col(string_len("kind", 16))
                    .col(uuid_null("search_id"))
                    .col(uuid_null("checkpoint_id"))
                    .col(string_len("state", 16))
                    .col(integer("priority"))
                    .col(string_null("worker"))
                    .col(big_integer("lease"))
                    .col(integer("attempts"))
                    .col(big_integer_null("heartbeat_at_ms"))
                    .col(boolean("cancel_requested"))
                    .col(text_null("error"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(&mut goes_with("fk_jobs_search", "search_id", "searches"))
                    .foreign_key(&mut goes_with("fk_jobs_checkpoint", "checkpoint_id", "checkpoints"))
                    .to_owned(),
            )
            .await?;
        manager
            .create_index(
                Index::create()
                    .name("ix_jobs_state_priority_id")
                    .table("jobs")
                    .col("state")
                    .col("priority")
                    .col("id")
                    .to_owned(),
            )
            .await?;
        for column in ["search_id", "checkpoint_id"] {
            let name = format!("ux_jobs_{column}");
            manager.create_index(Index::create().name(name).table("jobs").col(column).unique().to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("jobs").to_owned()).await
    }
}

fn goes_with(name: &str, column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from("jobs", column).to(table, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

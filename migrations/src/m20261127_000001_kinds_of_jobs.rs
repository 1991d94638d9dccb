//! `jobs` by kind, subject and payload: the queue has one table for whatever a worker can do. A job was of a search or of a
//! checkpoint, each with a column and a foreign key of its own; its priority is the kind's now, which the worker knows.
//!
//! SQLite cannot drop a column that a foreign key names, so the table is made anew and what is stored is copied.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, integer, json, json_null, pk_uuid, string, string_len, string_null,
    text_null, timestamp_with_time_zone, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that stay as they are.
const KEPT: &str = "id, state, worker, lease, attempts, heartbeat_at_ms, cancel_requested, error, created_at, set_aside, \
                    not_before_ms, avoid, avoid_until_ms";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        manager.rename_table(Table::rename().table("jobs", "old_jobs").to_owned()).await?;
        for name in ["ix_jobs_state_priority_id", "ux_jobs_search_id", "ux_jobs_checkpoint_id"] {
            connection.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        manager
            .create_table(
                shared_columns()
                    .col(string("kind"))
                    .col(uuid("subject"))
                    .col(json("payload"))
                    .col(json_null("progress"))
                    .to_owned(),
            )
            .await?;
        let copy = format!(
            "INSERT INTO jobs ({KEPT}, kind, subject, payload) \
             SELECT {KEPT}, CASE kind WHEN 'checkpoint' THEN 'export' ELSE kind END, \
             COALESCE(search_id, checkpoint_id), '{{\"version\":1,\"content\":{{}}}}' FROM old_jobs"
        );
        connection.execute_unprepared(&copy).await?;
        manager.drop_table(Table::drop().table("old_jobs").to_owned()).await?;
        manager.create_index(index("ux_jobs_kind_subject", &["kind", "subject"]).unique().to_owned()).await?;
        manager.create_index(index("ix_jobs_state_kind_id", &["state", "kind", "id"])).await
    }

    /// Jobs of other kinds than a search's and an export's are lost.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        manager.rename_table(Table::rename().table("jobs", "new_jobs").to_owned()).await?;
        for name in ["ux_jobs_kind_subject", "ix_jobs_state_kind_id"] {
            connection.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        manager
            .create_table(
                shared_columns()
                    .col(string_len("kind", 16))
                    .col(uuid_null("search_id"))
                    .col(uuid_null("checkpoint_id"))
                    .col(integer("priority"))
                    .foreign_key(&mut goes_with("fk_jobs_search", "search_id", "searches"))
                    .foreign_key(&mut goes_with("fk_jobs_checkpoint", "checkpoint_id", "checkpoints"))
                    .to_owned(),
            )
            .await?;
        let copy = format!(
            "INSERT INTO jobs ({KEPT}, kind, search_id, checkpoint_id, priority) \
             SELECT {KEPT}, CASE kind WHEN 'export' THEN 'checkpoint' ELSE kind END, \
             CASE kind WHEN 'search' THEN subject END, CASE kind WHEN 'export' THEN subject END, \
             CASE kind WHEN 'search' THEN 1 ELSE 0 END FROM new_jobs WHERE kind IN ('search', 'export')"
        );
        connection.execute_unprepared(&copy).await?;
        manager.drop_table(Table::drop().table("new_jobs").to_owned()).await?;
        manager.create_index(index("ix_jobs_state_priority_id", &["state", "priority", "id"])).await?;
        for column in ["search_id", "checkpoint_id"] {
            let name = format!("ux_jobs_{column}");
            manager.create_index(index(&name, &[column]).unique().to_owned()).await?;
        }
        Ok(())
    }
}

fn shared_columns() -> TableCreateStatement {
    Table::create()
        .table("jobs")
        .col(pk_uuid("id"))
        .col(string_len("state", 16))
        .col(string_null("worker"))
        .col(big_integer("lease"))
        .col(integer("attempts"))
        .col(big_integer_null("heartbeat_at_ms"))
        .col(boolean("cancel_requested"))
        .col(text_null("error"))
        .col(timestamp_with_time_zone("created_at"))
        .col(integer("set_aside").default(0).take())
        .col(big_integer_null("not_before_ms"))
        .col(string_null("avoid"))
        .col(big_integer_null("avoid_until_ms"))
        .to_owned()
}

fn index(name: &str, columns: &[&'static str]) -> IndexCreateStatement {
    let mut index = Index::create().name(name.to_owned()).table("jobs").to_owned();
    for column in columns {
        index.col(*column);
    }
    index
}

fn goes_with(name: &str, column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create().name(name).from("jobs", column).to(table, "id").on_delete(ForeignKeyAction::Cascade).to_owned()
}

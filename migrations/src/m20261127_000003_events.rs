//! `events`: what has happened, in the order in which it was written, for those who follow it.
//!
//! An event is written in the transaction of the change that it tells of. Its number is never used again (AUTOINCREMENT in
//! SQLite), also when all events before it have been removed. PostgreSQL says that there are new ones as soon as they are
//! committed; SQLite, which cannot, is asked now and then.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_pk_auto, string_len, uuid};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

/// The payload is empty, so that one transaction notifies once.
const NOTIFY: &str = "CREATE FUNCTION eagleeye_notify_events() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM pg_notify('eagleeye_events', ''); RETURN NULL; END $$; \
    CREATE TRIGGER eagleeye_notify_events AFTER INSERT ON events \
    FOR EACH STATEMENT EXECUTE FUNCTION eagleeye_notify_events()";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let events = Table::create()
            .table("events")
            .col(big_pk_auto("id"))
            .col(string_len("kind", 32))
            .col(uuid("subject"))
            .col(big_integer("at_ms"))
            .to_owned();
        manager.create_table(events).await?;
        // What is removed is found by its age.
        let age = Index::create().name("ix_events_at_ms").table("events").col("at_ms").to_owned();
        manager.create_index(age).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(NOTIFY).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("events").to_owned()).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared("DROP FUNCTION eagleeye_notify_events()").await?;
        }
        Ok(())
    }
}

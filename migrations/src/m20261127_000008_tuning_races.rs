//! `tuning_races`: several candidates of a search that are fine-tuned and share a budget of epochs. A tuning says which race it is
//! in, if any, how far it has come there, and after which epoch it pauses.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, integer_null, json, pk_uuid, string_len, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const MEMBERS: &str = "ix_tunings_race_id";
const OF_SEARCH: &str = "ix_tuning_races_search_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(races()).await?;
        let index = Index::create().name(OF_SEARCH).table("tuning_races").col("search_id").to_owned();
        manager.create_index(index).await?;

        // SQLite takes a foreign key of an existing table together with its column alone.
        let kind = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "uuid_text" };
        let column =
            format!("ALTER TABLE tunings ADD COLUMN race_id {kind} REFERENCES tuning_races (id) ON DELETE CASCADE");
        manager.get_connection().execute_unprepared(&column).await?;
        for mut column in
            [integer_null("race_rung"), integer_null("pause_at"), boolean("has_left_race").default(false).to_owned()]
        {
            manager.alter_table(Table::alter().table("tunings").add_column(&mut column).to_owned()).await?;
        }
        manager.create_index(Index::create().name(MEMBERS).table("tunings").col("race_id").to_owned()).await
    }

    /// Races are lost, and their tunings stay; those that wait for others of their race are cancelled.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let part = "UPDATE jobs SET state = 'cancelled' WHERE kind = 'tuning' AND subject IN \
                    (SELECT id FROM tunings WHERE state = 'queued' AND phase = 'paused'); \
                    UPDATE tunings SET state = 'cancelled', waiting_for = NULL WHERE state = 'queued' AND phase = 'paused'; \
                    DELETE FROM events WHERE kind LIKE 'race.%'";
        manager.get_connection().execute_unprepared(part).await?;
        manager.drop_index(Index::drop().name(MEMBERS).table("tunings").to_owned()).await?;
        for column in ["has_left_race", "pause_at", "race_rung", "race_id"] {
            manager.alter_table(Table::alter().table("tunings").drop_column(column).to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("tuning_races").to_owned()).await
    }
}

fn races() -> TableCreateStatement {
    let mut of_search = ForeignKey::create();
    of_search.name("fk_tuning_races_search").from("tuning_races", "search_id").to("searches", "id");
    Table::create()
        .table("tuning_races")
        .col(pk_uuid("id"))
        .col(uuid("search_id"))
        .col(string_len("state", 16))
        .col(json("request"))
        .col(uuid_null("winner_id"))
        .col(text_null("error"))
        .col(big_integer("revision"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .foreign_key(of_search.on_delete(ForeignKeyAction::Cascade))
        .to_owned()
}

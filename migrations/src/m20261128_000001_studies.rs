//! `studies`: candidates of a search that are fine-tuned from several seeds each. A tuning says which study it is of, if any.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{json, pk_uuid, timestamp_with_time_zone, uuid};
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub struct Migration;

const MEMBERS: &str = "ix_tunings_study_id";
const OF_SEARCH: &str = "ix_studies_search_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(studies()).await?;
        let index = Index::create().name(OF_SEARCH).table("studies").col("search_id").to_owned();
        manager.create_index(index).await?;
        // SQLite takes a foreign key of an existing table together with its column alone.
        let kind = if manager.get_database_backend() == DbBackend::Postgres { "uuid" } else { "uuid_text" };
        let column =
            format!("ALTER TABLE tunings ADD COLUMN study_id {kind} REFERENCES studies (id) ON DELETE CASCADE");
        manager.get_connection().execute_unprepared(&column).await?;
        manager.create_index(Index::create().name(MEMBERS).table("tunings").col("study_id").to_owned()).await
    }

    /// Studies are lost, and their tunings stay.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DELETE FROM events WHERE kind LIKE 'study.%'").await?;
        manager.drop_index(Index::drop().name(MEMBERS).table("tunings").to_owned()).await?;
        manager.alter_table(Table::alter().table("tunings").drop_column("study_id").to_owned()).await?;
        manager.drop_table(Table::drop().table("studies").to_owned()).await
    }
}

fn studies() -> TableCreateStatement {
    let mut of_search = ForeignKey::create();
    of_search.name("fk_studies_search").from("studies", "search_id").to("searches", "id");
    Table::create()
        .table("studies")
        .col(pk_uuid("id"))
        .col(uuid("search_id"))
        .col(json("request"))
        .col(timestamp_with_time_zone("created_at"))
        .foreign_key(of_search.on_delete(ForeignKeyAction::Cascade))
        .to_owned()
}

//! `workers`: the processes that do jobs, wherever they run; each keeps its own row fresh. `properties`: facts about the
//! whole installation, such as which file store belongs to this database.
//!
//! A job that a worker handed back, because something was missing where it runs, remembers for how long nobody, and for
//! how long that worker, should take it again. What a search or checkpoint waits for is told to its user.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, integer, string, string_null, text, text_null, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(workers()).await?;
        manager.create_table(properties()).await?;
        for (table, column) in columns() {
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns().into_iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table(table).drop_column(Alias::new(name)).to_owned()).await?;
        }
        manager.drop_table(Table::drop().table("properties").to_owned()).await?;
        manager.drop_table(Table::drop().table("workers").to_owned()).await
    }
}

fn workers() -> TableCreateStatement {
    Table::create()
        .table("workers")
        .col(string("name").primary_key())
        .col(string("host"))
        .col(big_integer("pid"))
        .col(string("device"))
        .col(big_integer("since_ms"))
        .col(big_integer("seen_at_ms"))
        .col(uuid_null("job_id"))
        .col(text_null("note"))
        .to_owned()
}

fn properties() -> TableCreateStatement {
    Table::create().table("properties").col(string("name").primary_key()).col(text("value")).to_owned()
}

fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("jobs", integer("set_aside").default(0).take()),
        ("jobs", big_integer_null("not_before_ms")),
        ("jobs", string_null("avoid")),
        ("jobs", big_integer_null("avoid_until_ms")),
        ("searches", text_null("waiting_for")),
        ("checkpoints", text_null("waiting_for")),
    ]
}

//! `searches`: one pruning search each. `splits`: which images of the dataset a search uses for what; a table of its
//! own because its index lists are long and seldom read.
//!
//! `best_candidate_id` carries no foreign key: candidates already point at their search, and go only with it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, double_null, integer_null, json, pk_uuid, string, string_len, string_null,
    text_null, timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(searches()).await?;
        for column in ["model_id", "dataset_id", "state"] {
            let name = format!("ix_searches_{column}");
            manager.create_index(Index::create().name(name).table("searches").col(column).to_owned()).await?;
        }
        manager.create_table(splits()).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("splits").to_owned()).await?;
        manager.drop_table(Table::drop().table("searches").to_owned()).await
    }
}

fn searches() -> TableCreateStatement {
    Table::create()
        .table("searches")
        .col(pk_uuid("id"))
        .col(string_null("name"))
        .col(uuid("model_id"))
        .col(uuid("dataset_id"))
        .col(string_len("state", 16))
        .col(json("request"))
        .col(string("phase"))
        .col(big_integer("done"))
        .col(big_integer("total"))
        .col(double_null("baseline_top1"))
        .col(double_null("baseline_top5"))
        .col(double_null("baseline_cross_entropy"))
        .col(big_integer_null("baseline_macs"))
        .col(big_integer_null("baseline_parameters"))
        .col(integer_null("split_calibration"))
        .col(integer_null("split_scoring"))
        .col(integer_null("split_test"))
        .col(uuid_null("best_candidate_id"))
        .col(text_null("error"))
        .col(big_integer("revision"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("started_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .foreign_key(&mut kept_while_used("fk_searches_model", "model_id", "models"))
        .foreign_key(&mut kept_while_used("fk_searches_dataset", "dataset_id", "datasets"))
        .to_owned()
}

fn splits() -> TableCreateStatement {
    Table::create()
        .table("splits")
        .col(pk_uuid("search_id"))
        .col(json("calibration"))
        .col(json("scoring"))
        .col(json("test"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_splits_search")
                .from("splits", "search_id")
                .to("searches", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

/// A model or dataset stays while a search names it: without them its candidates could not be exported.
fn kept_while_used(name: &str, column: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .name(name)
        .from("searches", column)
        .to(table, "id")
        .on_delete(ForeignKeyAction::Restrict)
        .to_owned()
}

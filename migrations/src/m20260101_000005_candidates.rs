//! `candidates`: one evaluated strategy each; at most one per (search, index), whoever evaluated it.
//!
//! Scores are doubles in columns, not JSON, so that they come back to the last bit. `cross_entropy` is null where it
//! was not finite.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, double, double_null, integer, json, pk_uuid, timestamp_with_time_zone, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("candidates")
                    .col(pk_uuid("id"))
                    .col(uuid("search_id"))
                    .col(integer("index"))
                    .col(json("strategy"))
                    .col(json("keep_ratios"))
                    .col(big_integer("macs"))
                    .col(big_integer("parameters"))
                    .col(double("top1"))
                    .col(double("top5"))
                    .col(double_null("cross_entropy"))
                    .col(double_null("unadapted_top1"))
                    .col(double_null("unadapted_top5"))
                    .col(double_null("unadapted_cross_entropy"))
                    .col(double("seconds"))
                    .col(big_integer("revision"))
                    .col(timestamp_with_time_zone("created_at"))
                    .foreign_key(
                        ForeignKey::create()
                            .name("fk_candidates_search")
                            .from("candidates", "search_id")
                            .to("searches", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        manager.create_index(by_search("ux_candidates_search_index", "index").unique().to_owned()).await?;
        for column in ["top1", "macs", "revision"] {
            manager.create_index(by_search(&format!("ix_candidates_search_{column}"), column)).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("candidates").to_owned()).await
    }
}

fn by_search(name: &str, column: &'static str) -> IndexCreateStatement {
    Index::create().name(name).table("candidates").col("search_id").col(column).to_owned()
}

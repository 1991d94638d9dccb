//! Pipelines: stages of pruning, each of which begins with what the one before it has made; and what a model was made of, which is
//! null for one that was uploaded.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    integer, json, json_null, pk_uuid, string_len, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
    uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = &mut json_null("lineage");
        manager.alter_table(Table::alter().table("models").add_column(column).to_owned()).await?;
        manager.create_table(pipelines()).await?;
        manager.create_table(stages()).await
    }

    /// The models, searches and tunings of pipelines stay.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("pipeline_stages").to_owned()).await?;
        manager.drop_table(Table::drop().table("pipelines").to_owned()).await?;
        manager.alter_table(Table::alter().table("models").drop_column("lineage").to_owned()).await
    }
}

fn pipelines() -> TableCreateStatement {
    Table::create()
        .table("pipelines")
        .col(pk_uuid("id"))
        .col(string_len("state", 16))
        .col(json("request"))
        .col(text_null("error"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("finished_at"))
        .to_owned()
}

/// What a stage consists of is named without foreign keys: it can be deleted, which a pipeline that needs it then says.
fn stages() -> TableCreateStatement {
    let mut pipeline = ForeignKey::create();
    pipeline.name("fk_pipeline_stages_pipeline").from("pipeline_stages", "pipeline_id").to("pipelines", "id");
    Table::create()
        .table("pipeline_stages")
        .col(uuid("pipeline_id"))
        .col(integer("stage"))
        .col(uuid("model_id"))
        .col(uuid_null("search_id"))
        .col(uuid_null("tuning_id"))
        .col(uuid_null("checkpoint_id"))
        .primary_key(Index::create().col("pipeline_id").col("stage"))
        .foreign_key(pipeline.on_delete(ForeignKeyAction::Cascade))
        .to_owned()
}

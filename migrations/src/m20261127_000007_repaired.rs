//! A checkpoint says which weights it has: `adapted` or `repaired` ones of its candidate, or `tuned` ones of a tuning. A candidate
//! has at most one per format and weights.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::string_len;

#[derive(DeriveMigrationName)]
pub struct Migration;

const ONE_PER_FORMAT: &str = "ux_checkpoints_candidate_format";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut column = string_len("weights", 16).default("adapted").to_owned();
        manager.alter_table(Table::alter().table("checkpoints").add_column(&mut column).to_owned()).await?;
        let tuned = "UPDATE checkpoints SET weights = 'tuned' WHERE tuning_id IS NOT NULL";
        manager.get_connection().execute_unprepared(tuned).await?;
        one_per(manager, "candidate_id, format, weights").await
    }

    /// Repaired checkpoints are lost, and so are tunings that began with a repair and files of formats that were not known before.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let forget = "DELETE FROM jobs WHERE kind = 'tuning' AND subject IN \
                      (SELECT id FROM tunings WHERE start = 'repaired'); \
                      DELETE FROM jobs WHERE kind = 'export' AND subject IN \
                      (SELECT id FROM checkpoints WHERE weights = 'repaired' \
                      OR format NOT IN ('torchscript', 'onnx', 'safetensors') OR tuning_id IN \
                      (SELECT id FROM tunings WHERE start = 'repaired')); \
                      DELETE FROM checkpoints WHERE weights = 'repaired' \
                      OR format NOT IN ('torchscript', 'onnx', 'safetensors'); \
                      DELETE FROM tunings WHERE start = 'repaired'; \
                      DELETE FROM evaluations WHERE kind = 'repaired'";
        manager.get_connection().execute_unprepared(forget).await?;
        one_per(manager, "candidate_id, format").await?;
        manager.alter_table(Table::alter().table("checkpoints").drop_column("weights").to_owned()).await
    }
}

/// The index that allows a candidate one checkpoint of these; those of tunings have another.
async fn one_per(manager: &SchemaManager<'_>, columns: &str) -> Result<(), DbErr> {
    manager.drop_index(Index::drop().name(ONE_PER_FORMAT).table("checkpoints").to_owned()).await?;
    let index = format!("CREATE UNIQUE INDEX {ONE_PER_FORMAT} ON checkpoints ({columns}) WHERE tuning_id IS NULL");
    manager.get_connection().execute_unprepared(&index).await.map(drop)
}

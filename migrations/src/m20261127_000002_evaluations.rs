//! `evaluations`: how a candidate does, at most once for each kind of evaluation and set of images.
//!
//! Scores were columns of `candidates`, two for each candidate. Scores are doubles in columns, not JSON, so that they come back
//! to the last bit; `cross_entropy` is null where it was not finite. `keep_ratios`, which holds counts, becomes `groups`.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, double, double_null, string_len, uuid};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Each kind of score that candidates had, with its columns `top1`, `top5` and `cross_entropy`, and the time it took: both took
/// `seconds` together, which is given to the one that cannot do without the other's work.
const MOVED: [(&str, [&str; 3], &str); 2] = [
    ("adapted", ["top1", "top5", "cross_entropy"], "candidates.seconds"),
    ("unadapted", ["unadapted_top1", "unadapted_top5", "unadapted_cross_entropy"], "0"),
];

const INDEX: &str = "ix_candidates_search_top1";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(evaluations()).await?;
        for (kind, [top1, top5, cross_entropy], seconds) in MOVED {
            // A search stores its split before its first candidate.
            let copy = format!(
                "INSERT INTO evaluations (candidate_id, kind, image_set, images, top1, top5, cross_entropy, seconds) \
                 SELECT candidates.id, '{kind}', 'scoring', COALESCE(searches.split_scoring, 0), candidates.{top1}, \
                 candidates.{top5}, candidates.{cross_entropy}, {seconds} \
                 FROM candidates JOIN searches ON searches.id = candidates.search_id \
                 WHERE candidates.{top1} IS NOT NULL AND candidates.{top5} IS NOT NULL"
            );
            manager.get_connection().execute_unprepared(&copy).await?;
        }
        manager.drop_index(Index::drop().name(INDEX).table("candidates").to_owned()).await?;
        for column in MOVED.into_iter().flat_map(|(_, columns, _)| columns) {
            manager.alter_table(candidates().drop_column(column).to_owned()).await?;
        }
        manager.alter_table(candidates().rename_column("keep_ratios", "groups").to_owned()).await
    }

    /// Evaluations of other kinds and on other images are lost.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.alter_table(candidates().rename_column("groups", "keep_ratios").to_owned()).await?;
        for (kind, columns, _) in MOVED {
            for (column, moved) in columns.into_iter().zip(["top1", "top5", "cross_entropy"]) {
                let is_required = kind == "adapted" && moved != "cross_entropy";
                let mut definition = if is_required { double(column).default(0.0).take() } else { double_null(column) };
                manager.alter_table(candidates().add_column(&mut definition).to_owned()).await?;
                let copy = format!(
                    "UPDATE candidates SET {column} = (SELECT evaluations.{moved} FROM evaluations \
                     WHERE evaluations.candidate_id = candidates.id AND evaluations.kind = '{kind}' \
                     AND evaluations.image_set = 'scoring')"
                );
                manager.get_connection().execute_unprepared(&copy).await?;
            }
        }
        let index = Index::create().name(INDEX).table("candidates").col("search_id").col("top1").to_owned();
        manager.create_index(index).await?;
        manager.drop_table(Table::drop().table("evaluations").to_owned()).await
    }
}

fn candidates() -> TableAlterStatement {
    Table::alter().table("candidates").to_owned()
}

fn evaluations() -> TableCreateStatement {
    Table::create()
        .table("evaluations")
        .col(uuid("candidate_id"))
        .col(string_len("kind", 32))
        .col(string_len("image_set", 32))
        .col(big_integer("images"))
        .col(double("top1"))
        .col(double("top5"))
        .col(double_null("cross_entropy"))
        .col(double("seconds"))
        .primary_key(Index::create().col("candidate_id").col("kind").col("image_set"))
        .foreign_key(
            ForeignKey::create()
                .name("fk_evaluations_candidate")
                .from("evaluations", "candidate_id")
                .to("candidates", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

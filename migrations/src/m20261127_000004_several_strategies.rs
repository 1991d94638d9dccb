//! Searches with several strategies and budgets, and races: a candidate has an origin, and several evaluations of one kind on
//! growing sets of images, of which the one on most images is current. Searches have warnings and a winner for each budget.
//!
//! SQLite cannot change a primary key, so `evaluations` is made anew and what is stored is copied. Candidates of before are all of
//! their search's one strategy and budget, in order of index.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, blob_null, boolean, double, double_null, integer, integer_null, json_null,
    string_len, uuid,
};

#[derive(DeriveMigrationName)]
pub struct Migration;

/// Columns that stay as they are.
const KEPT: &str = "candidate_id, kind, image_set, images, top1, top5, cross_entropy, seconds";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        manager.rename_table(Table::rename().table("evaluations", "old_evaluations").to_owned()).await?;
        let mut table = evaluations(&["candidate_id", "kind", "image_set", "images"]);
        table
            .col(big_integer_null("calibration_images"))
            .col(double_null("cross_entropy_error"))
            .col(double_null("agreement"))
            .col(double_null("kl"))
            .col(double_null("kl_error"))
            .col(blob_null("hits"))
            .col(boolean("is_current"));
        manager.create_table(table).await?;
        let copy = format!("INSERT INTO evaluations ({KEPT}, is_current) SELECT {KEPT}, TRUE FROM old_evaluations");
        connection.execute_unprepared(&copy).await?;
        manager.drop_table(Table::drop().table("old_evaluations").to_owned()).await?;

        for mut column in [
            string_len("proposer", 64).default("random").take(),
            integer_null("budget"),
            integer("number").default(0).take(),
            boolean("is_probe").default(false).take(),
            big_integer_null("bytes"),
            json_null("latencies"),
        ] {
            manager.alter_table(Table::alter().table("candidates").add_column(&mut column).to_owned()).await?;
        }
        connection.execute_unprepared("UPDATE candidates SET number = \"index\", budget = 0").await?;
        // A request is JSON in a column of its own; databases write it with and without blanks.
        let uniform = "UPDATE candidates SET proposer = 'uniform' WHERE search_id IN (SELECT id FROM searches \
                       WHERE REPLACE(CAST(request AS TEXT), ' ', '') LIKE '%\"strategy\":\"uniform\"%')";
        connection.execute_unprepared(uniform).await?;
        for mut column in
            [json_null("warnings"), json_null("winners"), json_null("baseline_details"), blob_null("baseline_hits")]
        {
            manager.alter_table(Table::alter().table("searches").add_column(&mut column).to_owned()).await?;
        }
        Ok(())
    }

    /// Evaluations that are not current, and all that came with this migration, are lost.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for (table, columns) in [
            ("searches", &["warnings", "winners", "baseline_details", "baseline_hits"][..]),
            ("candidates", &["proposer", "budget", "number", "is_probe", "bytes", "latencies"]),
        ] {
            for &column in columns {
                manager.alter_table(Table::alter().table(table).drop_column(column).to_owned()).await?;
            }
        }
        manager.rename_table(Table::rename().table("evaluations", "new_evaluations").to_owned()).await?;
        manager.create_table(evaluations(&["candidate_id", "kind", "image_set"])).await?;
        let copy = format!("INSERT INTO evaluations ({KEPT}) SELECT {KEPT} FROM new_evaluations WHERE is_current");
        connection.execute_unprepared(&copy).await?;
        manager.drop_table(Table::drop().table("new_evaluations").to_owned()).await
    }
}

fn evaluations(key: &[&'static str]) -> TableCreateStatement {
    let mut primary = Index::create();
    for &column in key {
        primary.col(column);
    }
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
        .primary_key(&mut primary)
        .foreign_key(
            ForeignKey::create()
                .name("fk_evaluations_candidate")
                .from("evaluations", "candidate_id")
                .to("candidates", "id")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .to_owned()
}

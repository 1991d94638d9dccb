//! The database schema, one migration per table, for SQLite and PostgreSQL alike.
//!
//! A migration that has landed is never edited: a change of the schema is a new file. Timestamps that are compared
//! in SQL (leases) are integers of milliseconds, because SQLite stores dates as text of varying precision; identifiers
//! are UUID v7, whose order is the order of creation, so the primary key alone serves keyset pagination.

pub use sea_orm_migration::prelude::{MigrationTrait, MigratorTrait};

mod m20260101_000001_files;
mod m20260101_000002_models;
mod m20260101_000003_datasets;
mod m20260101_000004_searches;
mod m20260101_000005_candidates;
mod m20260101_000006_checkpoints;
mod m20260101_000007_jobs;
mod m20260102_000001_workers;
mod m20261127_000001_kinds_of_jobs;
mod m20261127_000002_evaluations;
mod m20261127_000003_events;
mod m20261127_000004_several_strategies;
mod m20261127_000005_latency_model;
mod m20261127_000006_tunings;
mod m20261127_000007_repaired;
mod m20261127_000008_tuning_races;
mod m20261127_000009_pipelines;
mod m20261128_000001_studies;
mod m20261128_000002_model_graphs;
mod m20261128_000003_turns;
mod m20261128_000004_hardware;
mod m20261128_000005_tensors;
mod m20261128_000006_resumable_uploads;
mod m20261128_000007_sha256;
mod m20261129_000001_pauses;
mod m20261129_000002_recipes;
mod m20261129_000003_device_reason;
mod m20261129_000004_references;

/// All migrations, oldest first.
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260101_000001_files::Migration),
            Box::new(m20260101_000002_models::Migration),
            Box::new(m20260101_000003_datasets::Migration),
            Box::new(m20260101_000004_searches::Migration),
            Box::new(m20260101_000005_candidates::Migration),
            Box::new(m20260101_000006_checkpoints::Migration),
            Box::new(m20260101_000007_jobs::Migration),
            Box::new(m20260102_000001_workers::Migration),
            Box::new(m20261127_000001_kinds_of_jobs::Migration),
            Box::new(m20261127_000002_evaluations::Migration),
            Box::new(m20261127_000003_events::Migration),
            Box::new(m20261127_000004_several_strategies::Migration),
            Box::new(m20261127_000005_latency_model::Migration),
            Box::new(m20261127_000006_tunings::Migration),
            Box::new(m20261127_000007_repaired::Migration),
            Box::new(m20261127_000008_tuning_races::Migration),
            Box::new(m20261127_000009_pipelines::Migration),
            Box::new(m20261128_000001_studies::Migration),
            Box::new(m20261128_000002_model_graphs::Migration),
            Box::new(m20261128_000003_turns::Migration),
            Box::new(m20261128_000004_hardware::Migration),
            Box::new(m20261128_000005_tensors::Migration),
            Box::new(m20261128_000006_resumable_uploads::Migration),
            Box::new(m20261128_000007_sha256::Migration),
            Box::new(m20261129_000001_pauses::Migration),
            Box::new(m20261129_000002_recipes::Migration),
            Box::new(m20261129_000003_device_reason::Migration),
            Box::new(m20261129_000004_references::Migration),
        ]
    }
}

//! The handle on everything that is stored.

use std::sync::Arc;
use std::time::Duration;

use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};

use crate::clock::Clock;
use crate::error::StoreError;
use crate::files::Files;
use crate::reach::Reach;
use crate::references::DatasetRoots;
use crate::subject::Subjects;

/// A handle on the database and the file store; clones are cheap and share them.
#[derive(Debug, Clone)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) database: DatabaseConnection,
    pub(crate) files: Files,
    pub(crate) clock: Clock,
    pub(crate) reach: Reach,
    /// What keeps step with its jobs.
    pub(crate) subjects: Subjects,
    /// Below which datasets may be read where they lie.
    pub(crate) dataset_roots: DatasetRoots,
    pub(crate) stale_after: Duration,
    pub(crate) max_attempts: u32,
}

impl Store {
    pub(crate) fn new(inner: Inner) -> Self {
        Store(Arc::new(inner))
    }

    /// The file store, for reading. Files are written by [`Store::upload`].
    pub fn files(&self) -> &Files {
        &self.0.files
    }

    /// Folders below which datasets may be read where they lie.
    pub fn dataset_roots(&self) -> &DatasetRoots {
        &self.0.dataset_roots
    }

    /// Answers when the database does; for health checks.
    pub async fn ping(&self) -> Result<(), StoreError> {
        Ok(self.0.database.ping().await?)
    }

    pub(crate) fn database(&self) -> &DatabaseConnection {
        &self.0.database
    }

    pub(crate) fn reach(&self) -> &Reach {
        &self.0.reach
    }

    pub(crate) fn subjects(&self) -> Subjects {
        self.0.subjects
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn stale_after(&self) -> Duration {
        self.0.stale_after
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.0.max_attempts
    }

    /// Begins a transaction that will write; it rolls back when dropped without a commit.
    ///
    /// SQLite takes the write lock here: a transaction that reads first and writes later fails at once, without
    /// waiting, when another process wrote in between.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, StoreError> {
        begin(&self.0.database).await
    }
}

pub(crate) async fn begin(database: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    Ok(database.begin_with_options(TransactionOptions { sqlite_transaction_mode, ..Default::default() }).await?)
}

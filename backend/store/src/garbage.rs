//! When a file goes: with the last row that names its hash.
//!
//! The row that named it is deleted and committed first, its file after that, in a transaction that holds the file's
//! row. A crash in between leaves a file that nothing names, which the next sweep finds; it never leaves a row that
//! names a missing file.

use std::collections::BTreeSet;
use std::time::Duration;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use crate::clock::millis;
use crate::entities::{checkpoint, dataset, file, model, thumbnail, tuning, upload, upload_part};
use crate::error::StoreError;
use crate::files::FileHash;
use crate::store::Store;

/// Rows of `files` looked at in one go by a sweep.
const SWEEP_ROWS: u64 = 500;

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Uploads that nobody had used within the age given.
    pub uploads: u64,
    /// Files that nothing named any more.
    pub files: u64,
    /// Temporary files of uploads that broke off.
    pub temporary: u64,
}

impl Store {
    /// Removes what crashes have left: uploads and temporary files older than `age`, and files that nothing names.
    ///
    /// Run at start and now and then; `age` must be longer than any upload takes.
    pub async fn sweep(&self, age: Duration) -> Result<Swept, StoreError> {
        let oldest = self.clock().now_ms().saturating_sub(millis(age));
        let uploads = upload::Entity::delete_many()
            .filter(upload::Column::CreatedAtMs.lt(oldest))
            .exec(self.database())
            .await?
            .rows_affected
            + self.resumables().sweep(age).await?;
        let files = self.sweep_files().await?;
        let temporary = self.files().sweep_temporary(age).await?;
        Ok(Swept { uploads, files, temporary })
    }

    /// Deletes those of the files that nothing names.
    pub(crate) async fn collect(&self, hashes: impl IntoIterator<Item = FileHash>) -> Result<(), StoreError> {
        for hash in hashes.into_iter().collect::<BTreeSet<_>>() {
            self.collect_one(&hash).await?;
        }
        Ok(())
    }

    async fn sweep_files(&self) -> Result<u64, StoreError> {
        let mut swept = 0;
        let mut after = String::new();
        loop {
            let hashes: Vec<String> = file::Entity::find()
                .select_only()
                .column(file::Column::Hash)
                .filter(file::Column::Hash.gt(after.as_str()))
                .order_by_asc(file::Column::Hash)
                .limit(SWEEP_ROWS)
                .into_tuple()
                .all(self.database())
                .await?;
            let Some(last) = hashes.last() else { return Ok(swept) };
            after.clone_from(last);
            for hash in hashes {
                if !is_named(self.database(), &hash).await? && self.collect_one(&hash.parse()?).await? {
                    swept += 1;
                }
            }
        }
    }

    async fn collect_one(&self, hash: &FileHash) -> Result<bool, StoreError> {
        let transaction = self.begin().await?;
        let collected = collect_locked(self, &transaction, hash).await?;
        transaction.commit().await?;
        Ok(collected)
    }
}

/// Deletes row and file while the row is locked: an upload of the same content waits, and then stores it anew.
async fn collect_locked(store: &Store, transaction: &DatabaseTransaction, hash: &FileHash) -> Result<bool, StoreError> {
    let row = file::Entity::find_by_id(hash.to_string()).lock_exclusive().one(transaction).await?;
    if row.is_none() || is_named(transaction, hash.as_str()).await? {
        return Ok(false);
    }
    file::Entity::delete_by_id(hash.to_string()).exec(transaction).await?;
    store.files().delete(hash).await?;
    Ok(true)
}

async fn is_named<C: ConnectionTrait>(connection: &C, hash: &str) -> Result<bool, StoreError> {
    let models = model::Column::FileHash.eq(hash).or(model::Column::DataHash.eq(hash));
    let datasets = dataset::Column::ImagesHash.eq(hash).or(dataset::Column::LabelsHash.eq(hash));
    let tunings = tuning::Column::SnapshotHash.eq(hash).or(tuning::Column::WeightsHash.eq(hash));
    Ok(upload::Entity::find().filter(upload::Column::FileHash.eq(hash)).count(connection).await? > 0
        || upload_part::Entity::find().filter(upload_part::Column::FileHash.eq(hash)).count(connection).await? > 0
        || model::Entity::find().filter(models).count(connection).await? > 0
        || dataset::Entity::find().filter(datasets).count(connection).await? > 0
        || thumbnail::Entity::find().filter(thumbnail::Column::FileHash.eq(hash)).count(connection).await? > 0
        || checkpoint::Entity::find().filter(checkpoint::Column::FileHash.eq(hash)).count(connection).await? > 0
        || tuning::Entity::find().filter(tunings).count(connection).await? > 0)
}

//! Getting bytes into the store.
//!
//! An upload is a claim on a file until a model, dataset, checkpoint or tuning names it. It is a row in the database, so that
//! deleting something else with the same content cannot take the file away in between.

use std::path::Path;

use bytes::Bytes;
use futures::Stream;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::entities::{file, upload};
use crate::error::{Kind, Owner, StoreError};
use crate::files::{FileHash, Sha256, Staged};
use crate::number::to_i64;
use crate::store::Store;

const READ_BYTES: usize = 1 << 20;

/// A stored file that nothing names yet. Hand it to a `create`, or to [`Store::discard`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upload {
    pub id: Uuid,
    pub hash: FileHash,
    pub sha256: Sha256,
    pub bytes: u64,
}

/// An upload together with the file name it came with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedUpload {
    pub name: String,
    pub upload: Upload,
}

impl NamedUpload {
    /// For messages about its file.
    pub fn owner(&self) -> Owner {
        Owner { kind: Kind::Upload, id: self.upload.id, name: self.name.clone(), file: None }
    }
}

impl Store {
    /// Streams `content` into the file store, in constant memory.
    ///
    /// Content that is there already is stored once. A stream that breaks off ([`StoreError::Interrupted`]) or is
    /// longer than `limit` bytes ([`StoreError::TooLarge`]) leaves nothing behind.
    pub async fn upload<S, E>(&self, content: S, limit: u64) -> Result<Upload, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let staged = self.files().stage(content, limit).await?;
        let upload = self.claim_file(&staged).await?;
        match staged.publish().await {
            Ok(()) => Ok(upload),
            Err(error) => {
                self.discard(&upload).await?;
                Err(error)
            }
        }
    }

    /// Stores bytes from memory; for small files.
    pub async fn upload_bytes(&self, content: impl Into<Bytes>) -> Result<Upload, StoreError> {
        let chunk = Ok::<Bytes, std::io::Error>(content.into());
        self.upload(futures::stream::iter([chunk]), u64::MAX).await
    }

    /// Stores a copy of a local file.
    pub async fn upload_file(&self, path: &Path) -> Result<Upload, StoreError> {
        let failed = |source| StoreError::Disk { path: path.to_owned(), source };
        let file = tokio::fs::File::open(path).await.map_err(failed)?;
        let upload = self.upload(ReaderStream::with_capacity(file, READ_BYTES), u64::MAX).await;
        upload.map_err(|error| match error {
            StoreError::Interrupted { source, .. } => failed(source),
            other => other,
        })
    }

    /// Gives an upload up: its file goes, unless something else names the same content.
    pub async fn discard(&self, upload: &Upload) -> Result<(), StoreError> {
        upload::Entity::delete_by_id(upload.id).exec(self.database()).await?;
        self.collect([upload.hash.clone()]).await
    }

    pub(crate) async fn discard_all(&self, uploads: &[Upload]) -> Result<(), StoreError> {
        for upload in uploads {
            self.discard(upload).await?;
        }
        Ok(())
    }

    async fn claim_file(&self, staged: &Staged) -> Result<Upload, StoreError> {
        let (hash, sha256) = (staged.hash.clone(), staged.sha256);
        let upload = Upload { id: Uuid::now_v7(), hash, sha256, bytes: staged.bytes };
        let transaction = self.begin().await?;
        // Updating a row that exists locks it against a deletion under way.
        file::Entity::insert(file::ActiveModel {
            hash: Set(upload.hash.to_string()),
            bytes: Set(to_i64("bytes", upload.bytes)?),
            created_at: Set(self.clock().now()),
        })
        .on_conflict(OnConflict::column(file::Column::Hash).update_column(file::Column::Bytes).to_owned())
        .exec_without_returning(&transaction)
        .await?;
        upload::Entity::insert(upload::ActiveModel {
            id: Set(upload.id),
            file_hash: Set(upload.hash.to_string()),
            created_at_ms: Set(self.clock().now_ms()),
        })
        .exec_without_returning(&transaction)
        .await?;
        transaction.commit().await?;
        Ok(upload)
    }
}

/// Ends uploads whose files are now named by other rows of the same transaction.
pub(crate) async fn consume(transaction: &DatabaseTransaction, uploads: &[Upload]) -> Result<(), StoreError> {
    for upload in uploads {
        let deleted = delete(transaction, upload).await?;
        if deleted == 0 {
            return Err(StoreError::not_found(Kind::Upload, upload.id));
        }
    }
    Ok(())
}

async fn delete<C: ConnectionTrait>(connection: &C, upload: &Upload) -> Result<u64, StoreError> {
    let outcome = upload::Entity::delete_many()
        .filter(upload::Column::Id.eq(upload.id))
        .filter(upload::Column::FileHash.eq(upload.hash.as_str()))
        .exec(connection)
        .await?;
    Ok(outcome.rows_affected)
}

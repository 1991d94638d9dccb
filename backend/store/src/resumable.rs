//! Uploads that go on after their connection has broken, on whichever server.
//!
//! What arrives is stored in parts of some megabytes, each a file of its own, so that a connection, a server or a machine may
//! go at any time and the last whole part is there. When all are there, they are stored as one file like any other upload's.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt, TryStreamExt};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use crate::clock::millis;
use crate::entities::{resumable_upload, upload_part};
use crate::error::{Kind, Owner, StoreError};
use crate::files::{Check, FileHash};
use crate::number::{from_sql, to_i64};
use crate::store::Store;
use crate::uploads::{NamedUpload, Upload, consume};

/// Bytes of a part: as much is lost where a connection breaks, and lies in memory while it arrives.
const PART_BYTES: usize = 4 << 20;
const READ_BYTES: usize = 1 << 20;

/// An upload that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumable {
    pub id: Uuid,
    /// The name that its file comes with.
    pub name: String,
    /// Bytes that it will have.
    pub length: u64,
    /// Bytes that are there; the next are sent from here on.
    pub received: u64,
}

/// The uploads of a store that are under way.
#[derive(Debug, Clone, Copy)]
pub struct Resumables<'a>(&'a Store);

impl Store {
    pub fn resumables(&self) -> Resumables<'_> {
        Resumables(self)
    }
}

impl Resumables<'_> {
    /// Begins an upload of so many bytes.
    pub async fn create(&self, name: &str, length: u64) -> Result<Resumable, StoreError> {
        let row = resumable_upload::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(name.to_owned()),
            length: Set(to_i64("length", length)?),
            received: Set(0),
            touched_at_ms: Set(self.0.clock().now_ms()),
        };
        row.insert(self.0.database()).await?.try_into()
    }

    pub async fn get(&self, id: Uuid) -> Result<Resumable, StoreError> {
        let row = resumable_upload::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Upload, id))?.try_into()
    }

    /// Adds what a stream brings, from `offset` on, which must be where the upload stands.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it stands elsewhere, [`StoreError::TooLarge`] where more comes than was announced, and
    /// [`StoreError::Interrupted`] where the stream breaks off. Whole parts that arrived before are kept.
    pub async fn append<S, E>(&self, id: Uuid, offset: u64, content: S) -> Result<Resumable, StoreError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut upload = self.get(id).await?;
        if upload.received != offset {
            return Err(elsewhere(&upload, offset));
        }
        let mut content = std::pin::pin!(content);
        let mut part = BytesMut::new();
        loop {
            let chunk = content.next().await.transpose();
            let ends = !matches!(&chunk, Ok(Some(_)));
            if let Ok(Some(chunk)) = &chunk {
                part.extend_from_slice(chunk);
                if upload.received + part.len() as u64 > upload.length {
                    return Err(StoreError::TooLarge { limit: upload.length });
                }
            }
            if part.len() >= PART_BYTES || (ends && !part.is_empty()) {
                upload = self.keep(&upload, part.split().freeze()).await?;
            }
            match chunk {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(upload),
                Err(error) => {
                    let source = std::io::Error::other(error);
                    return Err(StoreError::Interrupted { received: upload.received, source });
                }
            }
        }
    }

    /// Stores a part behind those that are there.
    async fn keep(&self, upload: &Resumable, part: Bytes) -> Result<Resumable, StoreError> {
        let length = part.len() as u64;
        let stored = self.0.upload_bytes(part).await?;
        match self.add(upload, &stored, length).await {
            Ok(upload) => Ok(upload),
            Err(error) => {
                self.0.discard(&stored).await?;
                Err(error)
            }
        }
    }

    async fn add(&self, upload: &Resumable, stored: &Upload, length: u64) -> Result<Resumable, StoreError> {
        let transaction = self.0.begin().await?;
        let row = resumable_upload::Entity::find_by_id(upload.id).lock_exclusive().one(&transaction).await?;
        let row = row.ok_or_else(|| StoreError::not_found(Kind::Upload, upload.id))?;
        let now = Resumable::try_from(row.clone())?;
        // Another connection may have gone on with it meanwhile.
        if now.received != upload.received {
            return Err(elsewhere(&now, upload.received));
        }
        let part = upload_part::ActiveModel {
            upload_id: Set(upload.id),
            start: Set(to_i64("start", upload.received)?),
            file_hash: Set(stored.hash.to_string()),
        };
        upload_part::Entity::insert(part).exec_without_returning(&transaction).await?;
        consume(&transaction, std::slice::from_ref(stored)).await?;
        let mut row = row.into_active_model();
        row.received = Set(to_i64("received", upload.received + length)?);
        row.touched_at_ms = Set(self.0.clock().now_ms());
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// Stores all parts as one file. The parts stay until [`Resumables::delete`], so that a file that is refused need not be sent
    /// again.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where bytes are missing; [`StoreError::DamagedFile`] where a part is no longer what was sent.
    pub async fn assemble(&self, id: Uuid) -> Result<NamedUpload, StoreError> {
        let upload = self.get(id).await?;
        if upload.received < upload.length {
            let reason = format!("has {} of {} bytes; send the rest first", upload.received, upload.length);
            return Err(StoreError::Conflict { kind: Kind::Upload, id, reason });
        }
        self.touch(id).await?;
        let hashes = self.parts(id).await?;
        let store = self.0.clone();
        let opened = futures::stream::iter(hashes).then(move |hash| open(store.clone(), hash));
        let stored = self.0.upload(opened.try_flatten(), upload.length).await;
        let stored = stored.map_err(|error| of_part(error, &upload))?;
        Ok(NamedUpload { name: upload.name, upload: stored })
    }

    /// Lets the time begin anew after which nobody goes on with it.
    async fn touch(&self, id: Uuid) -> Result<(), StoreError> {
        let now = Expr::value(self.0.clock().now_ms());
        resumable_upload::Entity::update_many()
            .col_expr(resumable_upload::Column::TouchedAtMs, now)
            .filter(resumable_upload::Column::Id.eq(id))
            .exec(self.0.database())
            .await?;
        Ok(())
    }

    /// Gives an upload up, or the parts of one that was stored as one file.
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let hashes = self.parts(id).await?;
        let deleted = resumable_upload::Entity::delete_by_id(id).exec(self.0.database()).await?;
        if deleted.rows_affected == 0 {
            return Err(StoreError::not_found(Kind::Upload, id));
        }
        self.0.collect(hashes).await
    }

    /// Gives up those that nobody has gone on with for so long; their files go with the next sweep of files.
    pub(crate) async fn sweep(&self, age: Duration) -> Result<u64, StoreError> {
        let oldest = self.0.clock().now_ms().saturating_sub(millis(age));
        let old = resumable_upload::Column::TouchedAtMs.lt(oldest);
        Ok(resumable_upload::Entity::delete_many().filter(old).exec(self.0.database()).await?.rows_affected)
    }

    async fn parts(&self, id: Uuid) -> Result<Vec<FileHash>, StoreError> {
        let hashes: Vec<String> = upload_part::Entity::find()
            .select_only()
            .column(upload_part::Column::FileHash)
            .filter(upload_part::Column::UploadId.eq(id))
            .order_by_asc(upload_part::Column::Start)
            .into_tuple()
            .all(self.0.database())
            .await?;
        Ok(hashes.into_iter().map(FileHash::try_from).collect::<Result<_, _>>()?)
    }
}

/// A part, to be read from its beginning.
async fn open(
    store: Store,
    hash: FileHash,
) -> Result<impl Stream<Item = Result<Bytes, StoreError>> + Send, StoreError> {
    let file = store.files().materialize(&hash, Check::Anew).await?;
    let path = file.path().to_owned();
    let unreadable = move |source| StoreError::Unreadable { path: path.clone(), source };
    let content = tokio::fs::File::open(file.path()).await.map_err(&unreadable)?;
    Ok(ReaderStream::with_capacity(content, READ_BYTES).map_err(unreadable))
}

/// Why a part could not be read: the store is at fault, and not whoever sent it.
fn of_part(error: StoreError, upload: &Resumable) -> StoreError {
    let owner = || Owner { kind: Kind::Upload, id: upload.id, name: upload.name.clone(), file: None };
    match error {
        StoreError::Interrupted { received, source } => match source.downcast::<StoreError>() {
            Ok(cause) => cause.about(owner),
            Err(source) => StoreError::Interrupted { received, source },
        },
        other => other,
    }
}

fn elsewhere(upload: &Resumable, offset: u64) -> StoreError {
    let reason = format!("stands at {} bytes and not at {offset}; go on from there", upload.received);
    StoreError::Conflict { kind: Kind::Upload, id: upload.id, reason }
}

impl TryFrom<resumable_upload::Model> for Resumable {
    type Error = StoreError;

    fn try_from(row: resumable_upload::Model) -> Result<Self, StoreError> {
        Ok(Resumable {
            id: row.id,
            name: row.name,
            length: from_sql(Kind::Upload, "length", row.length)?,
            received: from_sql(Kind::Upload, "received", row.received)?,
        })
    }
}

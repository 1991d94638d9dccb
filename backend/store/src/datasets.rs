//! Datasets: uploaded, or registered where they lie.

use std::path::Path;

use chrono::{DateTime, Utc};
use eagleeye_spec::report::{Class, DatasetContent, DatasetReport};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{dataset, search, thumbnail};
use crate::error::{Kind, Owner, StoreError};
use crate::files::{Check, FileHash, LocalFile};
use crate::number::{from_json, from_sql, to_i32, to_i64, to_json};
use crate::page::{Page, PageRequest};
use crate::referenced::{Referenced, Registered};
use crate::references::{Listing, Located};
use crate::searches::searches_with;
use crate::store::Store;
use crate::uploads::{NamedUpload, Upload, consume};

/// A dataset and what its check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    pub id: Uuid,
    pub name: String,
    /// The name the file of images was uploaded under; its ending may tell the format.
    pub images_name: String,
    /// Of the file of images; of a dataset that was not uploaded, its fingerprint.
    pub images_hash: FileHash,
    /// Labels, where they are a file of their own.
    pub labels_name: Option<String>,
    pub labels_hash: Option<FileHash>,
    /// Size of the file or files.
    pub bytes: u64,
    pub content: DatasetContent,
    /// Number of thumbnails.
    pub thumbnails: u32,
    pub created_at: DateTime<Utc>,
    /// Where it lies, if it was not uploaded.
    pub location: Option<String>,
}

impl Dataset {
    /// The file of its images, for messages.
    pub fn owner(&self) -> Owner {
        self.owner_of(self.images_name.clone())
    }

    /// A picture of it, for messages.
    pub fn owner_of_thumbnail(&self, position: u32) -> Owner {
        self.owner_of(format!("thumbnail {position}"))
    }

    /// Its uploaded files with what to call them in messages; the first holds the images.
    pub(crate) fn owned_files(&self) -> Vec<(Owner, &FileHash)> {
        if self.location.is_some() {
            return Vec::new();
        }
        let labels = self.labels_name.clone().zip(self.labels_hash.as_ref());
        let labels = labels.map(|(name, hash)| (self.owner_of(name), hash));
        std::iter::once((self.owner(), &self.images_hash)).chain(labels).collect()
    }

    fn owner_of(&self, file: String) -> Owner {
        Owner { kind: Kind::Dataset, id: self.id, name: self.name.clone(), file: Some(file) }
    }
}

/// A dataset's files on this machine.
#[derive(Debug, Clone)]
pub enum LocalDataset {
    Stored {
        images: LocalFile,
        /// Labels, where they are a file of their own.
        labels: Option<LocalFile>,
    },
    /// Files that lie where they were registered.
    Referenced(Referenced),
}

impl LocalDataset {
    /// The file of images, or the folder.
    pub fn images(&self) -> &Path {
        match self {
            Self::Stored { images, .. } => images.path(),
            Self::Referenced(referenced) => referenced.path(),
        }
    }

    pub fn labels(&self) -> Option<&Path> {
        match self {
            Self::Stored { labels, .. } => labels.as_ref().map(LocalFile::path),
            Self::Referenced(_) => None,
        }
    }

    /// Fails when something was written to since it was verified; for readers to ask when they are done with it.
    pub fn still_intact(&self) -> Result<(), StoreError> {
        match self {
            Self::Stored { images, labels } => {
                std::iter::once(images).chain(labels).try_for_each(LocalFile::still_intact)
            }
            Self::Referenced(referenced) => referenced.still_intact(),
        }
    }
}

/// What is needed to create a [`Dataset`].
#[derive(Debug, Clone)]
pub struct NewDataset {
    pub name: String,
    pub images_file: NamedUpload,
    pub labels_file: Option<NamedUpload>,
    pub report: DatasetReport,
    /// PNG files, in order.
    pub thumbnails: Vec<Upload>,
}

/// What is needed to create a [`Dataset`] that stays where it is.
#[derive(Debug, Clone)]
pub struct NewReference {
    pub name: String,
    pub located: Located,
    /// What was there before it was checked.
    pub listing: Listing,
    pub report: DatasetReport,
    /// PNG files, in order.
    pub thumbnails: Vec<Upload>,
}

impl NewDataset {
    fn files(&self) -> Vec<Upload> {
        let named = [Some(&self.images_file), self.labels_file.as_ref()];
        named.into_iter().flatten().map(|named| named.upload.clone()).collect()
    }
}

/// The datasets of a store.
#[derive(Debug, Clone, Copy)]
pub struct Datasets<'a>(&'a Store);

impl Store {
    pub fn datasets(&self) -> Datasets<'_> {
        Datasets(self)
    }
}

impl Datasets<'_> {
    /// Stores a dataset and takes over its uploads. When that fails the uploads are discarded.
    pub async fn create(&self, new: NewDataset) -> Result<Dataset, StoreError> {
        let files = new.files();
        let thumbnails = new.thumbnails.clone();
        let bytes = files.iter().map(|upload| upload.bytes).sum();
        match self.insert(new, &files, Place { bytes, location: None }).await {
            Ok(dataset) => Ok(dataset),
            Err(error) => {
                self.0.discard_all(&files).await?;
                self.0.discard_all(&thumbnails).await?;
                Err(error)
            }
        }
    }

    /// Stores where a dataset lies and what was there, and takes over its thumbnails. When that fails they are discarded.
    pub async fn create_reference(&self, new: NewReference) -> Result<Dataset, StoreError> {
        let NewReference { name, located, listing, report, thumbnails } = new;
        let upload = match self.0.upload_bytes(listing.text().to_owned()).await {
            Ok(upload) => upload,
            Err(error) => {
                self.0.discard_all(&thumbnails).await?;
                return Err(error);
            }
        };
        let file_name = located.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let images_file = NamedUpload { name: file_name, upload };
        let new = NewDataset { name, images_file, labels_file: None, report, thumbnails };
        let (files, thumbnails) = (new.files(), new.thumbnails.clone());
        let place = Place { bytes: listing.bytes, location: Some(located.location) };
        match self.insert(new, &files, place).await {
            Ok(dataset) => Ok(dataset),
            Err(error) => {
                self.0.discard_all(&files).await?;
                self.0.discard_all(&thumbnails).await?;
                Err(error)
            }
        }
    }

    pub async fn get(&self, id: Uuid) -> Result<Dataset, StoreError> {
        let row = dataset::Entity::find_by_id(id).one(self.0.database()).await?;
        let row = row.ok_or_else(|| StoreError::not_found(Kind::Dataset, id))?;
        let thumbnails = count_thumbnails(self.0.database(), id).await?;
        into_dataset(row, thumbnails)
    }

    /// Newest first.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Dataset>, StoreError> {
        let mut query = dataset::Entity::find().order_by_desc(dataset::Column::Id).limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(dataset::Column::Id.lt(id));
        }
        let mut datasets = Vec::new();
        for row in query.all(self.0.database()).await? {
            let thumbnails = count_thumbnails(self.0.database(), row.id).await?;
            datasets.push(into_dataset(row, thumbnails)?);
        }
        Ok(Page::cut(datasets, page.limit(), |dataset| dataset.id.to_string()))
    }

    /// A dataset's files on this machine, verified. Of one that was not uploaded, names, sizes and times are compared with those of
    /// its registration, however it is to be checked: its contents have no hashes.
    ///
    /// # Errors
    /// [`StoreError::DamagedFile`] for one that is missing or no longer has its content, [`StoreError::Reference`] for what has
    /// changed where it lies, or cannot be read from here.
    pub async fn local(&self, dataset: &Dataset, check: Check) -> Result<LocalDataset, StoreError> {
        if let Some(location) = &dataset.location {
            let registered =
                Registered { id: dataset.id, name: &dataset.name, location, fingerprint: &dataset.images_hash };
            return Ok(LocalDataset::Referenced(Referenced::find(self.0, registered).await?));
        }
        let local = async |name: &str, hash: &FileHash| {
            let file = self.0.files().materialize(hash, check).await;
            file.map_err(|error| error.about(|| dataset.owner_of(name.to_owned())))
        };
        let images = local(&dataset.images_name, &dataset.images_hash).await?;
        let labels = match dataset.labels_name.as_deref().zip(dataset.labels_hash.as_ref()) {
            Some((name, hash)) => Some(local(name, hash).await?),
            None => None,
        };
        Ok(LocalDataset::Stored { images, labels })
    }

    /// The file of the thumbnail at `position`, counted from 0.
    pub async fn thumbnail(&self, id: Uuid, position: u32) -> Result<FileHash, StoreError> {
        let missing = || StoreError::not_found(Kind::Thumbnail, format!("{position} of dataset {id}"));
        let key = (id, i32::try_from(position).map_err(|_| missing())?);
        let row = thumbnail::Entity::find_by_id(key).one(self.0.database()).await?;
        Ok(row.ok_or_else(missing)?.file_hash.parse()?)
    }

    /// Gives a dataset another name.
    pub async fn rename(&self, id: Uuid, name: String) -> Result<Dataset, StoreError> {
        let transaction = self.0.begin().await?;
        let row = dataset::Entity::find_by_id(id).lock_exclusive().one(&transaction).await?;
        let mut row = row.ok_or_else(|| StoreError::not_found(Kind::Dataset, id))?.into_active_model();
        row.name = Set(name);
        let row = row.update(&transaction).await?;
        let thumbnails = count_thumbnails(&transaction, id).await?;
        transaction.commit().await?;
        into_dataset(row, thumbnails)
    }

    /// Deletes a dataset and its uploaded files. A dataset that a search names stays: [`StoreError::InUse`].
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let row = dataset::Entity::find_by_id(id).lock_exclusive().one(&transaction).await?;
        let row = row.ok_or_else(|| StoreError::not_found(Kind::Dataset, id))?;
        let searches = searches_with(&transaction, search::Column::DatasetId, id).await?;
        if !searches.is_empty() {
            return Err(StoreError::InUse { kind: Kind::Dataset, id, searches });
        }
        let thumbnails =
            thumbnail::Entity::find().filter(thumbnail::Column::DatasetId.eq(id)).all(&transaction).await?;
        dataset::Entity::delete_by_id(id).exec(&transaction).await?;
        transaction.commit().await?;

        let thumbnails = thumbnails.into_iter().map(|thumbnail| thumbnail.file_hash);
        let hashes: Vec<FileHash> = [Some(row.images_hash), row.labels_hash]
            .into_iter()
            .flatten()
            .chain(thumbnails)
            .map(FileHash::try_from)
            .collect::<Result<_, _>>()?;
        self.0.collect(hashes).await
    }

    async fn insert(&self, new: NewDataset, files: &[Upload], place: Place) -> Result<Dataset, StoreError> {
        let transaction = self.0.begin().await?;
        let DatasetContent { kind, images, classes, channels, width, height, labelled: _ } = &new.report.content;
        let row = dataset::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(new.name),
            kind: Set(kind.name().to_owned()),
            images_name: Set(new.images_file.name),
            images_hash: Set(new.images_file.upload.hash.into()),
            labels_name: Set(new.labels_file.as_ref().map(|labels| labels.name.clone())),
            labels_hash: Set(new.labels_file.map(|labels| labels.upload.hash.into())),
            bytes: Set(to_i64("bytes", place.bytes)?),
            images: Set(to_i64("images", *images)?),
            channels: Set(to_i32("channels", (*channels).into())?),
            width: Set(to_i32("width", (*width).into())?),
            height: Set(to_i32("height", (*height).into())?),
            classes: Set(to_json(Kind::Dataset, "classes", classes)?),
            summary: Set(stored(&new.report)?),
            created_at: Set(self.0.clock().now()),
            location: Set(place.location),
        }
        .insert(&transaction)
        .await?;
        for (position, upload) in (0i32..).zip(&new.thumbnails) {
            let (dataset_id, position) = (Set(row.id), Set(position));
            let thumbnail = thumbnail::ActiveModel { dataset_id, position, file_hash: Set(upload.hash.to_string()) };
            thumbnail::Entity::insert(thumbnail).exec_without_returning(&transaction).await?;
        }
        consume(&transaction, files).await?;
        consume(&transaction, &new.thumbnails).await?;
        transaction.commit().await?;
        into_dataset(row, new.thumbnails.len() as u64)
    }
}

/// What a dataset takes, and where.
struct Place {
    bytes: u64,
    /// Where it was not uploaded.
    location: Option<String>,
}

async fn count_thumbnails<C: ConnectionTrait>(connection: &C, id: Uuid) -> Result<u64, StoreError> {
    Ok(thumbnail::Entity::find().filter(thumbnail::Column::DatasetId.eq(id)).count(connection).await?)
}

fn stored(report: &DatasetReport) -> Result<serde_json::Value, StoreError> {
    let corrupt = |reason| StoreError::Corrupt { kind: Kind::Dataset, column: "summary", reason };
    report.to_stored().map_err(|error| corrupt(error.to_string()))
}

fn into_dataset(row: dataset::Model, thumbnails: u64) -> Result<Dataset, StoreError> {
    let kind = Kind::Dataset;
    let classes: Vec<Class> = from_json(kind, "classes", row.classes)?;
    let content = DatasetContent {
        kind: from_json(kind, "kind", row.kind.into())?,
        images: from_sql(kind, "images", row.images)?,
        labelled: !classes.is_empty(),
        classes,
        channels: from_sql(kind, "channels", row.channels)?,
        width: from_sql(kind, "width", row.width)?,
        height: from_sql(kind, "height", row.height)?,
    };
    Ok(Dataset {
        id: row.id,
        name: row.name,
        images_name: row.images_name,
        images_hash: row.images_hash.parse()?,
        labels_name: row.labels_name,
        labels_hash: row.labels_hash.map(FileHash::try_from).transpose()?,
        bytes: from_sql(kind, "bytes", row.bytes)?,
        content,
        thumbnails: from_sql(kind, "thumbnails", thumbnails)?,
        created_at: row.created_at,
        location: row.location,
    })
}

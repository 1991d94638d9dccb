//! Uploaded networks.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::entities::model::ModelFormat;
use crate::entities::{model, search};
use crate::error::{Kind, Owner, StoreError};
use crate::files::{Check, FileHash, LocalFile};
use crate::number::{from_json, from_sql, to_i32, to_i64, to_json};
use crate::page::{Page, PageRequest};
use crate::searches::searches_with;
use crate::store::Store;
use crate::uploads::{NamedUpload, Upload, consume};

/// Budgets that a search can reach on a network, as fractions of its MACs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reachable {
    pub min: f64,
    pub max: f64,
}

/// An uploaded network and what its inspection found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub id: Uuid,
    pub name: String,
    pub format: ModelFormat,
    /// The name the file was uploaded under.
    pub file_name: String,
    pub hash: FileHash,
    /// The file of external weights that an ONNX file may come with, under the name by which the ONNX file refers to it.
    pub data_name: Option<String>,
    pub data_hash: Option<FileHash>,
    /// Size of the file or files.
    pub bytes: u64,
    /// Of the first input, batch dimension included.
    pub input_shape: Vec<u64>,
    /// Multiply-accumulates for one image.
    pub macs: u64,
    pub parameters: u64,
    pub batch_norms: u32,
    /// Width of the output, where the network is a classifier.
    pub classes: Option<u32>,
    pub reachable: Reachable,
    /// What `eagleeye-worker inspect --json` printed.
    pub report: serde_json::Value,
    pub created_at: DateTime<Utc>,
}

impl Model {
    /// The file of the network itself, for messages.
    pub fn owner(&self) -> Owner {
        self.owner_of(&self.file_name)
    }

    fn owner_of(&self, file: &str) -> Owner {
        Owner { kind: Kind::Model, id: self.id, name: self.name.clone(), file: Some(file.to_owned()) }
    }

    /// Its files with the names that they were uploaded under; the first is the network itself.
    pub fn files(&self) -> Vec<(&str, &FileHash)> {
        let data = self.data_name.as_deref().zip(self.data_hash.as_ref());
        std::iter::once((self.file_name.as_str(), &self.hash)).chain(data).collect()
    }

    /// [`Model::files`], with what to call them in messages.
    pub(crate) fn owned_files(&self) -> Vec<(Owner, &FileHash)> {
        self.files().into_iter().map(|(name, hash)| (self.owner_of(name), hash)).collect()
    }
}

/// What is needed to create a [`Model`].
#[derive(Debug, Clone)]
pub struct NewModel {
    pub name: String,
    pub format: ModelFormat,
    pub file: NamedUpload,
    pub data: Option<NamedUpload>,
    pub input_shape: Vec<u64>,
    pub macs: u64,
    pub parameters: u64,
    pub batch_norms: u32,
    pub classes: Option<u32>,
    pub reachable: Reachable,
    pub report: serde_json::Value,
}

impl NewModel {
    fn uploads(&self) -> Vec<Upload> {
        [Some(&self.file), self.data.as_ref()].into_iter().flatten().map(|named| named.upload.clone()).collect()
    }
}

/// What another inspection of a stored network found, with another input shape.
#[derive(Debug, Clone)]
pub struct Reinspection {
    pub input_shape: Vec<u64>,
    pub macs: u64,
    pub parameters: u64,
    pub batch_norms: u32,
    pub classes: Option<u32>,
    pub reachable: Reachable,
    pub report: serde_json::Value,
}

/// The models of a store.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a>(&'a Store);

impl Store {
    pub fn models(&self) -> Models<'_> {
        Models(self)
    }
}

impl Models<'_> {
    /// Stores a model and takes over its uploads. When that fails the uploads are discarded.
    pub async fn create(&self, new: NewModel) -> Result<Model, StoreError> {
        let uploads = new.uploads();
        match self.insert(new, &uploads).await {
            Ok(model) => Ok(model),
            Err(error) => {
                self.0.discard_all(&uploads).await?;
                Err(error)
            }
        }
    }

    pub async fn get(&self, id: Uuid) -> Result<Model, StoreError> {
        let row = model::Entity::find_by_id(id).one(self.0.database()).await?;
        row.ok_or_else(|| StoreError::not_found(Kind::Model, id))?.try_into()
    }

    /// A model's files on this machine, verified, in the order of [`Model::files`].
    ///
    /// # Errors
    /// [`StoreError::DamagedFile`] for one that is missing or no longer has its content.
    pub async fn local(&self, model: &Model, check: Check) -> Result<Vec<LocalFile>, StoreError> {
        let mut local = Vec::new();
        for (name, hash) in model.files() {
            let file = self.0.files().materialize(hash, check).await;
            local.push(file.map_err(|error| error.about(|| model.owner_of(name)))?);
        }
        Ok(local)
    }

    /// Newest first.
    pub async fn list(&self, page: &PageRequest) -> Result<Page<Model>, StoreError> {
        let mut query = model::Entity::find().order_by_desc(model::Column::Id).limit(page.limit() + 1);
        if let Some(id) = page.after_id()? {
            query = query.filter(model::Column::Id.lt(id));
        }
        let rows = query.all(self.0.database()).await?;
        let models = rows.into_iter().map(Model::try_from).collect::<Result<_, _>>()?;
        Ok(Page::cut(models, page.limit(), |model: &Model| model.id.to_string()))
    }

    /// Gives a model another name.
    pub async fn rename(&self, id: Uuid, name: String) -> Result<Model, StoreError> {
        let transaction = self.0.begin().await?;
        let mut row = locked(&transaction, id).await?.into_active_model();
        row.name = Set(name);
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// Replaces what is known of a model's network. Searches keep the shape that they were begun with, so a model that a
    /// search names stays as it is: [`StoreError::InUse`].
    pub async fn reinspected(&self, id: Uuid, found: Reinspection) -> Result<Model, StoreError> {
        let transaction = self.0.begin().await?;
        let mut row = locked(&transaction, id).await?.into_active_model();
        let searches = searches_with(&transaction, search::Column::ModelId, id).await?;
        if !searches.is_empty() {
            return Err(StoreError::InUse { kind: Kind::Model, id, searches });
        }
        row.input_shape = Set(to_json(Kind::Model, "input_shape", &found.input_shape)?);
        row.macs = Set(to_i64("macs", found.macs)?);
        row.parameters = Set(to_i64("parameters", found.parameters)?);
        row.batch_norms = Set(to_i32("batch_norms", found.batch_norms.into())?);
        row.classes = Set(found.classes.map(|classes| to_i32("classes", classes.into())).transpose()?);
        row.reachable_min = Set(found.reachable.min);
        row.reachable_max = Set(found.reachable.max);
        row.report = Set(found.report);
        let row = row.update(&transaction).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// Stores what a newer version found in the same file under the same input shape. Nothing else of the model changes, so
    /// searches may name it. Where somebody has set another shape since `model` was read, the report of that shape stays.
    pub async fn complete_report(&self, model: &Model, report: serde_json::Value) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let row = locked(&transaction, model.id).await?;
        if row.input_shape != to_json(Kind::Model, "input_shape", &model.input_shape)? {
            return Ok(());
        }
        let mut row = row.into_active_model();
        row.report = Set(report);
        row.update(&transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// The searches that name a model, oldest first.
    pub async fn searches(&self, id: Uuid) -> Result<Vec<Uuid>, StoreError> {
        searches_with(self.0.database(), search::Column::ModelId, id).await
    }

    /// Deletes a model and its files. A model that a search names stays: [`StoreError::InUse`].
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let model: Model = locked(&transaction, id).await?.try_into()?;
        let searches = searches_with(&transaction, search::Column::ModelId, id).await?;
        if !searches.is_empty() {
            return Err(StoreError::InUse { kind: Kind::Model, id, searches });
        }
        model::Entity::delete_by_id(id).exec(&transaction).await?;
        transaction.commit().await?;
        self.0.collect([Some(model.hash), model.data_hash].into_iter().flatten()).await
    }

    async fn insert(&self, new: NewModel, uploads: &[Upload]) -> Result<Model, StoreError> {
        let transaction = self.0.begin().await?;
        let row = model::ActiveModel {
            id: Set(Uuid::now_v7()),
            name: Set(new.name),
            format: Set(new.format),
            file_name: Set(new.file.name),
            file_hash: Set(new.file.upload.hash.into()),
            data_name: Set(new.data.as_ref().map(|data| data.name.clone())),
            data_hash: Set(new.data.map(|data| data.upload.hash.into())),
            bytes: Set(to_i64("bytes", uploads.iter().map(|upload| upload.bytes).sum())?),
            input_shape: Set(to_json(Kind::Model, "input_shape", &new.input_shape)?),
            macs: Set(to_i64("macs", new.macs)?),
            parameters: Set(to_i64("parameters", new.parameters)?),
            batch_norms: Set(to_i32("batch_norms", new.batch_norms.into())?),
            classes: Set(new.classes.map(|classes| to_i32("classes", classes.into())).transpose()?),
            reachable_min: Set(new.reachable.min),
            reachable_max: Set(new.reachable.max),
            report: Set(new.report),
            created_at: Set(self.0.clock().now()),
        }
        .insert(&transaction)
        .await?;
        consume(&transaction, uploads).await?;
        transaction.commit().await?;
        row.try_into()
    }
}

async fn locked(transaction: &DatabaseTransaction, id: Uuid) -> Result<model::Model, StoreError> {
    let row = model::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Model, id))
}

impl TryFrom<model::Model> for Model {
    type Error = StoreError;

    fn try_from(row: model::Model) -> Result<Self, StoreError> {
        let kind = Kind::Model;
        Ok(Model {
            id: row.id,
            name: row.name,
            format: row.format,
            file_name: row.file_name,
            hash: row.file_hash.parse()?,
            data_name: row.data_name,
            data_hash: row.data_hash.map(FileHash::try_from).transpose()?,
            bytes: from_sql(kind, "bytes", row.bytes)?,
            input_shape: from_json(kind, "input_shape", row.input_shape)?,
            macs: from_sql(kind, "macs", row.macs)?,
            parameters: from_sql(kind, "parameters", row.parameters)?,
            batch_norms: from_sql(kind, "batch_norms", row.batch_norms)?,
            classes: row.classes.map(|classes| from_sql(kind, "classes", classes)).transpose()?,
            reachable: Reachable { min: row.reachable_min, max: row.reachable_max },
            report: row.report,
            created_at: row.created_at,
        })
    }
}

//! Uploaded networks.

use chrono::{DateTime, Utc};
use eagleeye_spec::report::{ModelFigures, ModelInspection, NetworkGraph, NetworkTensors, Reachable};
use eagleeye_spec::{Lineage, StoredError};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseTransaction, EntityTrait, IntoActiveModel, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::entities::{model, model_graph, search};
use crate::error::{Kind, Owner, StoreError};
use crate::files::{Check, FileHash, LocalFile, Sha256};
use crate::number::{from_json, from_sql, to_i32, to_i64, to_json};
use crate::page::{Page, PageRequest};
use crate::searches::searches_with;
use crate::store::Store;
use crate::uploads::{NamedUpload, Upload, consume};

/// An uploaded network and what its inspection found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub id: Uuid,
    pub name: String,
    /// The name the file was uploaded under.
    pub file_name: String,
    pub hash: FileHash,
    /// Of the same file; none where an older version has stored it.
    pub sha256: Option<Sha256>,
    /// The file of external weights that an ONNX file may come with, under the name by which the ONNX file refers to it.
    pub data_name: Option<String>,
    pub data_hash: Option<FileHash>,
    /// Size of the file or files.
    pub bytes: u64,
    /// Of the first input, batch dimension included.
    pub input_shape: Vec<u64>,
    pub figures: ModelFigures,
    /// The stored inspection, of this version or an older one; [`Model::inspection`] reads it.
    pub report: serde_json::Value,
    /// What it was made of; none for one that was uploaded.
    pub lineage: Option<Lineage>,
    pub created_at: DateTime<Utc>,
}

impl Model {
    /// All that the inspection found.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] where the stored report is damaged, or a newer version has written it.
    pub fn inspection(&self) -> Result<ModelInspection, StoreError> {
        ModelInspection::from_stored(self.report.clone()).map_err(|error| {
            let reason = format!("model {}: {error}", self.id);
            StoreError::Corrupt { kind: Kind::Model, column: "report", reason }
        })
    }

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
    pub file: NamedUpload,
    pub data: Option<NamedUpload>,
    pub inspection: ModelInspection,
    pub lineage: Option<Lineage>,
}

impl NewModel {
    pub(crate) fn uploads(&self) -> Vec<Upload> {
        [Some(&self.file), self.data.as_ref()].into_iter().flatten().map(|named| named.upload.clone()).collect()
    }
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
        match self.insert(new).await {
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

    /// Replaces what is known of a model's network by what another inspection found, with another input shape. Searches keep
    /// the shape that they were begun with, so a model that a search names stays as it is: [`StoreError::InUse`].
    pub async fn reinspected(&self, id: Uuid, found: &ModelInspection) -> Result<Model, StoreError> {
        let transaction = self.0.begin().await?;
        let mut row = locked(&transaction, id).await?.into_active_model();
        let searches = searches_with(&transaction, search::Column::ModelId, id).await?;
        if !searches.is_empty() {
            return Err(StoreError::InUse { kind: Kind::Model, id, searches });
        }
        set_report(&mut row, found)?;
        let row = row.update(&transaction).await?;
        keep_graph(&transaction, id, found).await?;
        transaction.commit().await?;
        row.try_into()
    }

    /// The network as it is drawn; none where an older version has inspected it, until [`Models::complete_report`].
    pub async fn graph(&self, id: Uuid) -> Result<Option<NetworkGraph>, StoreError> {
        let row = model_graph::Entity::find_by_id(id).one(self.0.database()).await?;
        row.map(|row| from_json(Kind::Model, "graph", row.graph)).transpose()
    }

    /// How the values of the network's tensors are spread; none where an older version has inspected it, until
    /// [`Models::complete_report`].
    pub async fn tensors(&self, id: Uuid) -> Result<Option<NetworkTensors>, StoreError> {
        let row = model_graph::Entity::find_by_id(id).one(self.0.database()).await?;
        let stored = row.and_then(|row| row.tensors);
        stored.map(|tensors| from_json(Kind::Model, "tensors", tensors)).transpose()
    }

    /// Whether [`Models::graph`] and [`Models::tensors`] have something to give.
    pub async fn is_drawn(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = model_graph::Entity::find_by_id(id).filter(model_graph::Column::Tensors.is_not_null());
        let found = found.select_only().column(model_graph::Column::ModelId);
        Ok(found.into_tuple::<Uuid>().one(self.0.database()).await?.is_some())
    }

    /// Stores what a newer version found in the same file under the same input shape. Nothing else of the model changes, so
    /// searches may name it. Where somebody has set another shape since `model` was read, the report of that shape stays.
    pub async fn complete_report(&self, model: &Model, found: &ModelInspection) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let row = locked(&transaction, model.id).await?;
        if row.input_shape != to_json(Kind::Model, "input_shape", &model.input_shape)? {
            return Ok(());
        }
        let mut row = row.into_active_model();
        row.report = Set(stored(found)?);
        row.update(&transaction).await?;
        keep_graph(&transaction, model.id, found).await?;
        Ok(transaction.commit().await?)
    }

    /// The searches that name a model, oldest first.
    pub async fn searches(&self, id: Uuid) -> Result<Vec<Uuid>, StoreError> {
        searches_with(self.0.database(), search::Column::ModelId, id).await
    }

    /// Deletes a model and its files, whether or not its report can be read. A model that a search names stays:
    /// [`StoreError::InUse`].
    pub async fn delete(&self, id: Uuid) -> Result<(), StoreError> {
        let transaction = self.0.begin().await?;
        let hashes = model::Entity::find_by_id(id).lock_exclusive().select_only();
        let hashes = hashes.column(model::Column::FileHash).column(model::Column::DataHash);
        let found: Option<(String, Option<String>)> = hashes.into_tuple().one(&transaction).await?;
        let (file, data) = found.ok_or_else(|| StoreError::not_found(Kind::Model, id))?;
        let searches = searches_with(&transaction, search::Column::ModelId, id).await?;
        if !searches.is_empty() {
            return Err(StoreError::InUse { kind: Kind::Model, id, searches });
        }
        model::Entity::delete_by_id(id).exec(&transaction).await?;
        transaction.commit().await?;
        let hashes: Vec<FileHash> =
            [Some(file), data].into_iter().flatten().map(FileHash::try_from).collect::<Result<_, _>>()?;
        self.0.collect(hashes).await
    }

    async fn insert(&self, new: NewModel) -> Result<Model, StoreError> {
        let transaction = self.0.begin().await?;
        let row = insert_in(self.0, &transaction, new).await?;
        transaction.commit().await?;
        row.try_into()
    }
}

/// [`Models::create`] inside a transaction; when it fails the uploads are the caller's still.
pub(crate) async fn insert_in(
    store: &Store,
    transaction: &DatabaseTransaction,
    new: NewModel,
) -> Result<model::Model, StoreError> {
    let uploads = new.uploads();
    let mut row = model::ActiveModel {
        id: Set(Uuid::now_v7()),
        name: Set(new.name),
        file_name: Set(new.file.name),
        file_hash: Set(new.file.upload.hash.into()),
        sha256: Set(Some(new.file.upload.sha256.into())),
        data_name: Set(new.data.as_ref().map(|data| data.name.clone())),
        data_hash: Set(new.data.map(|data| data.upload.hash.into())),
        bytes: Set(to_i64("bytes", uploads.iter().map(|upload| upload.bytes).sum())?),
        lineage: Set(new.lineage.as_ref().map(Lineage::to_stored).transpose().map_err(unreadable)?),
        created_at: Set(store.clock().now()),
        ..Default::default()
    };
    set_report(&mut row, &new.inspection)?;
    let row = row.insert(transaction).await?;
    keep_graph(transaction, row.id, &new.inspection).await?;
    consume(transaction, &uploads).await?;
    Ok(row)
}

/// # Errors
/// [`StoreError::NotFound`] where it does not.
pub(crate) async fn exists(transaction: &DatabaseTransaction, id: Uuid) -> Result<(), StoreError> {
    let found = model::Entity::find_by_id(id).one(transaction).await?;
    found.map(drop).ok_or_else(|| StoreError::not_found(Kind::Model, id))
}

fn unreadable(error: StoredError) -> StoreError {
    StoreError::Corrupt { kind: Kind::Model, column: "lineage", reason: error.to_string() }
}

async fn locked(transaction: &DatabaseTransaction, id: Uuid) -> Result<model::Model, StoreError> {
    let row = model::Entity::find_by_id(id).lock_exclusive().one(transaction).await?;
    row.ok_or_else(|| StoreError::not_found(Kind::Model, id))
}

/// Fills every column that an inspection decides.
fn set_report(row: &mut model::ActiveModel, found: &ModelInspection) -> Result<(), StoreError> {
    let ModelFigures { format, guessed_shape: _, macs, parameters, batch_norms, reachable, classes } =
        &found.report.figures;
    row.format = Set(format.name().to_owned());
    row.input_shape = Set(to_json(Kind::Model, "input_shape", &found.report.input_shape().unwrap_or_default())?);
    row.macs = Set(to_i64("macs", *macs)?);
    row.parameters = Set(to_i64("parameters", *parameters)?);
    row.batch_norms = Set(to_i32("batch_norms", (*batch_norms).into())?);
    row.classes = Set(classes.map(|classes| to_i32("classes", classes.into())).transpose()?);
    row.reachable_min = Set(reachable.min);
    row.reachable_max = Set(reachable.max);
    row.report = Set(stored(found)?);
    Ok(())
}

/// Puts the drawing of a model's network, and what its tensors are like, in the place of those before them.
async fn keep_graph(transaction: &DatabaseTransaction, id: Uuid, found: &ModelInspection) -> Result<(), StoreError> {
    model_graph::Entity::delete_by_id(id).exec(transaction).await?;
    if let Some(graph) = &found.graph {
        let tensors = found.tensors.as_ref().map(|tensors| to_json(Kind::Model, "tensors", tensors)).transpose()?;
        let row = model_graph::ActiveModel {
            model_id: Set(id),
            graph: Set(to_json(Kind::Model, "graph", graph)?),
            tensors: Set(tensors),
        };
        model_graph::Entity::insert(row).exec_without_returning(transaction).await?;
    }
    Ok(())
}

/// The report as its column has it: the drawing and the tensors have a table of their own.
fn stored(found: &ModelInspection) -> Result<serde_json::Value, StoreError> {
    let corrupt = |reason| StoreError::Corrupt { kind: Kind::Model, column: "report", reason };
    let found = ModelInspection { graph: None, tensors: None, ..found.clone() };
    found.to_stored().map_err(|error| corrupt(error.to_string()))
}

impl TryFrom<model::Model> for Model {
    type Error = StoreError;

    fn try_from(row: model::Model) -> Result<Self, StoreError> {
        let kind = Kind::Model;
        let figures = ModelFigures {
            format: from_json(kind, "format", row.format.into())?,
            // The only one that has no column. A list is shown even where a report cannot be read.
            guessed_shape: row.report["guessed_shape"].as_bool().unwrap_or_default(),
            macs: from_sql(kind, "macs", row.macs)?,
            parameters: from_sql(kind, "parameters", row.parameters)?,
            batch_norms: from_sql(kind, "batch_norms", row.batch_norms)?,
            reachable: Reachable { min: row.reachable_min, max: row.reachable_max },
            classes: row.classes.map(|classes| from_sql(kind, "classes", classes)).transpose()?,
        };
        Ok(Model {
            id: row.id,
            name: row.name,
            file_name: row.file_name,
            hash: row.file_hash.parse()?,
            sha256: row.sha256.map(Sha256::try_from).transpose()?,
            data_name: row.data_name,
            data_hash: row.data_hash.map(FileHash::try_from).transpose()?,
            bytes: from_sql(kind, "bytes", row.bytes)?,
            input_shape: from_json(kind, "input_shape", row.input_shape)?,
            figures,
            report: row.report,
            lineage: row.lineage.map(Lineage::from_stored).transpose().map_err(unreadable)?,
            created_at: row.created_at,
        })
    }
}

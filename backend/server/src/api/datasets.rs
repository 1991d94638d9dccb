//! Datasets: images that were uploaded or registered, with what their check found.

use std::path::Path as FilePath;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::report::{DatasetContent, DatasetReport};
use eagleeye_store::{self as store, NewDataset, Store, Upload};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::BASE;
use super::files::{Disposition, StoredFile, download};
use eagleeye_spec::name::name;

use super::names::{Renaming, checked_name};
use super::paging::{Page, PageQuery};
use crate::extract::{self, Path, Query};
use crate::problem::{Kind, Problem};
use crate::state::AppState;
use crate::store_problem::storage;
use crate::upload::{Body, Expected, Received, discard};

/// Thumbnails beyond this are not kept.
const MAX_THUMBNAILS: usize = 64;
const MAX_THUMBNAIL_BYTES: u64 = 1 << 20;

const PARTS: Expected = Expected { files: &["file", "images", "labels"], texts: &["name"] };

/// Images, with labels or without.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Dataset {
    pub id: Uuid,
    /// Given at upload or later; defaults to the file name without its extension.
    pub name: String,
    /// Where it lies on the server, if it was registered by its location (`createReferencedDataset`) and not uploaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/data/images/train")]
    pub location: Option<String>,
    /// Size of the files in bytes.
    pub bytes: u64,
    #[serde(flatten)]
    pub content: DatasetContent,
    /// Number of thumbnails, which are numbered from 0.
    pub thumbnails: u32,
    pub created_at: DateTime<Utc>,
}

impl From<store::Dataset> for Dataset {
    fn from(dataset: store::Dataset) -> Self {
        Dataset {
            id: dataset.id,
            name: dataset.name,
            location: dataset.location,
            bytes: dataset.bytes,
            content: dataset.content,
            thumbnails: dataset.thumbnails,
            created_at: dataset.created_at,
        }
    }
}

/// The parts of a dataset upload: either `file`, or `images` and `labels`, or `images` alone.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only describes the multipart body; the parts are read one by one")]
pub struct DatasetUpload {
    /// An NPZ file; a Parquet file with a column `image` of PNG or JPEG files and an integer column `label`; or an archive (zip, tar,
    /// tar.gz) of PNG or JPEG images with one folder per class or, as a WebDataset, with a `.cls` file beside each image. Images have
    /// no labels where the NPZ has their array alone, the Parquet file no column of integers, or the archive all of them at its top.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    file: Option<Vec<u8>>,
    /// An IDX file of images, optionally gzipped.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    images: Option<Vec<u8>>,
    /// The IDX file with the labels of `images`; without it, the images have none.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    labels: Option<Vec<u8>>,
    /// Id of an upload (`createUpload`) in the place of `file`.
    file_upload: Option<Uuid>,
    /// Id of an upload in the place of `images`.
    images_upload: Option<Uuid>,
    /// Id of an upload in the place of `labels`.
    labels_upload: Option<Uuid>,
    #[schema(schema_with = name)]
    name: Option<String>,
}

/// Upload a dataset.
///
/// It is checked before it is stored: every image is read, and counts, classes and shapes are reported.
#[utoipa::path(
    post, path = "/datasets", operation_id = "createDataset", tag = "datasets",
    request_body(content = DatasetUpload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The dataset is stored", body = Dataset,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The upload was interrupted or has wrong parts", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "An upload that stands for a file is not whole yet", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The upload is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not multipart/form-data", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The files cannot be used as a dataset", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(State(state): State<AppState>, body: Body) -> Result<Response, Problem> {
    let mut received = body.receive(&state.store, PARTS, state.config.max_dataset_bytes).await?;
    let (images, labels) = roles(&received)?;
    let name = received.display_name(images)?;

    let pictures = tempfile::Builder::new().prefix("eagleeye-thumbnails-").tempdir().map_err(storage)?;
    let report = inspect(&state, &received, images, labels, pictures.path()).await?;
    let thumbnails = keep_thumbnails(&state.store, pictures.path()).await?;

    let Some(images_file) = received.take(images) else { return Err(Problem::internal("the images are missing")) };
    let labels_file = labels.and_then(|part| received.take(part));
    let new = NewDataset { name, images_file, labels_file, report, thumbnails };
    let dataset = Dataset::from(state.store.datasets().create(new).await?);
    received.settle().await;
    let location = format!("{BASE}/datasets/{}", dataset.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(dataset)).into_response())
}

/// Which part holds the images, and which the labels.
fn roles(received: &Received) -> Result<(&'static str, Option<&'static str>), Problem> {
    match ["file", "images", "labels"].map(|part| received.has(part)) {
        [true, false, false] => Ok(("file", None)),
        [false, true, true] => Ok(("images", Some("labels"))),
        [false, true, false] => Ok(("images", None)),
        _ => {
            let detail = "send either `file` (an NPZ, a Parquet file or an archive), or `images` and `labels` (two IDX files), or `images` alone";
            Err(Problem::new(Kind::MalformedUpload, detail))
        }
    }
}

async fn inspect(
    state: &AppState,
    received: &Received,
    images: &str,
    labels: Option<&str>,
    thumbnails: &FilePath,
) -> Result<DatasetReport, Problem> {
    let folder = received.as_folder().await?;
    let path = |part: &str| received.file(part).map(|file| folder.path_of(&file.name));
    let Some(images) = path(images) else { return Err(Problem::internal("the images are missing")) };
    let labels = labels.and_then(path);
    let checked = state.checker.check_dataset(&images, labels.as_deref(), thumbnails).await;
    checked.map_err(|error| error.into_problem(Kind::UnusableDataset))
}

/// Stores the pictures that the check has made, in order of their names.
pub(super) async fn keep_thumbnails(store: &Store, folder: &FilePath) -> Result<Vec<Upload>, Problem> {
    let mut paths = Vec::new();
    let mut entries = tokio::fs::read_dir(folder).await.map_err(Problem::internal)?;
    while let Some(entry) = entries.next_entry().await.map_err(Problem::internal)? {
        let size = entry.metadata().await.map_err(Problem::internal)?;
        if size.is_file() && size.len() <= MAX_THUMBNAIL_BYTES {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.truncate(MAX_THUMBNAILS);
    let mut thumbnails = Vec::with_capacity(paths.len());
    for path in paths {
        match store.upload_file(&path).await {
            Ok(upload) => thumbnails.push(upload),
            Err(error) => {
                discard(store, thumbnails);
                return Err(error.into());
            }
        }
    }
    Ok(thumbnails)
}

/// List datasets, newest first.
#[utoipa::path(
    get, path = "/datasets", operation_id = "listDatasets", tag = "datasets",
    params(PageQuery),
    responses(
        (status = 200, description = "One page of datasets", body = Page<Dataset>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(store): State<Store>, Query(page): Query<PageQuery>) -> Result<Json<Page<Dataset>>, Problem> {
    let found = store.datasets().list(&page.request()?).await?;
    Ok(Json(Page::of(found, Dataset::from)))
}

/// Get a dataset.
#[utoipa::path(
    get, path = "/datasets/{id}", operation_id = "getDataset", tag = "datasets",
    params(("id" = Uuid, Path, description = "Id of the dataset")),
    responses(
        (status = 200, description = "The dataset", body = Dataset),
        (status = 404, description = "The dataset does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Json<Dataset>, Problem> {
    Ok(Json(store.datasets().get(id).await?.into()))
}

/// Rename a dataset.
#[utoipa::path(
    patch, path = "/datasets/{id}", operation_id = "changeDataset", tag = "datasets",
    params(("id" = Uuid, Path, description = "Id of the dataset")),
    request_body = Renaming,
    responses(
        (status = 200, description = "The changed dataset", body = Dataset),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The dataset does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    extract::Json(change): extract::Json<Renaming>,
) -> Result<Json<Dataset>, Problem> {
    let name = checked_name(&change.name)?;
    Ok(Json(store.datasets().rename(id, name).await?.into()))
}

/// Get a thumbnail.
#[utoipa::path(
    get, path = "/datasets/{id}/thumbnails/{position}", operation_id = "getThumbnail", tag = "datasets",
    params(
        ("id" = Uuid, Path, description = "Id of the dataset"),
        ("position" = u32, Path, description = "Number of the thumbnail, from 0"),
    ),
    responses(
        (status = 200, description = "The picture", body = [u8], content_type = "image/png"),
        (status = 206, description = "The requested byte range", body = [u8], content_type = "image/png"),
        (status = 304, description = "The client's copy is current"),
        (status = 404, description = "The dataset or thumbnail does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`If-Match` names another version", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The byte range lies outside the file", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn thumbnail(
    State(store): State<Store>,
    Path((id, position)): Path<(Uuid, u32)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let hash = store.datasets().thumbnail(id, position).await?;
    let owner = store.datasets().get(id).await?.owner_of_thumbnail(position);
    download(
        &store,
        StoredFile { hash: &hash, sha256: None, media_type: "image/png", owner },
        Disposition::Inline,
        &headers,
    )
    .await
}

/// Delete a dataset with its files.
///
/// Of a dataset that was registered by its location only what was stored here goes; its files stay.
#[utoipa::path(
    delete, path = "/datasets/{id}", operation_id = "deleteDataset", tag = "datasets",
    params(("id" = Uuid, Path, description = "Id of the dataset")),
    responses(
        (status = 204, description = "The dataset is deleted"),
        (status = 404, description = "The dataset does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Searches use it; `searches` lists them", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.datasets().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

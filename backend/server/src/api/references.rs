//! Datasets by reference: files on the server that nobody uploads.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use eagleeye_spec::name::name_or_none;
use eagleeye_store::references::ListingError;
use eagleeye_store::{Listing, Located, LocationError, NewReference};
use serde::Deserialize;
use utoipa::ToSchema;

use super::BASE;
use super::datasets::{Dataset, keep_thumbnails};
use super::names::checked_name;
use crate::extract::Json;
use crate::problem::{FieldError, Kind, Problem};
use crate::state::AppState;
use crate::store_problem::storage;
use crate::upload::without_ending;

/// A dataset that lies on the server.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DatasetReference {
    /// Absolute path below one of the folders that `/health` lists as `dataset_roots`. A file as for an upload (an archive, an NPZ or a
    /// Parquet file), a folder with one folder of PNG or JPEG images per class, or a folder of shards, which are one dataset in the
    /// order of their names: `.tar` files that are WebDatasets, or `.parquet` files.
    #[schema(min_length = 1, max_length = 4096, example = "/data/images/train")]
    pub location: String,
    /// Defaults to the last part of the location, without its ending.
    #[schema(schema_with = name_or_none)]
    pub name: Option<String>,
}

/// Register a dataset by its location.
///
/// Nothing is uploaded or copied. All files are listed and their labels are read, and of the images some 1,000 are decoded, which are
/// spread evenly over the dataset; one that cannot be read later fails the job that needs it, with its name. Names, sizes and times of
/// the last write are noted, and compared before each job: files that have changed must be registered again. Contents are not hashed.
#[utoipa::path(
    post, path = "/datasets/references", operation_id = "createReferencedDataset", tag = "datasets",
    request_body = DatasetReference,
    responses(
        (status = 201, description = "The dataset is registered", body = Dataset,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, the location cannot be used (`/problems/unusable-location`), or what lies there \
            is no dataset, or the check took too long or crashed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The server is stopping", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(State(state): State<AppState>, Json(wanted): Json<DatasetReference>) -> Result<Response, Problem> {
    let (located, listing) = look(&state, wanted.location).await?;
    let name = match &wanted.name {
        Some(name) => checked_name(name)?,
        None => checked_name(without_ending(last_part(&located.location)))?,
    };
    let pictures = tempfile::Builder::new().prefix("eagleeye-thumbnails-").tempdir().map_err(storage)?;
    let checked = state.checker.check_referenced(&located.path, pictures.path()).await;
    let report = checked.map_err(|error| error.into_problem(Kind::UnusableDataset))?;
    let thumbnails = keep_thumbnails(&state.store, pictures.path()).await?;
    let new = NewReference { name, located, listing, report, thumbnails };
    let dataset = Dataset::from(state.store.datasets().create_reference(new).await?);
    let location = format!("{BASE}/datasets/{}", dataset.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Answer(dataset)).into_response())
}

/// What lies at a location. Folders may be large and slow: they are listed off the runtime's threads.
async fn look(state: &AppState, location: String) -> Result<(Located, Listing), Problem> {
    let roots = state.store.dataset_roots().clone();
    let look = move || -> Result<(Located, Listing), LookError> {
        let located = roots.resolve(&location)?;
        let listing = Listing::of(&located)?;
        Ok((located, listing))
    };
    let found = tokio::task::spawn_blocking(look).await.map_err(Problem::internal)?;
    found.map_err(|error| {
        let fault = FieldError { field: "location".to_owned(), detail: error.to_string() };
        Problem::of_fields(Kind::UnusableLocation, vec![fault])
    })
}

/// Why nothing can be registered at a location.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Location(#[from] LocationError),
    #[error(transparent)]
    Listing(#[from] ListingError),
}

fn last_part(location: &str) -> &str {
    location.rsplit('/').find(|part| !part.is_empty()).unwrap_or(location)
}

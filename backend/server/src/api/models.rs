//! Models: networks that were uploaded, with what their inspection found.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_spec::Lineage;
use eagleeye_spec::report::{ModelDetails, ModelFigures, ModelInspection, NetworkGraph, NetworkTensors};
use eagleeye_store::{self as store, NewModel, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

use super::BASE;
use super::files::{Disposition, StoredFile, download};
use eagleeye_spec::name::{name, new_name};
use eagleeye_spec::optional::not_null;

use super::names::checked_name;
use super::paging::{Page, PageQuery};
use crate::extract::{self, Path, Query};
use crate::inspection::inspect_stored;
use crate::lineage::model_of;
use crate::problem::{FieldError, Kind, Problem};
use crate::prunable;
use crate::state::AppState;
use crate::upload::{Body, Expected, Received};

const PARTS: Expected = Expected { files: &["file", "data"], texts: &["name", "input_shape"] };

/// Axes that the shape of an input may have.
const MAX_AXES: usize = 8;

/// Largest length of an axis: nine digits.
const MAX_LENGTH: u32 = 999_999_999;

/// The shape of an input as a text.
const SHAPE_PATTERN: &str = r"^\s*[1-9][0-9]{0,8}\s*(,\s*[1-9][0-9]{0,8}\s*){0,7}$";

/// An uploaded network, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelSummary {
    pub id: Uuid,
    /// Given at upload or later; defaults to the file name without its extension.
    #[schema(example = "MobileNetV1 on Fashion-MNIST")]
    pub name: String,
    /// Size of the file in bytes, including its external weights.
    pub bytes: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub hash: String,
    /// SHA-256 of the file, as `sha256sum` prints it. Null for a model that an older version has stored.
    #[schema(required)]
    pub sha256: Option<String>,
    /// Shape of the first input, [batch, channels, height, width]; the batch is 1 if the file leaves it open.
    #[schema(example = json!([1, 3, 224, 224]))]
    pub input_shape: Vec<u64>,
    #[serde(flatten)]
    pub figures: ModelFigures,
    /// What it was made of, if it is a pruned network that is a model again. Null for one that was uploaded.
    #[schema(required)]
    pub lineage: Option<Lineage>,
    pub created_at: DateTime<Utc>,
}

/// An uploaded network with its channel groups.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Model {
    #[serde(flatten)]
    pub summary: ModelSummary,
    #[serde(flatten)]
    pub details: ModelDetails,
}

impl From<store::Model> for ModelSummary {
    fn from(model: store::Model) -> Self {
        ModelSummary {
            id: model.id,
            name: model.name,
            bytes: model.bytes,
            hash: model.hash.into(),
            sha256: model.sha256.map(String::from),
            input_shape: model.input_shape,
            figures: model.figures,
            lineage: model.lineage,
            created_at: model.created_at,
        }
    }
}

impl TryFrom<store::Model> for Model {
    type Error = Problem;

    fn try_from(model: store::Model) -> Result<Self, Problem> {
        let details = model.inspection()?.report.details;
        Ok(Model { summary: model.into(), details })
    }
}

/// The parts of a model upload.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only describes the multipart body; the parts are read one by one")]
pub struct ModelUpload {
    /// The network: TorchScript (`torch.jit.save`), ONNX, or a zip of one ONNX file with its external weights; told
    /// apart by content. Required unless `file_upload` stands for it.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    file: Option<Vec<u8>>,
    /// External weights of an ONNX file, under the file name by which the ONNX file refers to them.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    data: Option<Vec<u8>>,
    /// Id of an upload (`createUpload`) with the network, in the place of `file`.
    file_upload: Option<Uuid>,
    /// Id of an upload with the external weights, in the place of `data`.
    data_upload: Option<Uuid>,
    #[schema(schema_with = name)]
    name: Option<String>,
    #[schema(schema_with = shape_text)]
    input_shape: Option<String>,
}

/// Changes to a model. Omitted fields keep their value.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelChange {
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = new_name)]
    name: Option<String>,
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = shape_list)]
    input_shape: Option<Vec<u32>>,
}

/// Upload a model.
///
/// It is checked before it is stored: it is imported, its channels are grouped, and its MACs and parameters are
/// counted.
#[utoipa::path(
    post, path = "/models", operation_id = "createModel", tag = "models",
    request_body(content = ModelUpload, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "The model is stored", body = Model,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The upload was interrupted or has wrong parts", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "An upload that stands for a file is not whole yet", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The upload is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not multipart/form-data", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be used as a model", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(State(state): State<AppState>, body: Body) -> Result<Response, Problem> {
    let mut received = body.receive(&state.store, PARTS, state.config.max_model_bytes).await?;
    if !received.has("file") {
        return Err(Problem::new(
            Kind::MalformedUpload,
            "part `file` with the model, or `file_upload` with the id of an upload, is missing",
        ));
    }
    let name = received.display_name("file")?;
    let inspection = inspect(&state, &received).await?;
    let Some(file) = received.take("file") else { return Err(Problem::internal("the model's file is missing")) };
    let new = NewModel { name, file, data: received.take("data"), inspection, lineage: None };
    let model = Model::try_from(state.store.models().create(new).await?)?;
    received.settle().await;
    Ok(stored(model))
}

fn stored(model: Model) -> Response {
    let location = format!("{BASE}/models/{}", model.summary.id);
    (StatusCode::CREATED, [(header::LOCATION, location)], Json(model)).into_response()
}

/// What a checkpoint's model is to be called.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelOfCheckpoint {
    /// If omitted, it is called like the pruned model with the candidate behind it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(schema_with = name)]
    name: Option<String>,
}

/// Make a model of a checkpoint.
///
/// A pruned network, fine-tuned or not, is a model again and can be pruned further. The checkpoint must be ready, and in
/// TorchScript or ONNX. The model has a file of its own: deleting the search does not take it away.
#[utoipa::path(
    post, path = "/checkpoints/{id}/model", operation_id = "createModelOfCheckpoint", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the checkpoint")),
    request_body = ModelOfCheckpoint,
    responses(
        (status = 201, description = "The model is stored", body = Model,
            headers(("Location" = String, description = "Where to look for it"))),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The checkpoint does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The checkpoint is not ready, or in a format that no model has", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The name is invalid, or the file cannot be used as a model", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn of_checkpoint(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    extract::Json(request): extract::Json<ModelOfCheckpoint>,
) -> Result<Response, Problem> {
    let name = request.name.as_deref().map(checked_name).transpose()?;
    let checkpoint = state.store.checkpoints().get(id).await?;
    let new = model_of(&state, &checkpoint, name).await?;
    Ok(stored(state.store.models().create(new).await?.try_into()?))
}

async fn inspect(state: &AppState, received: &Received) -> Result<ModelInspection, Problem> {
    let input_shape = received.text("input_shape").map(shape).transpose()?;
    let folder = received.as_folder().await?;
    let Some(file) = received.file("file") else { return Err(Problem::internal("the model's file is missing")) };
    let path = folder.path_of(&file.name);
    let checked = state.checker.inspect(&path, input_shape.as_deref()).await;
    checked.map_err(|error| error.into_problem(Kind::UnusableModel))
}

/// The shape without blanks, once it is clear that it is one.
fn shape(text: &str) -> Result<String, Problem> {
    let sizes: Vec<&str> = text.split(',').map(str::trim).collect();
    let is_size = |size: &&str| size.starts_with(|c| c != '+' && c != '0') && size.parse().is_ok_and(is_length);
    if (1..=MAX_AXES).contains(&sizes.len()) && sizes.iter().all(is_size) {
        return Ok(sizes.join(","));
    }
    Err(shape_problem())
}

fn is_length(length: u32) -> bool {
    (1..=MAX_LENGTH).contains(&length)
}

fn shape_text() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Input shape, batch first, if the file does not contain it: `1,3,224,224`."))
        .pattern(Some(SHAPE_PATTERN))
        .examples(["1,3,224,224"])
}

fn shape_list() -> ArrayBuilder {
    let length = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int32)))
        .minimum(Some(1))
        .maximum(Some(MAX_LENGTH));
    let description = "Input shape, batch first. The network is inspected again and its MACs are recounted. Only \
        for a model that no search uses.";
    ArrayBuilder::new()
        .items(length)
        .min_items(Some(1))
        .max_items(Some(MAX_AXES))
        .description(Some(description))
        .examples([json!([1, 3, 224, 224])])
}

fn shape_problem() -> Problem {
    let detail = "must be positive whole numbers separated by commas, batch first, such as 1,3,224,224".to_owned();
    Problem::fields(vec![FieldError { field: "input_shape".to_owned(), detail }])
}

/// List models, newest first.
#[utoipa::path(
    get, path = "/models", operation_id = "listModels", tag = "models",
    params(PageQuery),
    responses(
        (status = 200, description = "One page of models", body = Page<ModelSummary>),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(
    State(store): State<Store>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ModelSummary>>, Problem> {
    let found = store.models().list(&page.request()?).await?;
    Ok(Json(Page::of(found, ModelSummary::from)))
}

/// Get a model with its channel groups.
#[utoipa::path(
    get, path = "/models/{id}", operation_id = "getModel", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 200, description = "The model", body = Model),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<Json<Model>, Problem> {
    Ok(Json(store.models().get(id).await?.try_into()?))
}

/// Get a model's network as it is drawn: its operations and what flows between them.
#[utoipa::path(
    get, path = "/models/{id}/graph", operation_id = "getModelGraph", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 200, description = "The operations in order of execution", body = NetworkGraph),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn graph(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<NetworkGraph>, Problem> {
    let model = state.store.models().get(id).await?;
    Ok(Json(prunable::graph(&state, &model).await?))
}

/// Get how the values of a model's weights and statistics are spread.
#[utoipa::path(
    get, path = "/models/{id}/tensors", operation_id = "getModelTensors", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 200, description = "The tensors in the order in which operations read them", body = NetworkTensors),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn tensors(State(state): State<AppState>, Path(id): Path<Uuid>) -> Result<Json<NetworkTensors>, Problem> {
    let model = state.store.models().get(id).await?;
    Ok(Json(prunable::tensors(&state, &model).await?))
}

/// Change a model's name or input shape.
#[utoipa::path(
    patch, path = "/models/{id}", operation_id = "changeModel", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    request_body = ModelChange,
    responses(
        (status = 200, description = "The changed model", body = Model),
        (status = 400, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Searches use it, so its input shape cannot change; `searches` lists them", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is invalid, or the network does not accept inputs of this shape", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change(
    State(state): State<AppState>,
    Path(id): Path<Uuid>,
    extract::Json(change): extract::Json<ModelChange>,
) -> Result<Json<Model>, Problem> {
    let name = change.name.as_deref().map(checked_name).transpose()?;
    let mut model = state.store.models().get(id).await?;
    if let Some(shape) = change.input_shape {
        model = reinspect(&state, &model, &shape).await?;
    }
    if let Some(name) = name {
        model = state.store.models().rename(id, name).await?;
    }
    Ok(Json(model.try_into()?))
}

/// Looks at the network with another input shape and keeps what is found.
async fn reinspect(state: &AppState, model: &store::Model, shape: &[u32]) -> Result<store::Model, Problem> {
    if !(1..=MAX_AXES).contains(&shape.len()) || !shape.iter().all(|&length| is_length(length)) {
        return Err(shape_problem());
    }
    let searches = state.store.models().searches(model.id).await?;
    if !searches.is_empty() {
        return Err(StoreError::InUse { kind: store::Kind::Model, id: model.id, searches }.into());
    }
    let shape: Vec<u64> = shape.iter().map(|&size| size.into()).collect();
    let found = inspect_stored(state, model, &shape).await?;
    Ok(state.store.models().reinspected(model.id, &found).await?)
}

/// Download a model's file, as it was uploaded.
#[utoipa::path(
    get, path = "/models/{id}/file", operation_id = "downloadModel", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 200, description = "The file; byte ranges and `If-None-Match` are supported", body = [u8], content_type = "application/octet-stream",
            headers(("Repr-Digest" = Option<String>, description = "SHA-256 of the whole file, as RFC 9530 has it, where it is known"))),
        (status = 206, description = "The requested byte range", body = [u8], content_type = "application/octet-stream"),
        (status = 304, description = "The client's copy is current"),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "`If-Match` names another version", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "The byte range lies outside the file", body = Problem, content_type = "application/problem+json"),
        (status = 500, description = "The stored file is damaged (`/problems/damaged-file`), or an internal error", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn file(State(store): State<Store>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Response, Problem> {
    let model = store.models().get(id).await?;
    let disposition = Disposition::Attachment(&model.file_name);
    let (sha256, media_type, owner) = (model.sha256, "application/octet-stream", model.owner());
    let file = StoredFile { hash: &model.hash, sha256, media_type, owner };
    download(&store, file, disposition, &headers).await
}

/// Delete a model with its files.
#[utoipa::path(
    delete, path = "/models/{id}", operation_id = "deleteModel", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 204, description = "The model is deleted"),
        (status = 404, description = "The model does not exist", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Searches use it; `searches` lists them", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>) -> Result<StatusCode, Problem> {
    store.models().delete(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_shape_is_positive_numbers_with_commas() {
        assert_eq!(shape("1, 3,224,224").unwrap(), "1,3,224,224");
        for bad in ["", "1,,3", "1,-3", "1,+3", "1,03", "1,0,3", "1x3", "--json", "1,2,3,4,5,6,7,8,9", "1,1000000000"] {
            assert_eq!(shape(bad).unwrap_err().kind(), Kind::InvalidField, "{bad:?}");
        }
    }
}

//! Models: networks that were uploaded, with what their inspection found.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use eagleeye_store::{NewModel, Reinspection, Store, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};
use uuid::Uuid;

use super::files::{Disposition, StoredFile, download};
use eagleeye_spec::name::{name, new_name};
use eagleeye_spec::optional::not_null;

use super::names::checked_name;
use super::paging::{Page, PageQuery};
use super::{BASE, convert};
use crate::checker::InspectReport;
use crate::extract::{self, Path, Query};
use crate::inspection::inspect_stored;
use crate::problem::{FieldError, Kind, Problem, ReachableRange};
use crate::state::AppState;
use crate::upload::{Body, Expected, Received};

const PARTS: Expected = Expected { files: &["file", "data"], texts: &["name", "input_shape"] };

/// Axes that the shape of an input may have.
const MAX_AXES: usize = 8;

/// Largest length of an axis: nine digits.
const MAX_LENGTH: u32 = 999_999_999;

/// The shape of an input as a text.
const SHAPE_PATTERN: &str = r"^\s*[1-9][0-9]{0,8}\s*(,\s*[1-9][0-9]{0,8}\s*){0,7}$";

/// File format of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelFormat {
    TorchScript,
    Onnx,
}

/// An uploaded network, as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelSummary {
    pub id: Uuid,
    /// Given at upload or later; defaults to the file name without its extension.
    #[schema(example = "MobileNetV1 on Fashion-MNIST")]
    pub name: String,
    pub format: ModelFormat,
    /// Size of the file in bytes, including its external weights.
    pub bytes: u64,
    /// BLAKE3 of the file, 64 hexadecimal digits.
    pub hash: String,
    /// Shape of the first input, [batch, channels, height, width]; the batch is 1 if the file leaves it open.
    #[schema(example = json!([1, 3, 224, 224]))]
    pub input_shape: Vec<u64>,
    /// Whether the shape of the input is a guess from the weights, since neither the file nor anybody had said it. MACs
    /// and the reachable budgets depend on it; set it where it is wrong.
    pub guessed_shape: bool,
    /// MACs (multiply-accumulates) of one image: convolutions and linear layers.
    pub macs: u64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Batch norms in the file; 0 if the exporter folded them into the convolutions.
    pub batch_norms: u32,
    /// The budgets that the model can be pruned to.
    pub reachable: ReachableRange,
    /// Number of classes: the length of the output. Null if the output is not a list of class scores.
    #[schema(required)]
    pub classes: Option<u32>,
    pub created_at: DateTime<Utc>,
}

/// An uploaded network with its channel groups.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Model {
    #[serde(flatten)]
    pub summary: ModelSummary,
    /// The element type of most weights, by its PyTorch name; exports keep the types of the file.
    #[schema(example = "float32")]
    pub element_type: String,
    /// Notes about the file and its exports, one sentence each.
    pub notices: Vec<String>,
    /// What adaptive batch norm can work with.
    pub batch_norm_state: BatchNormState,
    /// How often each operator occurs.
    #[schema(example = json!({"conv2d": 27, "batch_norm": 27, "linear": 1}))]
    pub operators: BTreeMap<String, u64>,
    /// Convolutions, linear layers and norms in order of execution.
    pub layers: Vec<Layer>,
    /// Groups of channels that can only be pruned together.
    pub groups: Vec<ChannelGroup>,
}

/// What adaptive batch norm can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormState {
    /// Batch norms stand behind convolutions.
    Present,
    /// Convolutions have biases and no batch norm: the exporter folded them, or there never were any. A search puts
    /// virtual ones in their place.
    Folded,
    /// There is nothing to adapt.
    Absent,
}

/// A layer with weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Layer {
    /// Name in the file.
    #[schema(example = "layer1.0.conv1")]
    pub name: String,
    #[schema(example = "conv2d")]
    pub operator: String,
    /// Shape of its output for a batch of one.
    pub shape: Vec<u64>,
    /// MACs of one image.
    pub macs: u64,
    /// Trainable parameters; shared ones count at the first layer that has them.
    pub parameters: u64,
}

/// Channels of several layers that can only be pruned together.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ChannelGroup {
    pub name: String,
    /// Units: the smallest set of channels that must be removed together counts as one.
    pub size: u64,
    /// Whether a search may prune it.
    pub prunable: bool,
    /// Why it is locked. Null if it is prunable.
    #[schema(required)]
    pub reason: Option<String>,
    /// The norm over channels that reads them, whose statistics change when some are removed. Null if there is none.
    #[serde(default)]
    #[schema(required)]
    pub normalised_by: Option<String>,
    /// The stored tensors that have these channels on one of their axes.
    pub members: Vec<GroupMember>,
    /// Weights with these channels that the file does not store but computes from its tensors.
    #[serde(default)]
    #[schema(required)]
    pub computed: Vec<ComputedWeight>,
}

/// An axis of a weight that the file computes: `weight * mask`, a standardised weight, weight norm. Exported files
/// store it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ComputedWeight {
    /// Name of the weight in exported files.
    #[schema(example = "layer1.0.conv1.weight")]
    pub weight: String,
    pub axis: u64,
    /// Names of the stored tensors that it is computed from.
    pub from: Vec<String>,
}

/// An axis of a parameter.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct GroupMember {
    /// Name of the parameter, as it was uploaded.
    #[schema(example = "layer1.0.conv1.weight")]
    pub parameter: String,
    /// 0 for output channels of a weight, 1 for its input channels.
    pub axis: u64,
}

/// The parts of a model upload.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only describes the multipart body; the parts are read one by one")]
pub struct ModelUpload {
    /// The network: TorchScript (`torch.jit.save`), ONNX, or a zip of one ONNX file with its external weights; told
    /// apart by content.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    file: Vec<u8>,
    /// External weights of an ONNX file, under the file name by which the ONNX file refers to them.
    #[schema(value_type = Option<String>, format = Binary, content_media_type = "application/octet-stream")]
    data: Option<Vec<u8>>,
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
        (status = 413, description = "The upload is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not multipart/form-data", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be used as a model", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(State(state): State<AppState>, body: Body) -> Result<Response, Problem> {
    let mut received = body.receive(&state.store, PARTS, state.config.max_model_bytes).await?;
    if !received.has("file") {
        return Err(Problem::new(Kind::MalformedUpload, "part `file` with the model is missing"));
    }
    let name = received.display_name("file")?;
    let (report, whole_report) = inspect(&state, &received).await?;
    let Some(input) = report.inputs.first() else {
        return Err(Problem::new(Kind::UnusableModel, "the model has no input; it needs one for images"));
    };

    let Some(file) = received.take("file") else { return Err(Problem::internal("the model's file is missing")) };
    let new = NewModel {
        name,
        format: report.format.into(),
        file,
        data: received.take("data"),
        input_shape: input.shape.clone(),
        macs: report.macs,
        parameters: report.parameters,
        batch_norms: report.batch_norms,
        classes: report.classes,
        reachable: report.reachable.into(),
        report: whole_report,
    };
    let model = Model::try_from(state.store.models().create(new).await?)?;
    let location = format!("{BASE}/models/{}", model.summary.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(model)).into_response())
}

async fn inspect(state: &AppState, received: &Received) -> Result<(InspectReport, Value), Problem> {
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
    Ok(Json(convert::page(found, ModelSummary::from)))
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
async fn reinspect(
    state: &AppState,
    model: &eagleeye_store::Model,
    shape: &[u32],
) -> Result<eagleeye_store::Model, Problem> {
    if !(1..=MAX_AXES).contains(&shape.len()) || !shape.iter().all(|&length| is_length(length)) {
        return Err(shape_problem());
    }
    let searches = state.store.models().searches(model.id).await?;
    if !searches.is_empty() {
        return Err(StoreError::InUse { kind: eagleeye_store::Kind::Model, id: model.id, searches }.into());
    }
    let shape: Vec<u64> = shape.iter().map(|&size| size.into()).collect();
    let (report, whole_report) = inspect_stored(state, model, &shape).await?;
    let found = Reinspection {
        input_shape: report.inputs.first().map_or(shape, |input| input.shape.clone()),
        macs: report.macs,
        parameters: report.parameters,
        batch_norms: report.batch_norms,
        classes: report.classes,
        reachable: report.reachable.into(),
        report: whole_report,
    };
    Ok(state.store.models().reinspected(model.id, found).await?)
}

/// Download a model's file, as it was uploaded.
#[utoipa::path(
    get, path = "/models/{id}/file", operation_id = "downloadModel", tag = "models",
    params(("id" = Uuid, Path, description = "Id of the model")),
    responses(
        (status = 200, description = "The file; byte ranges and `If-None-Match` are supported", body = [u8], content_type = "application/octet-stream"),
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
    let file = StoredFile { hash: &model.hash, media_type: "application/octet-stream", owner: model.owner() };
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

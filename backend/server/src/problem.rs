//! Every error answer: RFC 9457 problem details.
//!
//! `type` is stable and made for programs, `detail` is made for people and says what would be right.
//! docs/problems.md lists all of them; `eagleeye problems` prints that page.

use std::fmt;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use eagleeye_spec::report::Reachable;
use serde::{Serialize, Serializer};
use utoipa::ToSchema;
use uuid::Uuid;

/// Media type of every error answer.
pub const MEDIA_TYPE: &str = "application/problem+json";

macro_rules! kinds {
    ($($(#[doc = $meaning:literal])+ $kind:ident = $slug:literal, $status:ident, $title:literal;)+) => {
        /// The ways in which a request can fail.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Kind {
            $($(#[doc = $meaning])+ $kind,)+
        }

        impl Kind {
            /// All kinds, in the order in which docs/problems.md lists them.
            pub const ALL: &[Kind] = &[$(Kind::$kind,)+];

            /// Last part of `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Kind::$kind => $slug,)+ }
            }

            /// The status that an answer of this kind has.
            pub fn status(self) -> StatusCode {
                match self { $(Kind::$kind => StatusCode::$status,)+ }
            }

            /// The same words for every answer of this kind.
            pub fn title(self) -> &'static str {
                match self { $(Kind::$kind => $title,)+ }
            }

            /// What it means and what helps.
            pub fn meaning(self) -> &'static str {
                match self { $(Kind::$kind => concat!($($meaning,)+).trim_ascii(),)+ }
            }
        }
    };
}

kinds! {
    /// The address does not exist, or nothing has this id. Ids are UUIDs.
    NotFound = "not-found", NOT_FOUND, "Not found";
    /// The address does not support this method; the `Allow` header lists those that it supports.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "Method not allowed";
    /// The body's `Content-Type` is not the one that this address expects.
    UnsupportedMediaType = "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "Unsupported media type";
    /// The body has a `Content-Encoding`; only unencoded bodies are accepted.
    UnsupportedEncoding = "unsupported-encoding", UNSUPPORTED_MEDIA_TYPE, "Unsupported encoding";
    /// The body is not valid JSON. `detail` gives the line and column.
    MalformedJson = "malformed-json", BAD_REQUEST, "Malformed JSON";
    /// A parameter of the address (`limit`, `cursor`, `sort`) is invalid, or the address does not accept it.
    InvalidParameter = "invalid-parameter", BAD_REQUEST, "Invalid parameter";
    /// The request could not be understood.
    BadRequest = "bad-request", BAD_REQUEST, "Bad request";
    /// A field of the body is missing, unknown, of the wrong type or out of range. `errors` lists the fields.
    InvalidField = "invalid-field", UNPROCESSABLE_ENTITY, "Invalid field";
    /// The upload ended before its last byte. Nothing was kept, but for parts of an upload at `/uploads`: `HEAD` says from where it
    /// goes on.
    UploadInterrupted = "upload-interrupted", BAD_REQUEST, "Upload interrupted";
    /// The multipart body is malformed or has unexpected parts.
    MalformedUpload = "malformed-upload", BAD_REQUEST, "Malformed upload";
    /// The body is larger than this server accepts; `limit_bytes` is the limit. Nothing was kept.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "Body too large";
    /// EagleEye cannot use this file as a model; `detail` names the unsupported operators and their nodes, or the
    /// tensor or node at fault. Nothing was kept.
    UnusableModel = "unusable-model", UNPROCESSABLE_ENTITY, "Unusable model";
    /// EagleEye cannot use these files as a dataset; `detail` says what is wrong. Nothing was kept.
    UnusableDataset = "unusable-dataset", UNPROCESSABLE_ENTITY, "Unusable dataset";
    /// No dataset can be registered at this location: it is outside of the folders that the operator has allowed, of which there
    /// may be none, or nothing can be read there. `dataset_roots` in the answer of `/health` lists these folders.
    UnusableLocation = "unusable-location", UNPROCESSABLE_ENTITY, "Unusable location";
    /// Checking the file took longer than the server allows. Nothing was kept.
    CheckTooSlow = "check-too-slow", UNPROCESSABLE_ENTITY, "Check took too long";
    /// The program that checks the file crashed or exceeded its memory limit. Nothing was kept.
    CheckCrashed = "check-crashed", UNPROCESSABLE_ENTITY, "Check crashed";
    /// The search names a model that does not exist.
    UnknownModel = "unknown-model", UNPROCESSABLE_ENTITY, "Unknown model";
    /// The search names a dataset that does not exist.
    UnknownDataset = "unknown-dataset", UNPROCESSABLE_ENTITY, "Unknown dataset";
    /// The dataset cannot be used with this model: the channels or classes do not match.
    DatasetDoesNotFit = "dataset-does-not-fit", UNPROCESSABLE_ENTITY, "Dataset does not fit the model";
    /// Calibration and scoring together need more images than the dataset has.
    NotEnoughImages = "not-enough-images", UNPROCESSABLE_ENTITY, "Not enough images";
    /// The model cannot be pruned to this budget; `reachable` gives the smallest and largest fraction of its MACs.
    BudgetOutOfReach = "budget-out-of-reach", UNPROCESSABLE_ENTITY, "Budget out of reach";
    /// Searches still use this; `searches` lists them. Delete them first.
    InUse = "in-use", CONFLICT, "In use";
    /// The current state does not allow this.
    Conflict = "conflict", CONFLICT, "Conflict";
    /// The checkpoint's file is not ready, or its export failed. Get the checkpoint to see its state.
    NotReady = "not-ready", CONFLICT, "Not ready";
    /// `If-Match` names a version of the file other than the current one, or `Tus-Resumable` another version of the protocol than
    /// is spoken.
    PreconditionFailed = "precondition-failed", PRECONDITION_FAILED, "Precondition failed";
    /// The address is longer than this server accepts; `limit_bytes` is the limit.
    AddressTooLong = "address-too-long", URI_TOO_LONG, "Address too long";
    /// The headers are larger than this server accepts; `limit_bytes` is the limit.
    HeadersTooLarge = "headers-too-large", REQUEST_HEADER_FIELDS_TOO_LARGE, "Headers too large";
    /// A stored file is missing, or its content is not what was stored; `detail` names what it belongs to. Upload the
    /// same file or request the export again to repair everything that uses it.
    DamagedFile = "damaged-file", INTERNAL_SERVER_ERROR, "Damaged file";
    /// The server's disk is full. Nothing from the request was kept.
    StorageFull = "storage-full", INSUFFICIENT_STORAGE, "Storage full";
    /// The server has no permission to write to its folders or its database. Nothing from the request was kept.
    StorageNotWritable = "storage-not-writable", INTERNAL_SERVER_ERROR, "Storage not writable";
    /// The server has no permission to read a stored file, or its disk reports errors. The server's log names the file.
    StorageNotReadable = "storage-not-readable", INTERNAL_SERVER_ERROR, "Storage not readable";
    /// The byte range lies outside the file; `Content-Range` gives the file's size.
    RangeNotSatisfiable = "range-not-satisfiable", RANGE_NOT_SATISFIABLE, "Range not satisfiable";
    /// The request comes from another site's page or uses an unknown host name.
    Forbidden = "forbidden", FORBIDDEN, "Forbidden";
    /// The server cannot do this now or in time; try the same request again shortly.
    Unavailable = "unavailable", SERVICE_UNAVAILABLE, "Unavailable";
    /// Internal server error. The server's log gives the reason under the response's `x-request-id`.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Internal error";
}

/// An error as RFC 9457 problem details, with extension fields.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct Problem {
    /// Stable name of the kind of error, as a relative reference.
    #[serde(rename = "type", serialize_with = "type_reference")]
    #[schema(value_type = String, example = "/problems/unusable-model")]
    kind: Kind,
    /// The same words for every error of this type.
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "status_number")]
    #[schema(value_type = u16, example = 422)]
    status: StatusCode,
    /// What is wrong with this request, and what would be accepted.
    detail: String,
    /// The fields at fault.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<FieldError>)]
    errors: Box<[FieldError]>,
    /// Fractions of the full network's MACs that the model can be pruned to.
    #[serde(skip_serializing_if = "Option::is_none")]
    reachable: Option<Reachable>,
    /// Searches that prevent this.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Uuid>)]
    searches: Box<[Uuid]>,
    /// The limit in bytes: of the body, of the address for `address-too-long`, of the headers for
    /// `headers-too-large`.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_bytes: Option<u64>,
}

/// An invalid field of the request body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Path of the field, with parts separated by dots.
    #[schema(example = "adaptation.momentum")]
    pub field: String,
    /// What would be accepted.
    pub detail: String,
}

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Problem {
            kind,
            title: kind.title(),
            status: kind.status(),
            detail: detail.into(),
            errors: Box::default(),
            reachable: None,
            searches: Box::default(),
            limit_bytes: None,
        }
    }

    /// There is no such thing under this id.
    pub fn no_such(what: &str, id: impl fmt::Display) -> Self {
        Problem::new(Kind::NotFound, format!("{what} {id} does not exist"))
    }

    /// One or more fields of the body are wrong; `detail` is made from them.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Problem::of_fields(Kind::InvalidField, errors)
    }

    /// Fields of the body are wrong in a way that has a kind of its own.
    pub fn of_fields(kind: Kind, errors: Vec<FieldError>) -> Self {
        let lines: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.field, e.detail)).collect();
        Problem { errors: errors.into(), ..Problem::new(kind, lines.join("; ")) }
    }

    /// A fault of ours: the reason goes to the log, not to the client.
    pub fn internal(reason: impl fmt::Display) -> Self {
        tracing::error!(%reason, "internal error");
        Problem::new(
            Kind::Internal,
            "internal error; the server's log gives the reason under this response's \
            x-request-id",
        )
    }

    /// The same of a body that has the one at fault in a field `parent`; `own` are fields of the outer body itself.
    pub fn within(self, parent: &str, own: &[&str]) -> Self {
        let outer = |error: FieldError| match own.contains(&error.field.as_str()) {
            true => error,
            false => FieldError { field: format!("{parent}.{}", error.field), ..error },
        };
        let errors: Vec<FieldError> = self.errors.into_vec().into_iter().map(outer).collect();
        if errors.is_empty() {
            return Problem { errors: Box::default(), ..self };
        }
        let Problem { detail, errors, .. } = Problem::of_fields(self.kind, errors);
        Problem { detail, errors, ..self }
    }

    pub fn with_reachable(mut self, reachable: Reachable) -> Self {
        self.reachable = Some(reachable);
        self
    }

    pub fn with_searches(mut self, searches: Vec<Uuid>) -> Self {
        self.searches = searches.into();
        self
    }

    pub fn with_limit(mut self, limit_bytes: u64) -> Self {
        self.limit_bytes = Some(limit_bytes);
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE))];
        (self.status, media_type, Json(self)).into_response()
    }
}

/// Marks an answer whose body is no problem although its status is one of an error.
#[derive(Debug, Clone, Copy)]
pub struct OwnBody;

/// Gives an error answer that some layer made without a body of ours the body of a problem. Its headers stay, since
/// `Allow` and the like belong to the answer.
pub async fn complete(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == MEDIA_TYPE);
    let has_own_body = response.extensions().get::<OwnBody>().is_some();
    if !is_error || is_problem || has_own_body {
        return response;
    }
    let (mut head, _) = response.into_parts();
    let mut problem = Problem::new(kind_of(status), detail_of(status));
    problem.status = status;
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.remove(header::CONTENT_ENCODING);
    let (problem_head, body) = problem.into_response().into_parts();
    head.headers.extend(problem_head.headers);
    Response::from_parts(head, body)
}

fn kind_of(status: StatusCode) -> Kind {
    match status {
        StatusCode::NOT_FOUND => Kind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::UnsupportedMediaType,
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        StatusCode::FORBIDDEN => Kind::Forbidden,
        StatusCode::SERVICE_UNAVAILABLE => Kind::Unavailable,
        status if status.is_client_error() => Kind::BadRequest,
        _ => Kind::Internal,
    }
}

fn detail_of(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "this address does not exist; /docs describes those that do",
        StatusCode::METHOD_NOT_ALLOWED => {
            "this address does not support this method; the Allow header lists those that it supports"
        }
        StatusCode::FORBIDDEN => {
            "requests that change something are accepted only from this server's own page and from programs, not from \
                other sites"
        }
        StatusCode::SERVICE_UNAVAILABLE => "the request took too long; try again in a moment",
        status if status.is_client_error() => "the request could not be understood",
        _ => "internal error; the server's log gives the reason under this response's x-request-id",
    }
}

fn type_reference<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("/problems/{}", kind.slug()))
}

fn status_number<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

/// docs/problems.md, made from the kinds.
pub fn catalogue() -> String {
    let mut page = String::from(
        "# Problems\n\
         Every error answer of the REST API is `application/problem+json` (RFC 9457). `type` is stable, so programs \
         can rely on it. `detail` says what is wrong with this request and what would be accepted.\n\n\
         This page is generated by `eagleeye problems`; a test checks that it is current.\n\n\
         | type | status | title | meaning |\n|---|---|---|---|\n",
    );
    for kind in Kind::ALL {
        let (slug, status) = (kind.slug(), kind.status().as_u16());
        page.push_str(&format!("| `/problems/{slug}` | {status} | {} | {} |\n", kind.title(), kind.meaning()));
    }
    page.push_str(
        "\n## Refusals without problem details\n\
         The HTTP layer refuses some requests before they reach the API. These responses have no body: 431 for \
         more than 100 header lines, 414 for an address of 65,535 bytes or more, and 400 for anything that is not \
         an HTTP request.\n",
    );
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::http::Response as HttpResponse;

    #[test]
    fn slugs_are_unique() {
        let mut slugs: Vec<_> = Kind::ALL.iter().map(|kind| kind.slug()).collect();
        slugs.sort_unstable();
        slugs.dedup();
        assert_eq!(slugs.len(), Kind::ALL.len());
    }

    #[test]
    fn absent_fields_are_left_out() {
        let json = serde_json::to_value(Problem::no_such("model", 7)).unwrap();
        let expected = serde_json::json!({
            "type": "/problems/not-found", "title": "Not found", "status": 404, "detail": "model 7 does not exist"
        });
        assert_eq!(json, expected);
    }

    #[tokio::test]
    async fn an_answer_without_a_body_of_ours_becomes_a_problem_and_keeps_its_headers() {
        let bare = HttpResponse::builder().status(405).header("allow", "GET").body(Body::empty()).unwrap();
        let response = complete(bare).await;
        assert_eq!(response.headers()["allow"], "GET");
        assert_eq!(response.headers()["content-type"], MEDIA_TYPE);
        let body = to_bytes(response.into_body(), 4096).await.unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(json["type"], "/problems/method-not-allowed");
        assert_eq!(json["status"], 405);
    }
}

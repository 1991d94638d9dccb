//! Uploads that go on after a broken connection, by the tus protocol 1.0.0 (<https://tus.io/protocols/resumable-upload>): the core,
//! creation and termination.
//!
//! tus and not the IETF's draft of resumable uploads, because there are clients of it in every language today, and browsers
//! know neither. What was uploaded becomes a model or a dataset by its id, in the place of a part of their form.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use uuid::Uuid;

use eagleeye_store::{Resumable, Store};

use super::BASE;
use crate::extract::Path;
use crate::problem::{Kind, Problem};
use crate::state::AppState;
use crate::upload::file_name;

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,termination";
const CONTENT: &str = "application/offset+octet-stream";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// What this server's uploads can do.
#[utoipa::path(
    options, path = "/uploads", operation_id = "describeUploads", tag = "uploads",
    responses(
        (status = 204, description = "`Tus-Version`, `Tus-Extension` and `Tus-Max-Size` say it",
            headers(("Tus-Version" = String), ("Tus-Extension" = String), ("Tus-Max-Size" = u64))),
    )
)]
pub async fn describe(State(state): State<AppState>) -> Response {
    let headers = [
        (TUS_VERSION, HeaderValue::from_static(VERSION)),
        (TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS)),
        (TUS_MAX_SIZE, state.config.largest_upload().into()),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Every answer says which version of the protocol it is of, and one to another version which there are.
pub async fn in_version(mut answer: Response) -> Response {
    let version = HeaderValue::from_static(VERSION);
    if answer.status() == StatusCode::PRECONDITION_FAILED {
        answer.headers_mut().insert(TUS_VERSION, version.clone());
    }
    answer.headers_mut().insert(TUS_RESUMABLE, version);
    answer
}

/// Begin an upload that can go on after a broken connection.
///
/// By the tus protocol 1.0.0: a client of it, such as tus-js-client or tuspy, does all of this. The bytes follow by `PATCH` to
/// the address in `Location`. When all are there, the upload's id takes the place of a file in the form of a model or dataset:
/// `file_upload` for `file`, and so on. An upload that nobody goes on with for a day is deleted.
#[utoipa::path(
    post, path = "/uploads", operation_id = "createUpload", tag = "uploads",
    params(
        ("Tus-Resumable" = String, Header, description = "Version of the protocol: `1.0.0`"),
        ("Upload-Length" = u64, Header, description = "Bytes of the file"),
        ("Upload-Metadata" = Option<String>, Header, description = "`filename` and, behind a blank, the file's name in Base64"),
    ),
    responses(
        (status = 201, description = "The upload may begin",
            headers(("Location" = String, description = "Where its bytes go"), ("Tus-Resumable" = String))),
        (status = 400, description = "A header is missing or invalid", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the protocol", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file's name is too long", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    check_version(&headers)?;
    let length = number(&headers, &UPLOAD_LENGTH)?;
    let limit = state.config.largest_upload();
    if length > limit {
        let detail = format!("the upload of {length} bytes is larger than this server's limit of {limit} bytes");
        return Err(Problem::new(Kind::TooLarge, detail).with_limit(limit));
    }
    let upload = state.store.resumables().create(&named(&headers)?, length).await?;
    let location = format!("{BASE}/uploads/{}", upload.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], standing(&upload)).into_response())
}

/// How far an upload is.
#[utoipa::path(
    head, path = "/uploads/{id}", operation_id = "getUpload", tag = "uploads",
    params(
        ("id" = Uuid, Path, description = "Id of the upload"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol: `1.0.0`"),
    ),
    responses(
        (status = 200, description = "`Upload-Offset` says how many bytes are there",
            headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Metadata" = String), ("Tus-Resumable" = String))),
        (status = 404, description = "The upload does not exist, or has become a model or dataset"),
        (status = 412, description = "Another version of the protocol"),
    )
)]
pub async fn get(State(store): State<Store>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Response, Problem> {
    check_version(&headers)?;
    let upload = store.resumables().get(id).await?;
    let name = format!("filename {}", STANDARD.encode(&upload.name));
    let headers = [(header::CACHE_CONTROL, "no-store".to_owned()), (UPLOAD_METADATA, name)];
    Ok((StatusCode::OK, headers, standing(&upload)).into_response())
}

/// Send an upload's next bytes.
///
/// They are kept in parts of some megabytes as they arrive. After a broken connection `HEAD` says how many are there.
#[utoipa::path(
    patch, path = "/uploads/{id}", operation_id = "continueUpload", tag = "uploads",
    params(
        ("id" = Uuid, Path, description = "Id of the upload"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol: `1.0.0`"),
        ("Upload-Offset" = u64, Header, description = "Bytes that were sent before these, as the server says"),
    ),
    request_body(content = String, content_type = "application/offset+octet-stream", description = "The next bytes, or all that follow"),
    responses(
        (status = 204, description = "They are kept", headers(("Upload-Offset" = u64), ("Tus-Resumable" = String))),
        (status = 400, description = "A header is missing or invalid, or the bytes ended early", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The upload does not exist, or has become a model or dataset", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The upload stands elsewhere", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the protocol", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "More bytes than were announced", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The `Content-Type` is another", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The server's disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn append(
    State(store): State<Store>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    check_version(&headers)?;
    if headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind.as_bytes() != CONTENT.as_bytes()) {
        return Err(Problem::new(Kind::UnsupportedMediaType, format!("send the bytes with `Content-Type: {CONTENT}`")));
    }
    let offset = number(&headers, &UPLOAD_OFFSET)?;
    let upload = store.resumables().append(id, offset, body.into_data_stream()).await?;
    Ok((StatusCode::NO_CONTENT, standing(&upload)).into_response())
}

/// Give an upload up.
#[utoipa::path(
    delete, path = "/uploads/{id}", operation_id = "deleteUpload", tag = "uploads",
    params(
        ("id" = Uuid, Path, description = "Id of the upload"),
        ("Tus-Resumable" = String, Header, description = "Version of the protocol: `1.0.0`"),
    ),
    responses(
        (status = 204, description = "Its bytes are deleted", headers(("Tus-Resumable" = String))),
        (status = 404, description = "The upload does not exist, or has become a model or dataset", body = Problem, content_type = "application/problem+json"),
        (status = 412, description = "Another version of the protocol", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(State(store): State<Store>, Path(id): Path<Uuid>, headers: HeaderMap) -> Result<Response, Problem> {
    check_version(&headers)?;
    store.resumables().delete(id).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn standing(upload: &Resumable) -> [(HeaderName, HeaderValue); 2] {
    [(UPLOAD_OFFSET, upload.received.into()), (UPLOAD_LENGTH, upload.length.into())]
}

fn check_version(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version.as_bytes() == VERSION.as_bytes() => Ok(()),
        _ => Err(Problem::new(
            Kind::PreconditionFailed,
            format!("send `Tus-Resumable: {VERSION}`, the version that is spoken here"),
        )),
    }
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let given = headers.get(name).and_then(|value| value.to_str().ok()?.parse().ok());
    // What a database can count.
    given
        .filter(|&value| i64::try_from(value).is_ok())
        .ok_or_else(|| Problem::new(Kind::BadRequest, format!("the header `{name}` must be a number of bytes")))
}

/// The file's name in `Upload-Metadata`: pairs of a key and a value in Base64, separated by commas.
fn named(headers: &HeaderMap) -> Result<String, Problem> {
    let invalid =
        || Problem::new(Kind::BadRequest, "`Upload-Metadata` must have keys with their values in Base64 behind them");
    let Some(metadata) = headers.get(UPLOAD_METADATA) else { return file_name("", "file") };
    let pairs = metadata.to_str().map_err(|_| invalid())?.split(',').filter_map(|pair| pair.trim().split_once(' '));
    let Some((_, name)) = pairs.into_iter().find(|(key, _)| *key == "filename") else { return file_name("", "file") };
    let bytes = STANDARD.decode(name).map_err(|_| invalid())?;
    file_name(&String::from_utf8(bytes).map_err(|_| invalid())?, "file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(metadata: &'static str) -> Result<String, Problem> {
        let headers = HeaderMap::from_iter([(UPLOAD_METADATA, HeaderValue::from_static(metadata))]);
        named(&headers)
    }

    #[test]
    fn a_name_is_found_among_other_metadata_and_is_never_a_path() {
        assert_eq!(of("filetype YQ==, filename Li4vYS5vbm54").unwrap(), "a.onnx");
        assert_eq!(of("is_confidential").unwrap(), "file");
        assert_eq!(named(&HeaderMap::new()).unwrap(), "file");
        assert_eq!(of("filename *").unwrap_err().kind(), Kind::BadRequest);
    }
}

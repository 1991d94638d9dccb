//! Multipart bodies: files are streamed into the store as they arrive, in constant memory.
//!
//! What was received is given up again unless it becomes part of a model or dataset: on an error, and also when the
//! client goes away and the handler is dropped half way.
//!
//! A file may also have been uploaded before, in parts (`api/uploads.rs`): the text part `file_upload` with its id stands for `file`.

use std::collections::BTreeMap;

use axum::extract::multipart::{Field, MultipartError, MultipartRejection};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header};
use eagleeye_store::{Check, NamedUpload, Store, StoreError, Upload, Uuid};

use eagleeye_spec::name::MAX_NAME;

use crate::api::names::checked_name;
use crate::named_files::Folder;
use crate::problem::{FieldError, Kind, Problem};

/// Longest text part in bytes.
const MAX_TEXT_BYTES: usize = 1024;
/// Longest file name in bytes, as file systems have it. The files are checked under their own names.
const MAX_FILE_NAME_BYTES: usize = 255;
/// Endings that say a format and nothing of what is in the file. Longer ones go first.
const ENDINGS: [&str; 14] = [
    ".torchscript",
    ".safetensors",
    ".parquet",
    ".tar.gz",
    ".onnx",
    ".tgz",
    ".tar",
    ".zip",
    ".npz",
    ".pth",
    ".jit",
    ".gz",
    ".pt",
    ".ts",
];

/// The parts that a body may have, each at most once.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub files: &'static [&'static str],
    pub texts: &'static [&'static str],
}

/// A body that was received. Files that are not taken out are discarded when it is dropped.
#[derive(Debug)]
pub struct Received {
    store: Store,
    files: BTreeMap<&'static str, NamedUpload>,
    texts: BTreeMap<&'static str, String>,
    /// Uploads that files were put together of.
    resumed: Vec<Uuid>,
}

/// Behind the name of a part with a file: the part with the id of an upload instead.
const UPLOADED: &str = "_upload";

/// `multipart/form-data` whose refusals are problems.
pub struct Body(Multipart);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !media_type.is_some_and(|text| text.to_ascii_lowercase().starts_with("multipart/form-data")) {
            let detail = "send the files as `multipart/form-data`, as `curl -F file=@model.onnx` does";
            return Err(Problem::new(Kind::UnsupportedMediaType, detail));
        }
        let multipart = Multipart::from_request(request, state).await;
        multipart.map(Body).map_err(|error: MultipartRejection| Problem::new(Kind::MalformedUpload, error.body_text()))
    }
}

impl Body {
    /// Receives the whole body; its files together may have `limit` bytes.
    pub async fn receive(self, store: &Store, expected: Expected, limit: u64) -> Result<Received, Problem> {
        let mut received =
            Received { store: store.clone(), files: BTreeMap::new(), texts: BTreeMap::new(), resumed: Vec::new() };
        let mut multipart = self.0;
        while let Some(field) = multipart.next_field().await.map_err(|error| broken(&error))? {
            let part = field.name().unwrap_or_default().to_owned();
            if let Some(name) = expected.texts.iter().find(|name| **name == part) {
                let text = text_of(field, name).await?;
                unique(received.texts.insert(name, text).is_none(), name)?;
            } else if let Some(name) = expected.files.iter().find(|name| **name == part) {
                unique(!received.files.contains_key(name), name)?;
                let file = received.stream(field, name, limit).await?;
                received.files.insert(name, file);
            } else if let Some(name) = uploaded(&part, expected) {
                unique(!received.files.contains_key(name), name)?;
                let id = text_of(field, &part).await?;
                let file = received.assembled(&id, &part, limit).await?;
                received.files.insert(name, file);
            } else {
                return Err(unexpected(&part, expected));
            }
        }
        Ok(received)
    }
}

impl Received {
    async fn stream(&self, field: Field<'_>, part: &str, limit: u64) -> Result<NamedUpload, Problem> {
        let name = file_name(field.file_name().unwrap_or_default(), part)?;
        let so_far: u64 = self.files.values().map(|file| file.upload.bytes).sum();
        let upload = self.store.upload(field, limit.saturating_sub(so_far)).await.map_err(|error| match error {
            StoreError::TooLarge { .. } => {
                let detail = format!("the upload is larger than this server's limit of {limit} bytes");
                Problem::new(Kind::TooLarge, detail).with_limit(limit)
            }
            StoreError::Interrupted { received, source } => {
                tracing::info!(part, received, reason = %source, "an upload was interrupted");
                let detail = format!("part `{part}` was interrupted after {received} bytes: {source}");
                Problem::new(Kind::UploadInterrupted, detail)
            }
            other => other.into(),
        })?;
        Ok(NamedUpload { name, upload })
    }

    /// The file of an upload that has come in parts.
    async fn assembled(&mut self, id: &str, part: &str, limit: u64) -> Result<NamedUpload, Problem> {
        let wrong = |detail: String| Problem::fields(vec![FieldError { field: part.to_owned(), detail }]);
        let id: Uuid = id.trim().parse().map_err(|_| wrong("must be the id of an upload".to_owned()))?;
        let uploads = self.store.resumables();
        let length = match uploads.get(id).await {
            Ok(upload) => upload.length,
            Err(StoreError::NotFound { .. }) => {
                return Err(wrong(format!("upload {id} does not exist; begin it again")));
            }
            Err(other) => return Err(other.into()),
        };
        let so_far: u64 = self.files.values().map(|file| file.upload.bytes).sum();
        if length > limit.saturating_sub(so_far) {
            let detail = format!("the upload is larger than this server's limit of {limit} bytes");
            return Err(Problem::new(Kind::TooLarge, detail).with_limit(limit));
        }
        let file = uploads.assemble(id).await?;
        self.resumed.push(id);
        Ok(file)
    }

    /// Gives the parts of uploads up, whose files are part of something now.
    pub async fn settle(&self) {
        for id in &self.resumed {
            if let Err(error) = self.store.resumables().delete(*id).await {
                tracing::warn!(%error, %id, "the parts of an upload are left for the next sweep");
            }
        }
    }

    pub fn has(&self, part: &str) -> bool {
        self.files.contains_key(part)
    }

    pub fn text(&self, part: &str) -> Option<&str> {
        self.texts.get(part).map(String::as_str)
    }

    pub fn file(&self, part: &str) -> Option<&NamedUpload> {
        self.files.get(part)
    }

    /// What to call the thing: the part `name`, else the file's name without its ending.
    pub fn display_name(&self, part: &str) -> Result<String, Problem> {
        if let Some(name) = self.text("name") {
            return checked_name(name);
        }
        let file = self.file(part).map_or(part, |file| file.name.as_str());
        checked_name(without_ending(file)).map_err(|_| {
            let detail =
                format!("the file's name is longer than {MAX_NAME} characters; pass a `name` within that limit");
            Problem::fields(vec![FieldError { field: "name".to_owned(), detail }])
        })
    }

    /// The files under the names that they came with, in a folder of their own.
    pub async fn as_folder(&self) -> Result<Folder, Problem> {
        let mut files = Vec::with_capacity(self.files.len());
        for file in self.files.values() {
            let stored = self.store.files().materialize(&file.upload.hash, Check::Once).await;
            files.push((file.name.as_str(), stored.map_err(|error| error.about(|| file.owner()))?));
        }
        Folder::of(files).await
    }

    /// Takes a file out: from here on the caller has to store or discard it.
    pub fn take(&mut self, part: &str) -> Option<NamedUpload> {
        self.files.remove(part)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        let abandoned: Vec<Upload> = std::mem::take(&mut self.files).into_values().map(|file| file.upload).collect();
        discard(&self.store, abandoned);
    }
}

/// Gives uploads up, in the background: callers are on their way out.
pub fn discard(store: &Store, uploads: Vec<Upload>) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    if uploads.is_empty() {
        return;
    }
    let store = store.clone();
    runtime.spawn(async move {
        for upload in uploads {
            if let Err(error) = store.discard(&upload).await {
                tracing::warn!(%error, hash = %upload.hash, "an abandoned upload is left for the next sweep");
            }
        }
    });
}

async fn text_of(mut field: Field<'_>, part: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_TEXT_BYTES {
            let detail = format!("must have at most {MAX_TEXT_BYTES} bytes");
            return Err(Problem::fields(vec![FieldError { field: part.to_owned(), detail }]));
        }
    }
    String::from_utf8(bytes).map_err(|_| {
        let detail = "must be UTF-8 text".to_owned();
        Problem::fields(vec![FieldError { field: part.to_owned(), detail }])
    })
}

fn unique(is_first: bool, part: &str) -> Result<(), Problem> {
    if is_first {
        return Ok(());
    }
    Err(Problem::new(Kind::MalformedUpload, format!("part `{part}` was sent more than once")))
}

/// The part with a file that this one stands for.
fn uploaded(part: &str, expected: Expected) -> Option<&'static str> {
    let name = part.strip_suffix(UPLOADED)?;
    expected.files.iter().find(|file| **file == name).copied()
}

fn unexpected(part: &str, expected: Expected) -> Problem {
    let files = expected.files.iter().flat_map(|name| [format!("`{name}`"), format!("`{name}{UPLOADED}`")]);
    let known: Vec<String> = files.chain(expected.texts.iter().map(|name| format!("`{name}`"))).collect();
    Problem::new(Kind::MalformedUpload, format!("part `{part}` is unknown; expected parts: {}", known.join(", ")))
}

fn broken(error: &MultipartError) -> Problem {
    let kind = match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Kind::TooLarge,
        _ => Kind::UploadInterrupted,
    };
    Problem::new(kind, format!("the multipart body is broken or ended early: {}", error.body_text()))
}

/// The last part of the name that the client gave, without characters that a file name should not have.
pub fn file_name(given: &str, part: &str) -> Result<String, Problem> {
    let base = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = base.chars().filter(|c| !c.is_control()).collect();
    match plain.trim() {
        "" | "." | ".." => Ok(part.to_owned()),
        name if name.len() > MAX_FILE_NAME_BYTES => {
            let detail = format!(
                "the file's name has {} bytes; the limit is {MAX_FILE_NAME_BYTES}, so rename the file",
                name.len()
            );
            Err(Problem::fields(vec![FieldError { field: part.to_owned(), detail }]))
        }
        name => Ok(name.to_owned()),
    }
}

/// A file's name without the one ending that says its format: what else is in it tells files apart.
pub fn without_ending(file: &str) -> &str {
    let lower = file.to_ascii_lowercase();
    let stem = ENDINGS.iter().find(|ending| lower.ends_with(*ending)).map_or(file, |e| &file[..file.len() - e.len()]);
    if stem.trim().is_empty() { file } else { stem }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_is_never_a_path() {
        let cases = [
            ("../../etc/passwd", "passwd"),
            ("C:\\models\\a.onnx", "a.onnx"),
            ("..", "file"),
            ("", "file"),
            ("a\nb.pt", "ab.pt"),
        ];
        for (given, expected) in cases {
            assert_eq!(file_name(given, "file").unwrap(), expected, "{given:?}");
        }
    }

    #[test]
    fn a_file_name_is_kept_whole_or_refused() {
        let long = format!("{}.onnx", "n".repeat(250));
        assert_eq!(file_name(&long, "file").unwrap(), long);
        let refused = file_name(&format!("{}.onnx", "ä".repeat(126)), "file").unwrap_err();
        assert!(refused.detail().contains("257 bytes") && refused.detail().contains("255"), "{}", refused.detail());
    }

    #[test]
    fn only_the_ending_that_says_the_format_is_left_out_of_a_name() {
        let cases = [
            ("x.traced.pt", "x.traced"),
            ("x.bn_folded.onnx", "x.bn_folded"),
            ("resnet-0.5.ONNX", "resnet-0.5"),
            ("pets.tar.gz", "pets"),
            ("train-00000-of-00001.parquet", "train-00000-of-00001"),
            ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte"),
            ("v1.2", "v1.2"),
            ("model", "model"),
            (".pt", ".pt"),
            ("Größe.pt", "Größe"),
        ];
        for (file, name) in cases {
            assert_eq!(without_ending(file), name);
        }
    }
}

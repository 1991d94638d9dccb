//! Downloads: whole files and byte ranges, streamed from the store.

use std::ops::Range;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use eagleeye_store::{Check, FileBody, FileHash, Owner, Sha256, Store};

use crate::conditional::Version;
use crate::problem::{Kind, Problem};

/// The digest of the whole file, whatever part of it an answer has (RFC 9530, section 3).
const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// How a browser should treat a file.
#[derive(Debug, Clone, Copy)]
pub enum Disposition<'a> {
    /// Save it under this name.
    Attachment(&'a str),
    /// Show it.
    Inline,
}

/// A file that can be downloaded.
#[derive(Debug)]
pub struct StoredFile<'a> {
    pub hash: &'a FileHash,
    /// For whoever checks what has arrived, where it is known.
    pub sha256: Option<Sha256>,
    pub media_type: &'static str,
    /// What it is part of, where it is found to be damaged.
    pub owner: Owner,
}

/// Answers with a file, once all of it was found to be what was stored; nothing of a damaged file is sent. A hash names its
/// content for ever, so it is the ETag and the answer never grows stale.
pub async fn download(
    store: &Store,
    file: StoredFile<'_>,
    disposition: Disposition<'_>,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    let StoredFile { hash, sha256, media_type, owner } = file;
    let version = Version::of_hash(hash);
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, version.header()?);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
    if let Some(answer) = version.answer_without_content(request, &headers) {
        return Ok(answer);
    }
    let wanted =
        request.get(header::RANGE).filter(|_| version.continues(request)).and_then(|value| value.to_str().ok());

    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(sha256) = sha256 {
        headers.insert(REPR_DIGEST, digest(&sha256)?);
    }
    if let Disposition::Attachment(name) = disposition {
        headers.insert(header::CONTENT_DISPOSITION, attachment(name)?);
    }

    let file = store.files().materialize(hash, Check::Once).await.map_err(|error| error.about(|| owner))?;
    let size = file.size();
    let Some(range) = wanted.and_then(single_range) else {
        return Ok(answer(StatusCode::OK, headers, file.stream(0..size).await?));
    };
    match range.within(size) {
        Some(range) => {
            let body = file.stream(range.clone()).await?;
            let content_range = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let content_range = HeaderValue::from_str(&content_range).map_err(Problem::internal)?;
            headers.insert(header::CONTENT_RANGE, content_range);
            Ok(answer(StatusCode::PARTIAL_CONTENT, headers, body))
        }
        None => {
            let problem = Problem::new(Kind::RangeNotSatisfiable, format!("the file has {size} bytes"));
            let size = HeaderValue::from_str(&format!("bytes */{size}")).map_err(Problem::internal)?;
            Ok(([(header::CONTENT_RANGE, size)], problem).into_response())
        }
    }
}

fn answer(status: StatusCode, mut headers: HeaderMap, file: FileBody) -> Response {
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.range.end - file.range.start));
    (status, headers, Body::from_stream(file.stream)).into_response()
}

/// A dictionary of structured fields (RFC 8941) with one member, whose value is a sequence of bytes.
fn digest(sha256: &Sha256) -> Result<HeaderValue, Problem> {
    let value = format!("sha-256=:{}:", STANDARD.encode(sha256.bytes()));
    HeaderValue::from_str(&value).map_err(Problem::internal)
}

/// `attachment` with the name as RFC 6266 wants it: plain ASCII for old clients, and UTF-8 percent-encoded.
fn attachment(name: &str) -> Result<HeaderValue, Problem> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ' ');
    let ascii: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'.' | b'-' | b'_' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    let value = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{encoded}");
    HeaderValue::from_str(&value).map_err(Problem::internal)
}

/// One byte range of a `Range` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteRange {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

/// The range, where the header asks for exactly one. Others are answered with the whole file, as RFC 9110 allows.
fn single_range(header: &str) -> Option<ByteRange> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    match (first, last) {
        ("", last) => last.parse().ok().map(ByteRange::Last),
        (first, "") => first.parse().ok().map(ByteRange::From),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(ByteRange::Between(first, last))
        }
    }
}

impl ByteRange {
    /// The bytes of a file of this size, or nothing where the range lies outside it.
    fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            ByteRange::From(first) => first..size,
            ByteRange::Between(first, last) => first..size.min(last.saturating_add(1)),
            ByteRange::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_files_end() {
        let within = |header: &str| single_range(header).and_then(|range| range.within(10));
        assert_eq!(within("bytes=0-3"), Some(0..4));
        assert_eq!(within("bytes=8-"), Some(8..10));
        assert_eq!(within("bytes=5-99"), Some(5..10));
        assert_eq!(within("bytes=-3"), Some(7..10));
        assert_eq!(within("bytes=10-"), None);
        assert_eq!(within("bytes=-0"), None);
        assert_eq!(single_range("bytes=0-1,4-5"), None);
        assert_eq!(single_range("bytes=5-2"), None);
    }

    #[test]
    fn a_name_cannot_break_out_of_its_header() {
        let value = attachment("naïve\"; x=\r\n.onnx").unwrap();
        let expected =
            "attachment; filename=\"na_ve__ x___.onnx\"; filename*=UTF-8''na%C3%AFve%22%3B%20x%3D%0D%0A.onnx";
        assert_eq!(value.to_str().unwrap(), expected);
    }
}

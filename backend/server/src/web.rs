//! The page: the front end's built files, embedded in the program.

use axum::extract::OriginalUri;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::problem::{Kind, Problem};

/// Addresses below these are never the page's: an unknown one is an error.
const NOT_THE_PAGE: [&str; 3] = ["/api/", "/docs/", "/assets/"];

/// Everything comes from this server; nothing may frame it.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `frontend/dist` where it was built before the server, else a page that says how to build it (build.rs).
#[derive(RustEmbed)]
#[folder = "$EAGLEEYE_PAGE"]
struct Page;

/// Answers with the file of this name, and with the page itself for every address that the page routes by itself.
pub async fn page(method: Method, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let exact = Page::get(path.trim_start_matches('/'));
    let routed =
        || if NOT_THE_PAGE.iter().any(|prefix| path.starts_with(prefix)) { None } else { Page::get("index.html") };
    let Some(file) = exact.or_else(routed) else {
        let detail = format!("there is nothing at {path}; /docs describes the addresses that exist");
        return Problem::new(Kind::NotFound, detail).into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        let problem = Problem::new(Kind::MethodNotAllowed, format!("{path} does not take {method}; it takes GET"));
        return ([(header::ALLOW, "GET, HEAD")], problem).into_response();
    }
    answer(path, file, &headers)
}

fn answer(path: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let etag: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{etag}\"");
    let is_current = request.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes());
    // Vite puts a hash of the content into the names below assets/; the page itself has to be asked for each time.
    let caching = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };

    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, etag);
    }
    if is_current {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if let Ok(media_type) = HeaderValue::from_str(file.metadata.mimetype()) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    (headers, file.data).into_response()
}

//! The page: the front end's built files, embedded in the program.

use axum::Extension;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::conditional::Version;
use crate::encoding::Encoding;
use crate::problem::{Kind, OwnBody, Problem};

/// Lists of the page, and the details below each; a test holds them against the page's own router.
const SECTIONS: [&str; 6] = ["models", "datasets", "searches", "candidates", "tunings", "studies"];
/// Sections that have details and no list.
const UNLISTED: [&str; 3] = ["candidates", "tunings", "studies"];
/// Pages that are no section.
const WHOLE: [&str; 1] = ["compare"];

/// Everything comes from this server; nothing may frame it.
const POLICY: &str = "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; \
    object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `frontend/dist` where it was built before the server, else a page that says how to build it (build.rs).
#[derive(RustEmbed)]
#[folder = "$EAGLEEYE_PAGE"]
struct Page;

/// Answers with the file of this name, and with the page itself for every address that the page routes by itself. A
/// browser that asks for anything else gets the page too, which says that there is nothing, with the status that says
/// so.
pub async fn page(method: Method, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let exact = path.trim_start_matches('/');
    let name = if Page::get(exact).is_some() { exact } else { "index.html" };
    let status = if name == exact || is_routed(path) { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let shown = status == StatusCode::OK || wants_page(path, &headers);
    let Some(file) = shown.then(|| Page::get(name)).flatten() else {
        let detail = format!("{path} does not exist; /docs describes the addresses that do");
        return Problem::new(Kind::NotFound, detail).into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        let problem = Problem::new(
            Kind::MethodNotAllowed,
            format!(
                "{path} does not support {method}; it supports \
            GET"
            ),
        );
        return ([(header::ALLOW, "GET, HEAD")], problem).into_response();
    }
    let media_type = file.metadata.mimetype().to_owned();
    let (encoding, file) = smallest(name, file, &headers);
    let answered = answer(path, status, &media_type, encoding, file, &headers);
    answered.unwrap_or_else(IntoResponse::into_response)
}

/// Whether the page has something to show at this address.
fn is_routed(path: &str) -> bool {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    match (parts.next(), parts.next(), parts.next()) {
        (None, _, _) => true,
        (Some(section), None, _) => {
            WHOLE.contains(&section) || (SECTIONS.contains(&section) && !UNLISTED.contains(&section))
        }
        (Some(section), Some(_), None) => SECTIONS.contains(&section),
        (Some(_), Some(_), Some(_)) => false,
    }
}

/// Whether somebody looks for a page of this site, and not a program for a file or an answer of the API.
fn wants_page(path: &str, request: &HeaderMap) -> bool {
    let accepted = request.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted.contains("text/html") && !["/api/", "/assets/"].iter().any(|prefix| path.starts_with(prefix))
}

/// The file in the smallest encoding that the client takes, as build.rs has made it.
fn smallest(name: &str, file: EmbeddedFile, request: &HeaderMap) -> (Option<Encoding>, EmbeddedFile) {
    let accepted = request.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut encoded = Encoding::accepted(accepted)
        .filter_map(|encoding| Some((Some(encoding), Page::get(&format!("{name}{}", encoding.suffix()))?)));
    encoded.next().unwrap_or((None, file))
}

fn answer(
    path: &str,
    status: StatusCode,
    media_type: &str,
    encoding: Option<Encoding>,
    file: EmbeddedFile,
    request: &HeaderMap,
) -> Result<Response, Problem> {
    // The hash is that of the encoded bytes, so each encoding has its own tag.
    let hash: String = file.metadata.sha256_hash().iter().map(|byte| format!("{byte:02x}")).collect();
    let version = Version::of_hash(hash);
    // Vite puts a hash of the content into the names below assets/; the page itself has to be asked for each time.
    let caching = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };

    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if status == StatusCode::OK {
        headers.insert(header::ETAG, version.header()?);
        if let Some(answer) = version.answer_without_content(request, &headers) {
            return Ok(answer);
        }
    }
    if let Ok(media_type) = HeaderValue::from_str(media_type) {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    Ok((status, headers, Extension(OwnBody), file.data).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_pages_where_its_own_router_says_so() {
        let router = include_str!("../../../frontend/src/router.ts");
        let within = |start: &str, end: char| {
            let (_, rest) = router.split_once(start).unwrap();
            rest.split(end).next().unwrap()
        };
        let details = within("const DETAILS = {", '}').split(',').map(str::trim).filter(|line| !line.is_empty());
        let sections: Vec<&str> = details.filter_map(|part| part.split(':').next()).collect();
        assert_eq!(sections, SECTIONS);
        let unlisted = within("const UNLISTED = [", ']').split(',').map(|name| name.trim().trim_matches('"'));
        assert_eq!(unlisted.collect::<Vec<_>>(), UNLISTED);
        let whole = within("const WHOLE = [", ']').split(',').map(|name| name.trim().trim_matches('"'));
        assert_eq!(whole.collect::<Vec<_>>(), WHOLE);
        let details =
            ["/datasets/019321f0", "/candidates/019321f0", "/tunings/019321f0", "/studies/019321f0", "/compare"];
        for own in ["/", "/models", "/models/", "/searches/new"].into_iter().chain(details) {
            assert!(is_routed(own), "{own}");
        }
        for other in [
            "/metrics",
            "/.env",
            "/models/a/b",
            "/tunings",
            "/studies",
            "/candidates",
            "/compare/019321f0",
            "/api/v1/networks",
            "/wp-admin/setup.php",
        ] {
            assert!(!is_routed(other), "{other}");
        }
    }
}

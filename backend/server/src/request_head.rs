//! What is refused by the head of a request alone, before any handler sees it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{OpenApi, PathItem, RefOr};

use crate::problem::{Kind, Problem};

/// Longest address in bytes; the page's and the API's own stay far below.
const LONGEST_ADDRESS: usize = 8 << 10;
/// Names and values of all headers together, in bytes.
const LARGEST_HEADERS: usize = 64 << 10;

/// Refuses addresses and headers of unreasonable size, and bodies in an encoding that nobody would undo.
pub async fn is_reasonable(request: Request, next: Next) -> Response {
    if let Err(problem) = check_size(request.uri().to_string().len(), request.headers()) {
        return problem.into_response();
    }
    match request.headers().get(header::CONTENT_ENCODING) {
        Some(encoding) if !encoding.as_bytes().eq_ignore_ascii_case(b"identity") => {
            let detail = "encoded bodies are not supported: send the body without Content-Encoding";
            let accepted = [(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))];
            (accepted, Problem::new(Kind::UnsupportedEncoding, detail)).into_response()
        }
        _ => next.run(request).await,
    }
}

fn check_size(address: usize, headers: &HeaderMap) -> Result<(), Problem> {
    if address > LONGEST_ADDRESS {
        let detail = format!("the address has {address} bytes; the limit is {LONGEST_ADDRESS}");
        return Err(Problem::new(Kind::AddressTooLong, detail).with_limit(LONGEST_ADDRESS as u64));
    }
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size > LARGEST_HEADERS {
        let detail = format!("the headers have {size} bytes; the limit is {LARGEST_HEADERS}");
        return Err(Problem::new(Kind::HeadersTooLarge, detail).with_limit(LARGEST_HEADERS as u64));
    }
    Ok(())
}

/// The parameters that each operation takes in its query, as the OpenAPI document lists them.
#[derive(Debug, Clone, Default)]
pub struct KnownParameters(Arc<HashMap<(String, String), BTreeSet<String>>>);

impl KnownParameters {
    pub fn of(document: &OpenApi) -> Self {
        let mut known = HashMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in operations(item) {
                let parameters = operation.parameters.iter().flatten();
                let names = parameters.filter_map(|parameter| match parameter {
                    RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query => Some(parameter.name.clone()),
                    _ => None,
                });
                known.insert((method.to_owned(), path.clone()), names.collect());
            }
        }
        Self(Arc::new(known))
    }

    /// Refuses a parameter that the operation does not have: one that is ignored looks like one that has worked.
    fn check(&self, method: &str, path: &str, query: &str) -> Result<(), Problem> {
        let Some(known) = self.0.get(&(method.to_owned(), path.to_owned())) else { return Ok(()) };
        let unknown: BTreeSet<String> = url::form_urlencoded::parse(query.as_bytes())
            .map(|(name, _)| name.into_owned())
            .filter(|name| !known.contains(name))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let quoted = |names: &BTreeSet<String>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
        let takes = if known.is_empty() { "no parameters".to_owned() } else { quoted(known) };
        let detail = format!("unknown parameter {}; this address accepts {takes}", quoted(&unknown));
        Err(Problem::new(Kind::InvalidParameter, detail))
    }
}

fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    let all = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("PATCH", &item.patch),
        ("HEAD", &item.head),
        ("OPTIONS", &item.options),
    ];
    all.into_iter().filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
}

/// Middleware for [`KnownParameters`]; HEAD is answered as GET is.
pub async fn takes_parameters(State(known): State<KnownParameters>, request: Request, next: Next) -> Response {
    let method = if request.method() == "HEAD" { "GET" } else { request.method().as_str() };
    let checked = match (request.extensions().get::<MatchedPath>(), request.uri().query()) {
        (Some(path), Some(query)) => known.check(method, path.as_str(), query),
        _ => Ok(()),
    };
    match checked {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_or_headers_beyond_reason_are_refused_with_the_limit() {
        let headers =
            |size: usize| HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&vec![b'x'; size]).unwrap())]);
        assert!(check_size(LONGEST_ADDRESS, &headers(100)).is_ok());
        assert_eq!(check_size(LONGEST_ADDRESS + 1, &headers(0)).unwrap_err().kind(), Kind::AddressTooLong);
        assert_eq!(check_size(1, &headers(LARGEST_HEADERS)).unwrap_err().kind(), Kind::HeadersTooLarge);
    }

    #[test]
    fn what_an_operation_takes_is_what_the_document_lists() {
        let known = KnownParameters::of(&crate::app::document());
        assert!(known.check("GET", "/api/v1/models", "limit=5&cursor=x").is_ok());
        let problem = known.check("GET", "/api/v1/models", "limit=5&state=running").unwrap_err();
        assert_eq!(problem.kind(), Kind::InvalidParameter);
        assert!(problem.detail().contains("`state`") && problem.detail().contains("`limit`"), "{}", problem.detail());
        let problem = known.check("GET", "/api/v1/models/{id}", "full=1").unwrap_err();
        assert!(problem.detail().contains("no parameters"), "{}", problem.detail());
    }
}

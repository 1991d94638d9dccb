//! Holds every answer that the tests get against the OpenAPI document, from which clients are generated.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::answer::Answer;

/// docs/openapi.json; that it is what the server serves has a test of its own.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
});

/// What belongs to the page or describes the API, and is therefore not in the document. Everything below `/assets` and
/// `/docs` does.
const NOT_THE_API: [&str; 8] =
    ["/", "/index.html", "/assets", "/docs", "/models", "/datasets", "/searches", "/api/v1/openapi.json"];

/// What a test asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// An operation of the document, or the page, of a server that can do its work.
    Documented,
    /// The same of a server that the test has broken: the answer must be a documented 500.
    Broken,
    /// An address or a method that does not exist: the answer must be 404 or 405.
    Absent,
}

/// Fails if an answer is not one that the document announces.
pub fn check(asked: Asked, method: &str, path: &str, answer: &Answer) {
    if let Err(fault) = verify(asked, method, path, answer) {
        panic!("{method} {path} answers {}: {fault}", answer.status);
    }
}

fn verify(asked: Asked, method: &str, path: &str, answer: &Answer) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let operation = operation(method, path);
    match (asked, operation) {
        (Asked::Absent, None) if [404, 405].contains(&answer.status) => Ok(()),
        (Asked::Absent, None) => Err("neither 404 nor 405".to_owned()),
        (Asked::Absent, Some(_)) => Err("the document has this operation".to_owned()),
        (Asked::Documented, _) if answer.status == 500 => Err(format!("unexpected: {}", answer.text())),
        (Asked::Documented, None) if is_not_the_api(path) => Ok(()),
        (Asked::Broken, _) if answer.status != 500 => Err("500 was expected".to_owned()),
        (Asked::Documented | Asked::Broken, None) => Err("the document has no such operation".to_owned()),
        (Asked::Documented | Asked::Broken, Some(operation)) => announced(operation, method, answer),
    }
}

fn announced(operation: &Value, method: &str, answer: &Answer) -> Result<(), String> {
    let announced = &operation["responses"][answer.status.to_string()];
    if !announced.is_object() {
        return Err("the document does not have this status".to_owned());
    }
    let Some(contents) = announced["content"].as_object() else {
        return if answer.body.is_empty() { Ok(()) } else { Err("the document has no body for it".to_owned()) };
    };
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
    let Some(content) = contents.get(&media_type) else {
        return Err(format!("`{media_type}` is not one of {:?}", contents.keys()));
    };
    // A compressed body is its own test's to unpack.
    let is_readable = method != "HEAD" && answer.header("content-encoding").is_empty();
    match media_type.ends_with("json") && is_readable {
        true => schema_faults(&content["schema"], &answer.json()),
        false => Ok(()),
    }
}

fn is_not_the_api(path: &str) -> bool {
    let is_below = |above: &&str| path.strip_prefix(*above).is_some_and(|rest| rest.starts_with('/'));
    NOT_THE_API.iter().any(|known| *known == path || is_below(known))
}

/// Holds a value against a schema of the document by its name.
pub fn check_named(name: &str, value: &Value) {
    if let Err(faults) = schema_faults(&json!({ "$ref": format!("#/components/schemas/{name}") }), value) {
        panic!("{name}: {faults}");
    }
}

/// Whether the document allows a value, by the name of its schema.
pub fn fits_schema(name: &str, value: &Value) -> bool {
    validator(&json!({ "$ref": format!("#/components/schemas/{name}") })).is_valid(value)
}

fn validator(schema: &Value) -> jsonschema::Validator {
    let whole = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
    jsonschema::validator_for(&whole).unwrap()
}

fn schema_faults(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = validator(schema);
    let faults: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    if faults.is_empty() { Ok(()) } else { Err(format!("{faults:?} in {value}")) }
}

/// The operation of the document; a `HEAD` that has none of its own is that of `GET` without its body.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    let (_, methods) = paths.iter().find(|(template, _)| fits(template, path))?;
    let own = methods.get(method.to_ascii_lowercase());
    own.or_else(|| methods.get("get").filter(|_| method == "HEAD"))
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, found): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    wanted.len() == found.len() && wanted.iter().zip(&found).all(|(w, f)| w.starts_with('{') || w == f)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

    use super::*;

    const MODEL: &str = "/api/v1/models/019321f0-0000-7000-8000-000000000000";

    fn answer(status: u16, media_type: &'static str, body: &Value) -> Answer {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        Answer { status, headers, body: body.to_string().into_bytes() }
    }

    fn problem(status: u16) -> Answer {
        let body = json!({ "type": "/problems/internal", "title": "Internal error", "status": status, "detail": "x" });
        answer(status, "application/problem+json", &body)
    }

    fn fault(asked: Asked, method: &str, path: &str, answer: &Answer) -> String {
        verify(asked, method, path, answer).unwrap_err()
    }

    #[test]
    fn an_operation_that_the_document_lacks_is_a_fault() {
        let list = answer(200, "application/json", &json!({ "items": [] }));
        for (method, path) in [("GET", "/api/v1/networks"), ("PUT", "/api/v1/models"), ("GET", "/metrics")] {
            assert_eq!(fault(Asked::Documented, method, path, &list), "the document has no such operation");
            assert_eq!(fault(Asked::Absent, method, path, &list), "neither 404 nor 405");
            assert_eq!(verify(Asked::Absent, method, path, &problem(404)), Ok(()));
        }
        assert_eq!(fault(Asked::Absent, "GET", MODEL, &problem(404)), "the document has this operation");
        assert_eq!(
            verify(Asked::Documented, "GET", "/docs/swagger-ui.css", &answer(200, "text/css", &json!(""))),
            Ok(())
        );
    }

    #[test]
    fn a_failure_is_a_fault_unless_the_test_provoked_it() {
        for path in [MODEL, "/", "/docs/"] {
            assert!(fault(Asked::Documented, "GET", path, &problem(500)).starts_with("unexpected"), "{path}");
        }
        assert_eq!(verify(Asked::Broken, "GET", MODEL, &problem(500)), Ok(()));
        assert_eq!(fault(Asked::Broken, "GET", MODEL, &problem(404)), "500 was expected");
    }

    #[test]
    fn a_status_a_media_type_or_a_body_that_the_document_lacks_is_a_fault() {
        assert_eq!(verify(Asked::Documented, "GET", MODEL, &problem(404)), Ok(()));
        assert_eq!(fault(Asked::Documented, "GET", MODEL, &problem(418)), "the document does not have this status");
        let text = answer(404, "text/plain", &json!("gone"));
        assert!(fault(Asked::Documented, "GET", MODEL, &text).contains("`text/plain` is not one of"));
        let bare = answer(404, "application/problem+json", &json!({ "title": "Not found" }));
        assert!(fault(Asked::Documented, "GET", MODEL, &bare).contains("required property"));
        let deleted = answer(204, "application/json", &json!({}));
        assert_eq!(fault(Asked::Documented, "DELETE", MODEL, &deleted), "the document has no body for it");
    }
}

//! Holds every answer that the tests get against the OpenAPI document, from which clients are generated.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::answer::Answer;

/// docs/openapi.json; that it is what the server serves has a test of its own.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
});

/// Fails where an answer is not one that the document announces.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let Some(operation) = operation(method, path) else { return };
    let status = answer.status.to_string();
    let announced = &operation["responses"][&status];
    assert!(announced.is_object(), "{method} {path} answers {status}, which the document does not have");
    let Some(contents) = announced["content"].as_object() else {
        assert!(answer.body.is_empty(), "{method} {path} {status}: the document has no body");
        return;
    };
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default().to_owned();
    let Some(content) = contents.get(&media_type) else {
        panic!("{method} {path} {status}: `{media_type}` is none of {:?}", contents.keys())
    };
    if media_type.ends_with("json") {
        check_schema(&format!("{method} {path} {status}"), &content["schema"], &answer.json());
    }
}

/// Holds a value against a schema of the document by its name.
pub fn check_named(name: &str, value: &Value) {
    check_schema(name, &json!({ "$ref": format!("#/components/schemas/{name}") }), value);
}

/// Whether the document allows a value, by the name of its schema.
pub fn fits_schema(name: &str, value: &Value) -> bool {
    validator(&json!({ "$ref": format!("#/components/schemas/{name}") })).is_valid(value)
}

fn validator(schema: &Value) -> jsonschema::Validator {
    let whole = json!({ "components": DOCUMENT["components"], "allOf": [schema] });
    jsonschema::validator_for(&whole).unwrap()
}

fn check_schema(what: &str, schema: &Value, value: &Value) {
    let validator = validator(schema);
    let faults: Vec<String> = validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{what}: {faults:?} in {value}");
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object()?;
    let (_, methods) = paths.iter().find(|(template, _)| fits(template, path))?;
    methods.get(method.to_ascii_lowercase())
}

fn fits(template: &str, path: &str) -> bool {
    let (wanted, found): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    wanted.len() == found.len() && wanted.iter().zip(&found).all(|(w, f)| w.starts_with('{') || w == f)
}

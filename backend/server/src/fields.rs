//! What is wrong with the fields of a JSON body, all of them at once and in words: held against the schema that the OpenAPI
//! document has of it.

use serde_json::{Value, json};
use utoipa::ToSchema;

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;

use crate::api::strategies;
use crate::problem::FieldError;

/// What the whole body is called where no field of it can be named.
const BODY: &str = "body";

/// The schema of a body with everything that it refers to.
pub struct BodySchema {
    /// References point into `components`.
    whole: Value,
}

impl BodySchema {
    pub fn of<T: ToSchema>() -> Self {
        let mut named = Vec::new();
        T::schemas(&mut named);
        let mut schemas: serde_json::Map<String, Value> =
            named.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
        if let Some(names) = schemas.get_mut(strategies::NAMES) {
            *names = json!(strategies::names());
        }
        BodySchema { whole: json!({ "components": { "schemas": schemas }, "allOf": [T::schema()] }) }
    }

    /// The fields at fault, each once; empty where the schema finds nothing wrong.
    pub fn faults(&self, body: &Value) -> Vec<FieldError> {
        let options = jsonschema::options().should_validate_formats(true);
        let Ok(validator) = options.build(&self.whole) else { return Vec::new() };
        let mut found: Vec<FieldError> = Vec::new();
        for error in validator.iter_errors(body).flat_map(|error| self.named(&error)) {
            if !found.iter().any(|known| known.field == error.field) {
                found.push(error);
            }
        }
        found
    }

    /// Whether an object is wanted somewhere and something else is there, which serde may take by the order of its items.
    pub fn is_misshapen(&self, body: &Value) -> bool {
        self.is_misshapen_at(&self.whole, body)
    }

    /// What a field must be, by its path with dots.
    pub fn wanted(&self, field: &str) -> String {
        let mut path = field.split('.').filter(|name| !name.is_empty() && *name != BODY);
        path.try_fold(self.resolved(&self.whole), |schema, name| self.property(schema, name))
            .map_or_else(|| "another value".to_owned(), |schema| self.words(schema))
    }

    fn named(&self, error: &ValidationError<'_>) -> Vec<FieldError> {
        let path = dotted(error.instance_path().as_str());
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                let field = below(property.as_str().unwrap_or_default());
                vec![FieldError { detail: format!("is missing; it must be {}", self.wanted(&field)), field }]
            }
            ValidationErrorKind::AdditionalProperties { unexpected } => {
                let known = self.wanted(&path);
                let error =
                    |name: &String| FieldError { field: below(name), detail: format!("is not known; send {known}") };
                unexpected.iter().map(error).collect()
            }
            _ => {
                let detail = format!("must be {}", self.wanted(&path));
                let field = if path.is_empty() { BODY.to_owned() } else { path };
                vec![FieldError { field, detail }]
            }
        }
    }

    fn is_misshapen_at(&self, schema: &Value, value: &Value) -> bool {
        let schema = self.resolved(schema);
        let Some(properties) = schema["properties"].as_object() else { return false };
        let Some(fields) = value.as_object() else { return !value.is_null() };
        let inside = |(name, value): (&String, &Value)| {
            properties.get(name).is_some_and(|schema| self.is_misshapen_at(schema, value))
        };
        fields.iter().any(inside)
    }

    fn property<'a>(&'a self, schema: &'a Value, name: &str) -> Option<&'a Value> {
        schema["properties"].get(name).map(|found| self.resolved(found))
    }

    /// The schema that is meant: behind references, and without the alternative of null.
    fn resolved<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(reference) = schema["$ref"].as_str() {
            return self.whole.pointer(reference.trim_start_matches('#')).map_or(schema, |found| self.resolved(found));
        }
        for several in ["allOf", "oneOf", "anyOf"] {
            let alternatives = schema[several].as_array().into_iter().flatten();
            if let Some(first) = alternatives.into_iter().find(|one| one["type"] != "null") {
                return self.resolved(first);
            }
        }
        schema
    }

    /// A schema in words, to follow "must be".
    fn words(&self, schema: &Value) -> String {
        let excludes_zero = excludes_zero(schema);
        let schema = self.resolved(schema);
        if let Some(choices) = schema["enum"].as_array() {
            let choices: Vec<String> = choices.iter().map(|choice| format!("`{}`", plain(choice))).collect();
            return if choices.len() == 1 { choices.concat() } else { format!("one of {}", choices.join(", ")) };
        }
        match kind(schema) {
            "integer" => format!("a whole number{}", range(schema)),
            "number" if excludes_zero => "a number other than 0".to_owned(),
            "number" => format!("a number{}", range(schema)),
            "boolean" => "true or false".to_owned(),
            "string" if schema["format"] == "uuid" => "an id, which is a UUID".to_owned(),
            "string" => match schema["maxLength"].as_u64() {
                Some(longest) => format!("a text of 1 to {longest} characters"),
                None => "a text".to_owned(),
            },
            "array" => self.words_of_items(&schema["items"]),
            "object" => {
                let names = schema["properties"].as_object().into_iter().flatten().map(|(name, _)| format!("`{name}`"));
                format!("an object with the fields {}", names.collect::<Vec<_>>().join(", "))
            }
            _ => "another value".to_owned(),
        }
    }

    fn words_of_items(&self, items: &Value) -> String {
        let excludes_zero = excludes_zero(items);
        let items = self.resolved(items);
        match kind(items) {
            "integer" => format!("a list of whole numbers{}", range(items)),
            "number" if excludes_zero => "a list of numbers other than 0".to_owned(),
            "number" => format!("a list of numbers{}", range(items)),
            _ => "a list".to_owned(),
        }
    }
}

/// Whether a schema is that of the numbers below 0 and those above.
fn excludes_zero(schema: &Value) -> bool {
    let mut alternatives = schema["anyOf"].as_array().into_iter().flatten();
    alternatives.any(|one| one["exclusiveMaximum"].as_f64() == Some(0.0))
}

/// A JSON pointer as a path with dots; what lies in a list is the list's.
fn dotted(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1).take_while(|part| part.parse::<usize>().is_err());
    parts.collect::<Vec<_>>().join(".")
}

/// The type that a schema wants, null aside.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default(),
        one => one.as_str().unwrap_or_default(),
    }
}

/// The range of a number, with a blank before it; nothing where there is none.
fn range(schema: &Value) -> String {
    let bound = |name: &str| schema.get(name).filter(|bound| bound.is_number()).map(plain);
    match (bound("minimum"), bound("exclusiveMinimum"), bound("maximum")) {
        (Some(min), _, Some(max)) => format!(" from {min} to {max}"),
        (None, Some(above), Some(max)) => format!(" above {above} and at most {max}"),
        (Some(min), _, None) => format!(" of at least {min}"),
        (None, Some(above), None) => format!(" above {above}"),
        (None, None, Some(max)) => format!(" of at most {max}"),
        (None, None, None) => String::new(),
    }
}

/// A value without quotes, and a whole number without a point.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 && whole.abs() < 1e15 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eagleeye_spec::SearchRequest;

    fn faults(body: &Value) -> Vec<(String, String)> {
        let found = BodySchema::of::<SearchRequest>().faults(body);
        found.into_iter().map(|error| (error.field, error.detail)).collect()
    }

    fn good() -> Value {
        json!({
            "model_id": "019321f0-0000-7000-8000-000000000000", "dataset_id": "019321f0-0000-7000-8000-000000000000",
            "macs": 0.5, "calibration_images": 10, "scoring_images": 10,
            "preprocessing": { "mean": [0], "deviation": [1] },
        })
    }

    #[test]
    fn a_body_that_fits_has_no_faults() {
        assert_eq!(faults(&good()), []);
        assert!(!BodySchema::of::<SearchRequest>().is_misshapen(&good()));
    }

    #[test]
    fn every_field_at_fault_is_named_once_with_what_would_be_right() {
        let mut body = good();
        body["candidates"] = json!(1.5);
        body["macs"] = Value::Null;
        body["model_id"] = json!("seven");
        body["preprocessing"] = json!({ "mean": ["a", "b"], "deviation": 1 });
        body["adaptation"] = json!({ "mode": "median" });
        body["budget"] = json!(1);
        body.as_object_mut().unwrap().remove("scoring_images");
        let mut found = faults(&body);
        found.sort();
        let expected = [
            ("adaptation.mode", "must be one of `cumulative`, `momentum`"),
            ("budget", "is not known; send an object with the fields "),
            ("candidates", "must be a whole number from 1 to 10000"),
            ("macs", "must be a number above 0 and at most 1"),
            ("model_id", "must be an id, which is a UUID"),
            ("preprocessing.deviation", "must be a list of numbers"),
            ("preprocessing.mean", "must be a list of numbers"),
            ("scoring_images", "is missing; it must be a whole number from 1 to 4294967295"),
        ];
        assert_eq!(found.iter().map(|(field, _)| field.as_str()).collect::<Vec<_>>(), expected.map(|(field, _)| field));
        for ((field, detail), (_, words)) in found.iter().zip(expected) {
            assert!(detail.starts_with(words), "{field}: {detail}");
        }
    }

    #[test]
    fn a_list_is_no_object() {
        assert_eq!(faults(&json!([]))[0].0, "body");
        let schema = BodySchema::of::<SearchRequest>();
        assert!(schema.is_misshapen(&json!([])));
        let mut body = good();
        body["preprocessing"] = json!([[0], [1]]);
        assert!(schema.is_misshapen(&body));
        assert_eq!(faults(&body)[0].0, "preprocessing");
    }
}

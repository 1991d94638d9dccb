//! axum's extractors, with problem details as their refusals.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use crate::fields::BodySchema;
use crate::problem::{FieldError, Kind, Problem};

/// Largest body as JSON in bytes: axum's own limit.
const LARGEST_JSON: u64 = 2_097_152;

/// Whole numbers below this are exact as floating-point numbers: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// The body as JSON. Where it does not fit, every field at fault is named.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + ToSchema> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let axum::Json(body) = axum::Json::<Value>::from_request(request, state).await?;
        read(body).map(Json)
    }
}

/// What a document says. Where it does not fit, every field at fault is named.
pub fn read<T: DeserializeOwned + ToSchema>(mut body: Value) -> Result<T, Problem> {
    write_whole_numbers_as_such(&mut body);
    let schema = BodySchema::of::<T>();
    let read = serde_path_to_error::deserialize::<_, T>(&body);
    match read {
        Ok(read) if !schema.is_misshapen(&body) => Ok(read),
        read => {
            let mut faults = schema.faults(&body);
            // A schema cannot say everything, such as the size of a number in memory.
            if let (true, Err(error)) = (faults.is_empty(), read) {
                let field = error.path().to_string();
                faults.push(FieldError { detail: format!("must be {}", schema.wanted(&field)), field });
            }
            Err(Problem::fields(faults))
        }
    }
}

/// The address's query.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(Problem))]
pub struct Query<T>(pub T);

/// The variable parts of the address.
#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(Problem))]
pub struct Path<T>(pub T);

/// To JSON and its schemas `8.0` is the whole number 8; to serde it is not.
fn write_whole_numbers_as_such(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let whole = number.as_f64().filter(|n| number.is_f64() && n.fract() == 0.0 && n.abs() < EXACT);
            if let Some(whole) = whole {
                *number = (whole as i64).into();
            }
        }
        Value::Array(values) => values.iter_mut().for_each(write_whole_numbers_as_such),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers_as_such),
        _ => {}
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        match rejection {
            JsonRejection::MissingJsonContentType(_) => {
                Problem::new(Kind::UnsupportedMediaType, "send the body with `Content-Type: application/json`")
            }
            JsonRejection::JsonSyntaxError(error) => Problem::new(Kind::MalformedJson, innermost(&error)),
            other if other.status() == Kind::TooLarge.status() => {
                let detail = format!("the body is larger than the limit of {LARGEST_JSON} bytes");
                Problem::new(Kind::TooLarge, detail).with_limit(LARGEST_JSON)
            }
            other => Problem::new(Kind::BadRequest, other.body_text()),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Problem::new(Kind::InvalidParameter, innermost(&rejection))
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        // An id that is no UUID names nothing: to a client that is the same as an id that is not there.
        Problem::new(Kind::NotFound, format!("{}; ids are UUIDs", innermost(&rejection)))
    }
}

/// What was wrong, without the wrappings that only repeat that something was.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut current = error;
    let mut said = current.to_string();
    while let Some(source) = current.source() {
        current = source;
        said = current.to_string();
    }
    said
}

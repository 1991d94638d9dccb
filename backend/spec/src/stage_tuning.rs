//! How a stage of a pipeline is fine-tuned: the options of a fine-tuning but for `start`, which the pipeline has beside them.
//!
//! `start` has a default, so that only here can be told whether somebody has sent one.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::tune::TuneOptions;

/// The field that a stage's options do not have.
pub(crate) const START: &str = "start";

/// The schema of a stage's options.
pub(crate) struct StageTuning;

impl PartialSchema for StageTuning {
    fn schema() -> RefOr<Schema> {
        let mut schema = TuneOptions::schema();
        if let RefOr::T(Schema::Object(options)) = &mut schema {
            options.properties.remove(START);
        }
        schema
    }
}

impl ToSchema for StageTuning {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        TuneOptions::schemas(schemas);
    }
}

pub(crate) fn serialize<S: Serializer>(options: &Option<TuneOptions>, serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields = serde_json::to_value(options).map_err(S::Error::custom)?;
    if let Value::Object(fields) = &mut fields {
        fields.remove(START);
    }
    fields.serialize(serializer)
}

/// # Errors
/// Where there is a `start`, and what is wrong with the other options.
pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<TuneOptions>, D::Error> {
    let fields = Map::deserialize(deserializer)?;
    if fields.contains_key(START) {
        return Err(D::Error::custom("`tune.start` must be left out: the pipeline's `start` says it"));
    }
    TuneOptions::deserialize(Value::Object(fields)).map(Some).map_err(D::Error::custom)
}

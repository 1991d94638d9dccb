//! From stored pixels to the network's input. It belongs to the model, and is part of a request.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::field_fault::FieldFault;

/// From pixels (0 to 255) to the network's input: `(pixel * scale - mean) / deviation`, per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// One per channel of the model's input.
    #[schema(example = json!([0.485, 0.456, 0.406]))]
    pub mean: Vec<f64>,
    /// One per channel of the model's input, none of them 0.
    #[schema(schema_with = deviations)]
    pub deviation: Vec<f64>,
    /// 1/255 if omitted; never 0.
    #[serde(default = "default_scale")]
    #[schema(schema_with = scale)]
    pub scale: f64,
}

impl Preprocessing {
    /// The fields that are out of range.
    pub(crate) fn faults(&self) -> Vec<FieldFault> {
        let Self { mean, deviation, scale } = self;
        let divides = deviation.iter().all(|d| d.is_finite() && *d != 0.0);
        let checks = [
            (mean.iter().all(|m| m.is_finite()), "preprocessing.mean", "must be finite numbers"),
            (divides, "preprocessing.deviation", "must be finite numbers other than 0"),
            (scale.is_finite() && *scale != 0.0, "preprocessing.scale", "must be a finite number other than 0"),
        ];
        let failed = checks.into_iter().filter(|(holds, _, _)| !holds);
        failed.map(|(_, field, detail)| FieldFault { field, detail }).collect()
    }
}

/// A number on either side of 0.
fn not_zero() -> AnyOfBuilder {
    let number = || {
        let double = SchemaFormat::KnownFormat(KnownFormat::Double);
        ObjectBuilder::new().schema_type(Type::Number).format(Some(double))
    };
    AnyOfBuilder::new().item(number().exclusive_minimum(Some(0))).item(number().exclusive_maximum(Some(0)))
}

fn deviations() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(not_zero())
        .description(Some("One per channel of the model's input, none of them 0."))
        .examples([json!([0.229, 0.224, 0.225])])
}

fn scale() -> AnyOfBuilder {
    let description = "1/255 if omitted; never 0.";
    not_zero().description(Some(description)).default(Some(json!(default_scale())))
}

fn default_scale() -> f64 {
    1.0 / 255.0
}

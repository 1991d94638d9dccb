//! From stored pixels to the network's input. It belongs to the model, and is part of a request.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, ArrayBuilder, KnownFormat, ObjectBuilder, SchemaFormat, Type};

use crate::field_fault::{FieldFault, failed};

/// Between these, and the same below 0, factors and shifts of pixels are finite in single precision.
const LEAST: f64 = 1e-6;
const MOST: f64 = 1e6;

/// From pixels (0 to 255) to the network's input: `(pixel * scale - mean) / deviation`, per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// One per channel of the model's input.
    #[schema(schema_with = means)]
    pub mean: Vec<f64>,
    /// One per channel of the model's input, none of them 0.
    #[schema(schema_with = deviations)]
    pub deviation: Vec<f64>,
    /// 1/255 if omitted; never 0.
    #[serde(default = "default_scale")]
    #[schema(schema_with = scale)]
    pub scale: f64,
    #[serde(default)]
    pub resize: Resize,
    #[serde(default)]
    pub filter: Filter,
    #[serde(default)]
    pub channels: ChannelOrder,
}

/// How an image of another size becomes the network's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "mode", rename_all = "snake_case", deny_unknown_fields)]
#[schema(default = json!({ "mode": "cover" }))]
pub enum Resize {
    /// Cut in its middle to the input's proportions, then resized.
    Cover {},
    /// Resized until its shorter side has `size` pixels, then the middle is cut out; where that is smaller than the input,
    /// zeros surround it. These are torchvision's `Resize(size)` and `CenterCrop`.
    ShorterSide {
        /// Pixels.
        #[schema(minimum = 1, maximum = 8192, example = 256)]
        size: u32,
    },
    /// Both sides are resized to the input's, whatever the proportions.
    Stretch {},
}

impl Resize {
    /// The largest `size`.
    pub const MAX_SIZE: u32 = 8192;
}

impl Default for Resize {
    fn default() -> Self {
        Self::Cover {}
    }
}

/// The filter that images are resized with. All but `nearest` average over what a pixel covers when they shrink an image
/// (antialiasing), as PIL does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "bilinear")]
pub enum Filter {
    #[default]
    Bilinear,
    Bicubic,
    Nearest,
    Lanczos,
}

/// Which colour the network's first channel is. `mean` and `deviation` are in the network's order. It means nothing to a
/// network of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "rgb")]
pub enum ChannelOrder {
    #[default]
    Rgb,
    Bgr,
}

impl Preprocessing {
    /// The fields that are out of range.
    pub(crate) fn faults(&self) -> Vec<FieldFault> {
        let Self { mean, deviation, scale, resize, filter: _, channels: _ } = self;
        let side_fits = match resize {
            Resize::ShorterSide { size } => (1..=Resize::MAX_SIZE).contains(size),
            Resize::Cover {} | Resize::Stretch {} => true,
        };
        let factor = |x: &f64| (LEAST..=MOST).contains(&x.abs());
        failed([
            (mean.iter().all(|m| m.abs() <= MOST), "preprocessing.mean", "must be numbers from -1000000 to 1000000"),
            (
                deviation.iter().all(factor),
                "preprocessing.deviation",
                "must be numbers from 0.000001 to 1000000, or as far below 0",
            ),
            (factor(scale), "preprocessing.scale", "must be a number from 0.000001 to 1000000, or as far below 0"),
            (side_fits, "preprocessing.resize.size", "must be from 1 to 8192"),
        ])
    }
}

fn number(least: f64, most: f64) -> ObjectBuilder {
    let double = SchemaFormat::KnownFormat(KnownFormat::Double);
    ObjectBuilder::new().schema_type(Type::Number).format(Some(double)).minimum(Some(least)).maximum(Some(most))
}

/// A number on either side of 0, and not so far from it or near to it that single precision would not do.
fn factor() -> AnyOfBuilder {
    AnyOfBuilder::new().item(number(LEAST, MOST)).item(number(-MOST, -LEAST))
}

fn means() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(number(-MOST, MOST))
        .description(Some("One per channel of the model's input."))
        .examples([json!([0.485, 0.456, 0.406])])
}

fn deviations() -> ArrayBuilder {
    ArrayBuilder::new()
        .items(factor())
        .description(Some("One per channel of the model's input, none of them 0."))
        .examples([json!([0.229, 0.224, 0.225])])
}

fn scale() -> AnyOfBuilder {
    let description = "1/255 if omitted; never 0.";
    factor().description(Some(description)).default(Some(json!(default_scale())))
}

fn default_scale() -> f64 {
    1.0 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_it_was_before_it_could_be_said() {
        let short: Preprocessing = serde_json::from_value(json!({ "mean": [0.5], "deviation": [0.25] })).unwrap();
        assert_eq!(
            (short.resize, short.filter, short.channels),
            (Resize::Cover {}, Filter::Bilinear, ChannelOrder::Rgb)
        );
        let long = json!({
            "mean": [0.5], "deviation": [0.25], "scale": 1.0 / 255.0, "resize": { "mode": "cover" },
            "filter": "bilinear", "channels": "rgb",
        });
        assert_eq!(serde_json::to_value(&short).unwrap(), long);
        assert_eq!(serde_json::from_value::<Preprocessing>(long).unwrap(), short);
    }

    #[test]
    fn only_the_shorter_side_has_a_size() {
        let read = |resize| serde_json::from_value::<Resize>(resize);
        assert_eq!(read(json!({ "mode": "shorter_side", "size": 256 })).unwrap(), Resize::ShorterSide { size: 256 });
        assert_eq!(read(json!({ "mode": "stretch" })).unwrap(), Resize::Stretch {});
        for wrong in
            [json!({ "mode": "shorter_side" }), json!({ "mode": "cover", "size": 256 }), json!({ "mode": "fit" })]
        {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_side_out_of_range_is_named() {
        let faults = |size| {
            let resize = Resize::ShorterSide { size };
            let preprocessing = Preprocessing {
                mean: vec![0.0],
                deviation: vec![1.0],
                scale: 1.0,
                resize,
                filter: Filter::Bicubic,
                channels: ChannelOrder::Bgr,
            };
            preprocessing.faults().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!((faults(1), faults(Resize::MAX_SIZE)), (vec![], vec![]));
        assert_eq!((faults(0), faults(8193)), (vec!["preprocessing.resize.size"], vec!["preprocessing.resize.size"]));
    }

    #[test]
    fn numbers_with_which_single_precision_would_not_do_are_refused() {
        let faults = |values: serde_json::Value| {
            let found = serde_json::from_value::<Preprocessing>(values).unwrap().faults();
            found.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert_eq!(faults(json!({ "mean": [-0.5], "deviation": [-0.25] })), [""; 0]);
        assert_eq!(faults(json!({ "mean": [1e38], "deviation": [0.25] })), ["preprocessing.mean"]);
        assert_eq!(faults(json!({ "mean": [0.5], "deviation": [1e-38] })), ["preprocessing.deviation"]);
        assert_eq!(faults(json!({ "mean": [0.5], "deviation": [0.0], "scale": -1e38 })).len(), 2);
    }
}

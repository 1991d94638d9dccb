//! Preprocessings that have names, from the table of presets.

use axum::Json;
use eagleeye_spec::{ChannelOrder, Filter, PRESETS, Resize, presets};
use serde::Serialize;
use utoipa::ToSchema;

/// A preprocessing that networks were trained with: the fields of a search's `preprocessing`, but that one value of `mean` and
/// `deviation` is for every channel where `input_channels` is null.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Preset {
    #[schema(example = "torchvision")]
    pub name: &'static str,
    /// Whose it is, in words.
    pub summary: &'static str,
    /// Channels of the network's input. Null: any number.
    #[schema(required)]
    pub input_channels: Option<u32>,
    /// Side of the network's input in pixels that `resize` is meant for. Null: any.
    #[schema(required)]
    pub input_size: Option<u32>,
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
    pub scale: f64,
    pub resize: Resize,
    pub filter: Filter,
    pub channels: ChannelOrder,
}

impl From<&presets::Preset> for Preset {
    fn from(preset: &presets::Preset) -> Self {
        let presets::Preset { name, summary, input_channels, input_size, mean, deviation, .. } = *preset;
        let presets::Preset { scale, resize, filter, channels, .. } = *preset;
        let (mean, deviation) = (mean.to_vec(), deviation.to_vec());
        Self { name, summary, input_channels, input_size, mean, deviation, scale, resize, filter, channels }
    }
}

/// Preprocessings that have names.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Presets {
    /// By library and data set; of each the most common first.
    pub items: Vec<Preset>,
}

/// List the preprocessings of libraries and data sets.
///
/// torchvision's weights, timm's, CIFAR, MNIST, and ranges of pixels.
#[utoipa::path(
    get, path = "/presets", operation_id = "listPresets", tag = "searches",
    responses((status = 200, description = "All presets", body = Presets))
)]
pub async fn list() -> Json<Presets> {
    Json(Presets { items: PRESETS.iter().map(Preset::from).collect() })
}

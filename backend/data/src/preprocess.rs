//! From a stored image to network input. It belongs to the model and is part of a search's request.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::picture::{Picture, Samples};

/// Size of the network's input and what is done to pixel values: `(pixel * scale - mean) / deviation` for each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// 1 or 3. Grey images are repeated for a network that takes 3.
    pub channels: usize,
    /// Pixels.
    pub height: usize,
    /// Pixels.
    pub width: usize,
    /// One value, or one for each channel.
    pub mean: Vec<f32>,
    /// One value, or one for each channel; not 0.
    pub deviation: Vec<f32>,
    /// Takes stored values to the range that mean and deviation were measured in.
    #[serde(default = "default_scale")]
    pub scale: f32,
}

fn default_scale() -> f32 {
    1.0 / 255.0
}

impl Preprocess {
    /// Says what is wrong with the fields, where something is.
    pub fn validate(&self) -> Result<(), DataError> {
        let wrong = |field, problem: String| Err(DataError::Preprocess { field, problem });
        for (field, values) in [("mean", &self.mean), ("deviation", &self.deviation)] {
            if values.len() != 1 && values.len() != self.channels {
                return wrong(field, format!("has {} values; it must have 1 or {}", values.len(), self.channels));
            }
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return wrong(field, format!("contains {value}; all values must be finite"));
            }
        }
        if self.deviation.contains(&0.0) {
            return wrong("deviation", "contains 0, but deviations must not be 0".to_owned());
        }
        if !self.scale.is_finite() || self.scale == 0.0 {
            return wrong("scale", format!("is {}; it must be finite and not 0", self.scale));
        }
        if self.height == 0 || self.width == 0 {
            return wrong("size", format!("is {}x{}; it must be at least 1x1", self.width, self.height));
        }
        Ok(())
    }

    /// Makes `[channels, height, width]` of an image. An image of another size is cut in its middle to the input's
    /// proportions and resized with antialiasing.
    pub(crate) fn apply(&self, entry: &str, picture: Picture) -> Result<Vec<f32>, DataError> {
        self.validate()?;
        if picture.channels != self.channels && picture.channels != 1 {
            return Err(DataError::Channels { images: picture.channels, network: self.channels });
        }
        let stored = picture.channels;
        let picture = resize(entry, picture, self.width, self.height)?;
        let pixels = self.height * self.width;
        let mut input = Vec::with_capacity(self.channels * pixels);
        for channel in 0..self.channels {
            let (mean, deviation) = (of_channel(&self.mean, channel), of_channel(&self.deviation, channel));
            let normalize = |value: f32| (value * self.scale - mean) / deviation;
            let first = if stored == 1 { 0 } else { channel };
            match &picture.samples {
                Samples::U8(v) => input.extend(v[first..].iter().step_by(stored).map(|&v| normalize(f32::from(v)))),
                Samples::F32(v) => input.extend(v[first..].iter().step_by(stored).map(|&v| normalize(v))),
            }
        }
        Ok(input)
    }
}

fn of_channel(values: &[f32], channel: usize) -> f32 {
    if values.len() == 1 { values[0] } else { values[channel] }
}

/// Resizes to exactly `width` x `height`, keeping proportions by cutting what is too much on two sides.
pub(crate) fn resize(entry: &str, picture: Picture, width: usize, height: usize) -> Result<Picture, DataError> {
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    let failed = |reason: String| DataError::Resize { entry: entry.to_owned(), width, height, reason };
    let channels = picture.channels;
    let (pixel_type, bytes) = match picture.samples {
        Samples::U8(values) => (if channels == 1 { PixelType::U8 } else { PixelType::U8x3 }, values),
        Samples::F32(values) => {
            let bytes = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
            (if channels == 1 { PixelType::F32 } else { PixelType::F32x3 }, bytes)
        }
    };
    let is_float = matches!(pixel_type, PixelType::F32 | PixelType::F32x3);
    let size = |pixels: usize| u32::try_from(pixels).map_err(|error| failed(error.to_string()));
    let source = Image::from_vec_u8(size(picture.width)?, size(picture.height)?, bytes, pixel_type);
    let source = source.map_err(|error| failed(error.to_string()))?;
    let mut target = Image::new(size(width)?, size(height)?, pixel_type);
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .fit_into_destination(Some((0.5, 0.5)))
        .use_alpha(false);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(error.to_string()))?;
    let bytes = target.into_vec();
    let samples = if is_float {
        let (chunks, _) = bytes.as_chunks::<4>();
        Samples::F32(chunks.iter().map(|&b| f32::from_ne_bytes(b)).collect())
    } else {
        Samples::U8(bytes)
    };
    Ok(Picture { channels, height, width, samples })
}

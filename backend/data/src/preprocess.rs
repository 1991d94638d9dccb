//! From a stored image to network input. It belongs to the model and is part of a search's request.

use eagleeye_spec::{ChannelOrder, Filter, Resize};
use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::picture::{Picture, Samples};
use crate::resize::{Target, fit};

/// Size of the network's input, how an image becomes of that size, and what is done to pixel values:
/// `(pixel * scale - mean) / deviation` for each channel.
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
    /// How an image of another size becomes the input.
    #[serde(default)]
    pub resize: Resize,
    #[serde(default)]
    pub filter: Filter,
    /// Of the network's channels, and so of `mean` and `deviation`.
    #[serde(default)]
    pub order: ChannelOrder,
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
        if let Resize::ShorterSide { size: 0 } = self.resize {
            return wrong("resize.size", "is 0; it must be at least 1".to_owned());
        }
        Ok(())
    }

    /// Makes `[channels, height, width]` of an image, its values as they are stored. What it is resized to on the way has
    /// `max_pixels` at most.
    pub(crate) fn fitted(&self, entry: &str, picture: Picture, max_pixels: u64) -> Result<Samples, DataError> {
        self.validate()?;
        if picture.channels != self.channels && picture.channels != 1 {
            return Err(DataError::Channels { images: picture.channels, network: self.channels });
        }
        let target = Target { width: self.width, height: self.height, filter: self.filter, max_pixels };
        let Picture { channels: stored, samples, .. } = fit(entry, picture, self.resize, target)?;
        Ok(match samples {
            Samples::U8(values) => Samples::U8(self.by_channel(stored, &values)),
            Samples::F32(values) => Samples::F32(self.by_channel(stored, &values)),
        })
    }

    /// The network's channels one after the other, of `stored` ones that lie beside each other.
    fn by_channel<T: Copy>(&self, stored: usize, values: &[T]) -> Vec<T> {
        let mut input = Vec::with_capacity(self.values());
        for channel in 0..self.channels {
            let first = match self.order {
                _ if stored == 1 => 0,
                ChannelOrder::Rgb => channel,
                ChannelOrder::Bgr => stored - 1 - channel,
            };
            input.extend(values[first..].iter().step_by(stored));
        }
        input
    }

    /// Numbers of one image.
    pub fn values(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Network input of values that are stored, one image's.
    pub(crate) fn normalised(&self, samples: &Samples) -> Vec<f32> {
        let pixels = self.height * self.width;
        let normalised = |place: usize, value: f32| {
            let channel = place / pixels.max(1);
            (value * self.scale - of_channel(&self.mean, channel)) / of_channel(&self.deviation, channel)
        };
        match samples {
            Samples::U8(values) => values.iter().enumerate().map(|(i, &v)| normalised(i, f32::from(v))).collect(),
            Samples::F32(values) => values.iter().enumerate().map(|(i, &v)| normalised(i, v)).collect(),
        }
    }
}

fn of_channel(values: &[f32], channel: usize) -> f32 {
    if values.len() == 1 { values[0] } else { values[channel] }
}

//! One image as it is stored, and PNG and JPEG files read into it.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};

use serde::{Deserialize, Serialize};

use crate::error::DataError;
use crate::limits::Limits;

/// Samples of images.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

/// What samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleType {
    U8,
    F32,
}

impl SampleType {
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
        }
    }
}

impl Samples {
    /// None.
    pub fn none(element: SampleType) -> Self {
        match element {
            SampleType::U8 => Self::U8(Vec::new()),
            SampleType::F32 => Self::F32(Vec::new()),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds more of them behind these; bytes become numbers where one of both is.
    pub fn append(&mut self, more: Self) {
        match (&mut *self, more) {
            (Self::U8(values), Self::U8(more)) => values.extend(more),
            (Self::F32(values), Self::F32(more)) => values.extend(more),
            (Self::F32(values), Self::U8(more)) => values.extend(more.into_iter().map(f32::from)),
            (Self::U8(values), Self::F32(more)) => {
                let widened = values.iter().copied().map(f32::from).chain(more).collect();
                *self = Self::F32(widened);
            }
        }
    }
}

/// An image of 1 (grey) or 3 (colour) channels.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// Row by row with the channels of a pixel together.
    pub samples: Samples,
}

/// Decodes a PNG or a JPEG, told by its content. Alpha is dropped, 16 bits become 8.
pub fn decode(entry: &str, bytes: &[u8], limits: &Limits) -> Result<Picture, DataError> {
    let unreadable = |reason: String| DataError::Image { entry: entry.to_owned(), reason };
    let format = match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Png | ImageFormat::Jpeg)) => format,
        Ok(other) => return Err(unreadable(format!("its content is {other:?}"))),
        Err(_) => return Err(unreadable("its format is unknown".to_owned())),
    };
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(decoder_limits(limits));
    let decoder = reader.into_decoder().map_err(|error| unreadable(error.to_string()))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > limits.pixels {
        let (width, height) = (u64::from(width), u64::from(height));
        return Err(DataError::Pixels { entry: entry.to_owned(), width, height, limit: limits.pixels });
    }
    let grey = !decoder.color_type().has_color();
    let image = DynamicImage::from_decoder(decoder).map_err(|error| unreadable(error.to_string()))?;
    let (channels, samples) = if grey { (1, image.into_luma8().into_raw()) } else { (3, image.into_rgb8().into_raw()) };
    Ok(Picture { channels, height: height as usize, width: width as usize, samples: Samples::U8(samples) })
}

/// What a decoder may allocate: 16 bits for four channels a pixel, and as much again for its own buffers.
fn decoder_limits(limits: &Limits) -> image::Limits {
    let mut decoder = image::Limits::default();
    decoder.max_alloc = Some(limits.pixels.saturating_mul(16));
    decoder
}

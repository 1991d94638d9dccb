//! From an image's size to the input's, as PIL and torchvision do it.

use std::num::TryFromIntError;

use eagleeye_spec::{Filter, Resize};
use fast_image_resize::images::Image;
use fast_image_resize::{CropBox, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::error::DataError;
use crate::picture::{Picture, Samples};

/// What an image becomes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    pub filter: Filter,
    /// What an image may have, the target and what it is cut from.
    pub max_pixels: u64,
}

/// Makes a picture of exactly the target's size. One that has it already is not touched by [`Resize::Cover`] and
/// [`Resize::Stretch`].
pub(crate) fn fit(entry: &str, picture: Picture, resize: Resize, target: Target) -> Result<Picture, DataError> {
    let Target { width, height, filter, max_pixels } = target;
    if width as u128 * height as u128 > u128::from(max_pixels) {
        let reason = format!("the limit is {max_pixels} pixels");
        return Err(DataError::Resize { entry: entry.to_owned(), width, height, reason });
    }
    let all =
        |picture: &Picture| CropBox { left: 0.0, top: 0.0, width: picture.width as f64, height: picture.height as f64 };
    match resize {
        Resize::Cover {} => {
            let part = middle(entry, &picture, width, height)?;
            resample(entry, picture, part, (width, height), filter)
        }
        Resize::Stretch {} => {
            let part = all(&picture);
            resample(entry, picture, part, (width, height), filter)
        }
        Resize::ShorterSide { size } => {
            let (scaled_width, scaled_height) = scaled(&picture, size as usize);
            if scaled_width as u128 * scaled_height as u128 > u128::from(max_pixels) {
                let (width, height) = (scaled_width as u64, scaled_height as u64);
                let entry = entry.to_owned();
                return Err(DataError::ResizedPixels { entry, size, width, height, limit: max_pixels });
            }
            let part = all(&picture);
            let scaled = resample(entry, picture, part, (scaled_width, scaled_height), filter)?;
            Ok(centre_crop(scaled, width, height))
        }
    }
}

/// The largest part in the middle that has the proportions of the target.
fn middle(entry: &str, picture: &Picture, width: usize, height: usize) -> Result<CropBox, DataError> {
    let side = |pixels: usize| {
        let too_long = |error: TryFromIntError| error.to_string();
        let failed = |reason| DataError::Resize { entry: entry.to_owned(), width, height, reason };
        u32::try_from(pixels).map_err(too_long).map_err(failed)
    };
    let (from, to) = ((side(picture.width)?, side(picture.height)?), (side(width)?, side(height)?));
    Ok(CropBox::fit_src_into_dst_size(from.0, from.1, to.0, to.1, Some((0.5, 0.5))))
}

/// The size with a shorter side of `size` pixels. The longer side is rounded down, as torchvision does.
fn scaled(picture: &Picture, size: usize) -> (usize, usize) {
    let longer = |long: usize, short: usize| size.saturating_mul(long) / short.max(1);
    match picture.width <= picture.height {
        true => (size, longer(picture.height, picture.width)),
        false => (longer(picture.width, picture.height), size),
    }
}

/// Filters a part of a picture to exactly this size. Images of 8 bits are rounded to 8 bits after each direction.
fn resample(
    entry: &str,
    picture: Picture,
    part: CropBox,
    (width, height): (usize, usize),
    filter: Filter,
) -> Result<Picture, DataError> {
    if (picture.width, picture.height) == (width, height) {
        return Ok(picture);
    }
    let failed = |reason: String| DataError::Resize { entry: entry.to_owned(), width, height, reason };
    let filter = match filter {
        Filter::Nearest => return Ok(nearest(picture, part, (width, height))),
        Filter::Bilinear => FilterType::Bilinear,
        // Of the cubic filters the one with a = -0.5, which PIL has.
        Filter::Bicubic => FilterType::CatmullRom,
        Filter::Lanczos => FilterType::Lanczos3,
    };
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
        .resize_alg(ResizeAlg::Convolution(filter))
        .crop(part.left, part.top, part.width, part.height)
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

/// Takes the pixel at the middle of each new one. The library takes another one where
/// the middle lies between two, which with 256 and 384 pixels a side is at a quarter of them.
fn nearest(picture: Picture, part: CropBox, (width, height): (usize, usize)) -> Picture {
    let channels = picture.channels;
    let columns = places(part.left, part.width, width, picture.width);
    let rows = places(part.top, part.height, height, picture.height);
    let first = rows.iter().flat_map(|row| columns.iter().map(move |column| (row * picture.width + column) * channels));
    let samples = match picture.samples {
        Samples::U8(v) => Samples::U8(first.flat_map(|f| v[f..f + channels].iter().copied()).collect()),
        Samples::F32(v) => Samples::F32(first.flat_map(|f| v[f..f + channels].iter().copied()).collect()),
    };
    Picture { channels, height, width, samples }
}

/// Which of the `found` pixels of a side become the `wanted` ones of its part. They are added up in single steps from a part in
/// single precision, as PIL does: where a middle lies between two pixels, rounding errors choose.
fn places(start: f64, length: f64, wanted: usize, found: usize) -> Vec<usize> {
    let (first, last) = (start as f32, (start + length) as f32);
    let step = f64::from(last - first) / wanted as f64;
    let places = std::iter::successors(Some(f64::from(first) + step * 0.5), |place| Some(place + step));
    places.take(wanted).map(|place| (place as usize).min(found.saturating_sub(1))).collect()
}

/// The middle of a picture, surrounded by zeros where the picture is smaller.
fn centre_crop(picture: Picture, width: usize, height: usize) -> Picture {
    if (picture.width, picture.height) == (width, height) {
        return picture;
    }
    let channels = picture.channels;
    let windows = (Window::of(picture.width, width), Window::of(picture.height, height));
    let (from, to) = (picture.width * channels, (width * channels, height));
    let samples = match picture.samples {
        Samples::U8(v) => Samples::U8(windowed(&v, channels, from, windows, to)),
        Samples::F32(v) => Samples::F32(windowed(&v, channels, from, windows, to)),
    };
    Picture { channels, height, width, samples }
}

/// What is copied along one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    /// First pixel of the source.
    source: usize,
    /// Where it goes.
    target: usize,
    /// Pixels.
    length: usize,
}

impl Window {
    /// torchvision pads with the smaller half in front, and rounds the first pixel of a cut to the nearest even number where it
    /// lies between two.
    fn of(found: usize, wanted: usize) -> Self {
        if found >= wanted {
            let spare = found - wanted;
            let half = spare / 2;
            let source = if spare.is_multiple_of(2) { half } else { half + half % 2 };
            return Self { source, target: 0, length: wanted };
        }
        Self { source: 0, target: (wanted - found) / 2, length: found }
    }
}

/// Copies the windows of rows of `from` values to `rows` rows of `to` values.
fn windowed<T: Copy + Default>(
    values: &[T],
    channels: usize,
    from: usize,
    (across, down): (Window, Window),
    (to, rows): (usize, usize),
) -> Vec<T> {
    let mut target = vec![T::default(); to * rows];
    let sources = values.chunks(from.max(1)).skip(down.source).take(down.length);
    let (source, first) = (across.source * channels, across.target * channels);
    let length = across.length * channels;
    for (row, out) in sources.zip(target.chunks_mut(to.max(1)).skip(down.target)) {
        out[first..first + length].copy_from_slice(&row[source..source + length]);
    }
    target
}

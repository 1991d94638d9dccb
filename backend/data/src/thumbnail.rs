//! Small pictures for people to see what a dataset holds.

use std::io::Cursor;

use eagleeye_spec::{Filter, Resize};
use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::dataset::Dataset;
use crate::error::DataError;
use crate::picture::Samples;
use crate::resize::{Target, fit};

/// Longest side of a thumbnail in pixels. Smaller images stay as they are.
pub const THUMBNAIL_SIDE: usize = 96;

/// Up to `count` images as PNG files: the first of every class in turn, then the second, and so on; the
/// first of all where they have no labels.
pub fn thumbnails(dataset: &Dataset, count: usize) -> Result<Vec<Vec<u8>>, DataError> {
    let chosen = match dataset.is_labelled() {
        true => choose(dataset.labels(), dataset.classes().len(), count),
        false => (0..dataset.len().min(count)).collect(),
    };
    chosen.into_iter().map(|index| thumbnail(dataset, index)).collect()
}

fn choose(labels: &[usize], classes: usize, count: usize) -> Vec<usize> {
    let count = count.min(labels.len());
    let mut seen = vec![0usize; classes];
    // Rank of an image within its class first, then its class.
    let mut order: Vec<(usize, usize, usize)> = Vec::new();
    for (index, &label) in labels.iter().enumerate() {
        if seen[label] < count {
            order.push((seen[label], label, index));
        }
        seen[label] += 1;
    }
    order.sort_unstable();
    order.into_iter().take(count).map(|(_, _, index)| index).collect()
}

fn thumbnail(dataset: &Dataset, index: usize) -> Result<Vec<u8>, DataError> {
    let picture = dataset.picture(index)?;
    let longest = picture.width.max(picture.height);
    let shrunk = |side: usize| if longest > THUMBNAIL_SIDE { (side * THUMBNAIL_SIDE / longest).max(1) } else { side };
    let (width, height) = (shrunk(picture.width), shrunk(picture.height));
    let target = Target { width, height, filter: Filter::Bilinear, max_pixels: dataset.limits.pixels };
    let picture = fit(&format!("image {index}"), picture, Resize::Cover {}, target)?;
    let color = if picture.channels == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let bytes = visible(picture.samples);
    let mut png = Cursor::new(Vec::new());
    let written = PngEncoder::new(&mut png).write_image(&bytes, width as u32, height as u32, color);
    written.map_err(|error| DataError::Thumbnail { reason: error.to_string() })?;
    Ok(png.into_inner())
}

/// Floats are shown by their own range, since nobody says what is black and what is white in them.
fn visible(samples: Samples) -> Vec<u8> {
    match samples {
        Samples::U8(values) => values,
        Samples::F32(values) => {
            let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            let span = if high > low { high - low } else { 1.0 };
            values.into_iter().map(|value| ((value - low) / span * 255.0) as u8).collect()
        }
    }
}

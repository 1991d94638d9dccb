//! The images that the network is scored on.

use eagleeye_data::{DataError, Dataset, Preprocess, Split};
use eagleeye_graph::Graph;
use eagleeye_graph::shape::sample;
use eagleeye_spec::warning::input_size_differs;
use eagleeye_spec::{ChannelOrder, Preprocessing, SearchRequest, Warning};

use super::request::CheckSearchError;
use crate::convert;

/// Images whose stored size is looked at.
const SIZED_IMAGES: usize = 16;

/// Channels, height and width of the network's input.
pub fn input_size(graph: &Graph) -> Result<[usize; 3], CheckSearchError> {
    let shape = graph.inputs.first().map(|&input| sample(graph.shape(input))).unwrap_or_default();
    match shape[..] {
        [_, channels, height, width] => Ok([channels, height, width]),
        _ => Err(CheckSearchError::NoImages(shape)),
    }
}

/// The first images of the search's scoring set, in its order; of `available` images, with `labels` or without any. No image that
/// serves for calibration is among them.
pub fn draw(labels: &[usize], available: usize, request: &SearchRequest, images: usize) -> Result<Split, DataError> {
    let mut scoring = convert::draw_split(labels, available, request)?.scoring;
    scoring.truncate(images);
    Ok(Split { calibration: Vec::new(), scoring, test: Vec::new() })
}

/// The request's way from an image to the network's size, with the values of pixels as they are stored, red first.
pub fn pixels(preprocessing: &Preprocessing, [channels, height, width]: [usize; 3]) -> Preprocess {
    let unchanged = Preprocessing {
        mean: vec![0.0],
        deviation: vec![1.0],
        scale: 1.0,
        channels: ChannelOrder::Rgb,
        ..preprocessing.clone()
    };
    convert::preprocess(&unchanged, channels, height, width)
}

/// Whether the images have the size that the network was traced at, by some of them.
pub fn size_warnings(
    is_guessed: bool,
    [_, height, width]: [usize; 3],
    dataset: &Dataset,
    images: &[usize],
) -> Result<Vec<Warning>, DataError> {
    let input = [height as u64, width as u64];
    let mut warnings = Vec::new();
    if is_guessed {
        warnings.push(Warning::input_size_guessed(input));
    }
    let sizes = images.iter().take(SIZED_IMAGES).map(|&image| dataset.size(image)).collect::<Result<Vec<_>, _>>()?;
    let common = sizes.first().filter(|first| sizes.iter().all(|size| size == *first));
    if let Some(images) = common.map(|&[height, width]| [height as u64, width as u64])
        && input_size_differs(input, images)
    {
        warnings.push(Warning::input_size_differs(input, images));
    }
    Ok(warnings)
}

#[cfg(test)]
mod tests {
    use eagleeye_data::{SplitCounts, split};
    use serde_json::json;

    use super::*;

    fn request() -> SearchRequest {
        let nil = eagleeye_store::Uuid::nil();
        let body = json!({
            "model_id": nil, "dataset_id": nil, "macs": 0.5, "calibration_images": 30, "scoring_images": 20, "seed": 7,
            "preprocessing": { "mean": [1, 2, 3], "deviation": [4], "resize": { "mode": "stretch" }, "channels": "bgr" },
        });
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn the_sample_is_the_beginning_of_what_the_search_scores_on() {
        let labels: Vec<usize> = (0..100).map(|image| image % 4).collect();
        let counts = SplitCounts { calibration: 30, scoring: 20, test: None };
        let whole = split(&labels, &counts, 7).unwrap();
        let sample = |images| draw(&labels, 100, &request(), images).unwrap();
        assert_eq!((sample(8).scoring, sample(999).scoring), (whole.scoring[..8].to_vec(), whole.scoring));
        assert!(sample(8).calibration.is_empty() && sample(8).test.is_empty());
        assert_eq!(draw(&[], 100, &request(), 8).unwrap().scoring.len(), 8, "images without labels");
        assert!(draw(&labels[..49], 49, &request(), 8).is_err());
    }

    #[test]
    fn pixels_are_resized_as_the_request_says_and_keep_their_values() {
        let decoded = pixels(&request().preprocessing, [3, 5, 6]);
        let expected = Preprocess {
            mean: vec![0.0],
            deviation: vec![1.0],
            scale: 1.0,
            order: ChannelOrder::Rgb,
            ..convert::preprocess(&request().preprocessing, 3, 5, 6)
        };
        assert_eq!(decoded, expected);
    }
}

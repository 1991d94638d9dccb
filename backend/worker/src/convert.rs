//! Between the store's types and the engine's: the store knows no tensors, and the engine does not know who keeps its results.

use eagleeye_data::{DataError, Preprocess, Split, SplitCounts, split};
use eagleeye_spec::{Preprocessing, SearchRequest};
use eagleeye_store as store;

/// `channels`, `height` and `width` are the network's.
pub fn preprocess(preprocessing: &Preprocessing, channels: usize, height: usize, width: usize) -> Preprocess {
    let single = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
    Preprocess {
        channels,
        height,
        width,
        mean: single(&preprocessing.mean),
        deviation: single(&preprocessing.deviation),
        scale: preprocessing.scale as f32,
        resize: preprocessing.resize,
        filter: preprocessing.filter,
        order: preprocessing.channels,
    }
}

/// Which images serve for what. Images without labels are drawn as if they were of one class.
pub fn draw_split(labels: &[usize], images: usize, request: &SearchRequest) -> Result<Split, DataError> {
    let counts = SplitCounts {
        calibration: request.calibration_images as usize,
        scoring: request.scoring_images as usize,
        test: None,
    };
    if labels.is_empty() {
        split(&vec![0; images], &counts, request.seed)
    } else {
        split(labels, &counts, request.seed)
    }
}

/// A split for the store. Datasets end at a few million images, so the indices fit.
pub fn stored_split(split: &Split) -> store::Split {
    let indices = |list: &[usize]| list.iter().map(|&index| index as u32).collect();
    store::Split {
        calibration: indices(&split.calibration),
        scoring: indices(&split.scoring),
        test: indices(&split.test),
    }
}

/// The images that a search decodes. A cumulative average over fewer batches than the calibration set has is one over fewer
/// images; an average with momentum may go round the set several times, and the engine counts its batches.
pub fn used_images(split: store::Split, request: &SearchRequest) -> Split {
    let indices = |list: Vec<u32>| list.into_iter().map(|index| index as usize).collect::<Vec<_>>();
    let mut calibration = indices(split.calibration);
    calibration.truncate(request.used_calibration_images());
    let mut test = indices(split.test);
    test.truncate(request.used_test_images(test.len() as u64) as usize);
    Split { calibration, scoring: indices(split.scoring), test }
}

/// The images that fine-tuning decodes: all but the scoring and test images are for training, those first that adapt the
/// candidate, in their order.
pub fn tuning_images(split: store::Split, request: &SearchRequest) -> Split {
    let tested = request.used_test_images(split.test.len() as u64) as usize;
    let indices = |list: &[u32]| list.iter().map(|&index| index as usize).collect::<Vec<_>>();
    let (test, left) = split.test.split_at(tested);
    let calibration = [indices(&split.calibration), indices(left)].concat();
    Split { calibration, scoring: indices(&split.scoring), test: indices(test) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(adaptation: serde_json::Value) -> SearchRequest {
        serde_json::from_value(serde_json::json!({
            "model_id": store::Uuid::nil(), "dataset_id": store::Uuid::nil(), "macs": 0.5, "calibration_images": 250, "scoring_images": 10, "batch_size": 100,
            "adaptation": adaptation, "preprocessing": { "mean": [0.5], "deviation": [0.25] },
        }))
        .unwrap()
    }

    fn stored() -> store::Split {
        store::Split { calibration: (0..250).collect(), scoring: (250..260).collect(), test: vec![300] }
    }

    #[test]
    fn a_cumulative_average_over_fewer_batches_uses_fewer_images() {
        let all = used_images(stored(), &request(serde_json::json!({})));
        assert_eq!((all.calibration.len(), all.scoring.len(), all.test), (250, 10, vec![300]));
        let two = used_images(stored(), &request(serde_json::json!({ "batches": 2 })));
        assert_eq!(two.calibration, (0..200).collect::<Vec<_>>());
        assert_eq!(two.scoring, all.scoring);
    }

    #[test]
    fn fine_tuning_uses_every_image_once_and_begins_with_those_of_the_candidate() {
        let split = store::Split { test: (260..300).collect(), ..stored() };
        let mut request = request(serde_json::json!({ "batches": 2 }));
        request.test_images = Some(15);
        let used = tuning_images(split.clone(), &request);
        assert_eq!(used.calibration, (0..250).chain(275..300).collect::<Vec<_>>());
        assert_eq!((used.scoring, used.test), ((250..260).collect(), (260..275).collect()));
        let begun = used_images(split, &request);
        assert_eq!(used.calibration[..200], begun.calibration, "the candidate is the search's own");
        assert_eq!(begun.test, (260..275).collect::<Vec<_>>());
    }
}

//! Between the store's types and the engine's: the store knows no tensors, and the engine does not know who keeps its results.

use eagleeye_data::{Preprocess, Split};
use eagleeye_engine::{Adaptation, Format, Settings};
use eagleeye_graph::Space;
use eagleeye_store as store;
use eagleeye_store::{AdaptationMode, CheckpointFormat, Preprocessing, SearchRequest};

/// Weight of the newest batch where the request names none, as in the paper's published code.
const MOMENTUM: f64 = 0.1;

pub fn settings(request: &SearchRequest) -> Settings {
    Settings {
        macs: request.macs,
        candidates: request.candidates,
        seed: request.seed,
        space: Space {
            round_to: request.round_to.map(|multiple| multiple as usize),
            min_keep_ratio: request.min_keep_ratio,
        },
        batch_size: request.batch_size as usize,
        adaptation: adaptation(request),
    }
}

fn adaptation(request: &SearchRequest) -> Adaptation {
    let whole_set = request.calibration_images.div_ceil(request.batch_size.max(1));
    match request.adaptation.mode {
        AdaptationMode::Cumulative => Adaptation::Cumulative,
        AdaptationMode::Momentum => Adaptation::Momentum {
            momentum: request.adaptation.momentum.unwrap_or(MOMENTUM),
            batches: request.adaptation.batches.unwrap_or(whole_set) as usize,
        },
    }
}

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
    if let (AdaptationMode::Cumulative, Some(batches)) = (request.adaptation.mode, request.adaptation.batches) {
        calibration.truncate((batches as usize).saturating_mul(request.batch_size as usize));
    }
    Split { calibration, scoring: indices(split.scoring), test: indices(split.test) }
}

pub fn format(format: CheckpointFormat) -> Format {
    match format {
        CheckpointFormat::TorchScript => Format::TorchScript,
        CheckpointFormat::Onnx => Format::Onnx,
        CheckpointFormat::Safetensors => Format::Safetensors,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(adaptation: serde_json::Value) -> SearchRequest {
        serde_json::from_value(serde_json::json!({
            "macs": 0.5, "calibration_images": 250, "scoring_images": 10, "batch_size": 100,
            "adaptation": adaptation, "preprocessing": { "mean": [0.5], "deviation": [0.25] },
        }))
        .unwrap()
    }

    fn stored() -> store::Split {
        store::Split { calibration: (0..250).collect(), scoring: (250..260).collect(), test: vec![300] }
    }

    #[test]
    fn momentum_without_numbers_is_the_papers_once_over_all_images() {
        let settings = settings(&request(serde_json::json!({ "mode": "momentum" })));
        assert_eq!(settings.adaptation, Adaptation::Momentum { momentum: 0.1, batches: 3 });
    }

    #[test]
    fn momentum_may_go_round_the_calibration_images_several_times() {
        let request = request(serde_json::json!({ "mode": "momentum", "momentum": 0.2, "batches": 7 }));
        assert_eq!(settings(&request).adaptation, Adaptation::Momentum { momentum: 0.2, batches: 7 });
        assert_eq!(used_images(stored(), &request).calibration.len(), 250);
    }

    #[test]
    fn a_cumulative_average_over_fewer_batches_uses_fewer_images() {
        let all = used_images(stored(), &request(serde_json::json!({})));
        assert_eq!((all.calibration.len(), all.scoring.len(), all.test), (250, 10, vec![300]));
        let two = used_images(stored(), &request(serde_json::json!({ "batches": 2 })));
        assert_eq!(two.calibration, (0..200).collect::<Vec<_>>());
        assert_eq!(two.scoring, all.scoring);
    }
}

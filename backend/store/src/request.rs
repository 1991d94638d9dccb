//! What a search is asked to do; stored with it word for word.

use serde::{Deserialize, Serialize};

/// The request of a search. Field names are those of the REST interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchRequest {
    /// Budget as a fraction of the full network's multiply-accumulates, 0 to 1.
    pub macs: f64,
    /// Strategies to evaluate.
    #[serde(default = "default_candidates")]
    pub candidates: u32,
    /// All random draws derive from it: the split and each candidate's strategy.
    #[serde(default)]
    pub seed: u64,
    /// Training images from which batch norm statistics are computed anew.
    pub calibration_images: u32,
    /// Held-back training images on which candidates are scored.
    pub scoring_images: u32,
    #[serde(default = "default_batch_size")]
    pub batch_size: u32,
    /// Channel counts are kept to multiples of this; absent: of 8 where groups allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_to: Option<u32>,
    /// No channel group keeps less than this share.
    #[serde(default = "default_min_keep_ratio")]
    pub min_keep_ratio: f64,
    #[serde(default)]
    pub adaptation: Adaptation,
    pub preprocessing: Preprocessing,
}

/// How batch norm statistics are computed from the calibration images (paper, section 3.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Adaptation {
    #[serde(default)]
    pub mode: AdaptationMode,
    /// Weight of the newest batch; only in mode `momentum`, 0.1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Batches used; all calibration images when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdaptationMode {
    /// The exact mean over all batches.
    #[default]
    Cumulative,
    /// An exponential average, as in the paper's code.
    Momentum,
}

/// From pixels to network input: `(pixel * scale - mean) / deviation`, per channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
    #[serde(default = "default_scale")]
    pub scale: f64,
}

fn default_candidates() -> u32 {
    48
}

fn default_batch_size() -> u32 {
    128
}

fn default_min_keep_ratio() -> f64 {
    0.1
}

fn default_scale() -> f64 {
    1.0 / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_gets_its_default() {
        let request: SearchRequest = serde_json::from_value(serde_json::json!({
            "macs": 0.5, "calibration_images": 3200, "scoring_images": 5000,
            "preprocessing": { "mean": [0.1307], "deviation": [0.3081] },
        }))
        .unwrap();
        assert_eq!((request.candidates, request.seed, request.batch_size, request.round_to), (48, 0, 128, None));
        assert_eq!(request.adaptation.mode, AdaptationMode::Cumulative);
        assert_eq!(request.preprocessing.scale, 1.0 / 255.0);
    }

    #[test]
    fn a_request_survives_storage_word_for_word() {
        let json = serde_json::json!({
            "macs": 0.5, "candidates": 24, "seed": 18446744073709551615u64, "calibration_images": 3200,
            "scoring_images": 5000, "batch_size": 100, "round_to": 8, "min_keep_ratio": 0.2,
            "adaptation": { "mode": "momentum", "momentum": 0.1, "batches": 100 },
            "preprocessing": { "mean": [0.2860], "deviation": [0.3530], "scale": 0.00392156862745098 },
        });
        let request: SearchRequest = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&request).unwrap(), json);
    }
}

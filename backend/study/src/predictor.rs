//! What may say how good a candidate is after fine-tuning.

use eagleeye_spec::{Candidate, EvaluationKind, ImageSet};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A figure of candidates that is known before any of them is fine-tuned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Predictor {
    /// A score of the pruned network.
    Evaluation {
        kind: EvaluationKind,
        measure: ScoreMeasure,
        /// Images that its statistics and weights are from. Null where that is not known.
        #[schema(required)]
        calibration_images: Option<u64>,
        /// Images that it was scored on.
        scoring_images: u64,
    },
    /// How many parameters it keeps.
    Parameters,
    /// The least part that a channel group keeps.
    SmallestKeepRatio,
}

/// Which figure of a score; each counts so that more is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreMeasure {
    Top1,
    /// Minus the cross-entropy.
    CrossEntropy,
    /// Minus the divergence from the full network.
    Kl,
}

/// All that is known of a candidate, each so that more is better, with the seconds that it took.
pub fn predictors(candidate: &Candidate) -> Vec<(Predictor, f64, f64)> {
    let mut found = vec![(Predictor::Parameters, candidate.parameters as f64, 0.0)];
    let ratio = candidate.groups.iter().map(|group| group.kept as f64 / group.size as f64);
    if let Some(smallest) = ratio.min_by(f64::total_cmp) {
        found.push((Predictor::SmallestKeepRatio, smallest, 0.0));
    }
    for evaluation in candidate.evaluations.iter().filter(|evaluation| evaluation.image_set == ImageSet::Scoring) {
        let score = &evaluation.score;
        let values = [
            (ScoreMeasure::Top1, Some(score.top1)),
            (ScoreMeasure::CrossEntropy, score.cross_entropy.map(|value| -value)),
            (ScoreMeasure::Kl, score.kl.map(|value| -value)),
        ];
        for (measure, value) in values {
            let Some(value) = value else { continue };
            let predictor = Predictor::Evaluation {
                kind: evaluation.kind,
                measure,
                // Earlier versions did not store that there are none.
                calibration_images: evaluation
                    .calibration_images
                    .or((evaluation.kind == EvaluationKind::Unadapted).then_some(0)),
                scoring_images: evaluation.images,
            };
            found.push((predictor, value, evaluation.seconds));
        }
    }
    found
}

impl Predictor {
    /// Whether it is the score that a search ranks its candidates by, on so many images or fewer.
    pub fn is_ranking(&self) -> bool {
        matches!(self, Self::Evaluation { kind: EvaluationKind::Adapted, measure: ScoreMeasure::Top1, .. })
    }

    /// As in tables: `adaptive BN, top-1, 3200 + 5000 images`.
    pub fn name(&self) -> String {
        match self {
            Self::Parameters => "parameters".to_owned(),
            Self::SmallestKeepRatio => "smallest keep ratio".to_owned(),
            Self::Evaluation { kind, measure, calibration_images, scoring_images } => {
                let measure = match measure {
                    ScoreMeasure::Top1 => "top-1",
                    ScoreMeasure::CrossEntropy => "minus cross-entropy",
                    ScoreMeasure::Kl => "minus KL",
                };
                let calibration = calibration_images.filter(|&images| images > 0);
                let calibration = calibration.map_or(String::new(), |images| format!("{images} + "));
                format!("{}, {measure}, {calibration}{scoring_images} images", kind_name(*kind))
            }
        }
    }
}

/// The name of a kind of evaluation in words.
pub fn kind_name(kind: EvaluationKind) -> &'static str {
    match kind {
        EvaluationKind::Adapted => "adaptive BN",
        EvaluationKind::Unadapted => "vanilla",
        EvaluationKind::Repaired => "repaired",
        EvaluationKind::ShortTuned => "short training",
    }
}

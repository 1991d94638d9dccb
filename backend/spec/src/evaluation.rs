//! How well a network does on images: what one evaluation of a candidate says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hits::Hits;
use crate::interval::{Interval, Z};

/// How well a network does on a set of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Score {
    /// Fraction of images whose class has the highest output.
    #[schema(minimum = 0, maximum = 1)]
    pub top1: f64,
    /// Fraction of images whose class is among the five highest outputs; 1 where there are at most five classes.
    #[schema(minimum = 0, maximum = 1)]
    pub top5: f64,
    /// Mean cross-entropy in nats. Null where it is not finite.
    #[schema(required)]
    pub cross_entropy: Option<f64>,
    /// Fraction of images of which the full network says the same. Needs no labels. Null for candidates of older versions.
    #[serde(default)]
    #[schema(required, minimum = 0, maximum = 1)]
    pub agreement: Option<f64>,
    /// Mean Kullback-Leibler divergence from the full network's probabilities, in nats. Needs no labels. Null where it is not
    /// finite, and for candidates of older versions.
    #[serde(default)]
    #[schema(required)]
    pub kl: Option<f64>,
    /// Standard errors of `cross_entropy` and `kl`.
    #[serde(default, skip)]
    pub errors: Errors,
}

/// Standard errors of means over images.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    pub cross_entropy: Option<f64>,
    pub kl: Option<f64>,
}

impl Score {
    /// A score against labels alone. Its cross-entropy is absent where it is not finite, as with statistics that do not fit the
    /// pruned network.
    pub fn new(top1: f64, top5: f64, cross_entropy: f64) -> Self {
        let cross_entropy = Some(cross_entropy).filter(|value| value.is_finite());
        Self { top1, top5, cross_entropy, agreement: None, kl: None, errors: Errors::default() }
    }
}

/// Between which bounds the figures of a score lie, with 95% confidence, for the images being a sample.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Intervals {
    /// Wilson's interval.
    pub top1: Interval,
    /// Wilson's interval.
    pub top5: Interval,
    /// Two standard errors to either side, as `kl`. Null where the score is, or its error.
    #[schema(required)]
    pub cross_entropy: Option<Interval>,
    /// Wilson's interval.
    #[schema(required)]
    pub agreement: Option<Interval>,
    #[schema(required)]
    pub kl: Option<Interval>,
}

impl Intervals {
    /// The intervals of a score on so many images.
    pub fn of(score: &Score, images: u64) -> Self {
        let share = |share| Interval::of_share(share, images);
        let mean = |mean: Option<f64>, error: Option<f64>| {
            let (mean, reach) = (mean?, Z * error?);
            Some(Interval { low: (mean - reach).max(0.0), high: mean + reach })
        };
        Self {
            top1: share(score.top1),
            top5: share(score.top5),
            cross_entropy: mean(score.cross_entropy, score.errors.cross_entropy),
            agreement: score.agreement.map(share),
            kl: mean(score.kl, score.errors.kl),
        }
    }
}

/// How a candidate's network was made before it was scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvaluationKind {
    /// Pruned, with adaptive batch norm.
    Adapted,
    /// Pruned, with the unpruned network's batch-norm statistics.
    Unadapted,
    /// Pruned, with its layers fitted to what the unpruned network answers on the calibration images, and the statistics that
    /// follow.
    Repaired,
    /// Pruned, with adaptive batch norm, and then trained for some epochs on the calibration images.
    ShortTuned,
}

/// The images that a network was scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ImageSet {
    /// The images by which a search compares its candidates.
    Scoring,
    /// The images that no candidate was compared on.
    Test,
}

impl EvaluationKind {
    /// All kinds, in the order in which they are listed.
    pub const ALL: [Self; 4] = [Self::Adapted, Self::Unadapted, Self::Repaired, Self::ShortTuned];

    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adapted => "adapted",
            Self::Unadapted => "unadapted",
            Self::Repaired => "repaired",
            Self::ShortTuned => "short_tuned",
        }
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl ImageSet {
    /// All sets, in the order in which they are listed.
    pub const ALL: [Self; 2] = [Self::Scoring, Self::Test];

    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scoring => "scoring",
            Self::Test => "test",
        }
    }

    /// The set of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|set| set.name() == name)
    }
}

/// One evaluation of a candidate; there is at most one of each kind on each set of so many images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    pub kind: EvaluationKind,
    pub image_set: ImageSet,
    /// Images of the set that were scored: its first ones.
    pub images: u64,
    /// Images from which the running statistics, and the weights of repaired and tuned networks, were computed; 0 where they are
    /// the unpruned network's, and null for candidates of older versions.
    #[schema(required)]
    pub calibration_images: Option<u64>,
    pub score: Score,
    pub intervals: Intervals,
    /// Time that it took, making the network included; 0 where it was not measured apart from the candidate's other
    /// evaluations.
    pub seconds: f64,
    /// Which of the images were classified correctly. Absent in answers.
    #[serde(skip)]
    #[schema(ignore)]
    pub hits: Option<Hits>,
}

impl Evaluation {
    /// An evaluation with the intervals of its score.
    pub fn new(kind: EvaluationKind, image_set: ImageSet, images: u64, score: Score) -> Self {
        let intervals = Intervals::of(&score, images);
        Self { kind, image_set, images, calibration_images: None, score, intervals, seconds: 0.0, hits: None }
    }
}

/// The evaluation of this kind on most of these images, where there is one.
pub fn evaluation_of(evaluations: &[Evaluation], kind: EvaluationKind, image_set: ImageSet) -> Option<&Evaluation> {
    let found = evaluations.iter().filter(|evaluation| evaluation.kind == kind && evaluation.image_set == image_set);
    found.max_by_key(|evaluation| evaluation.images)
}

/// The score of this kind on most of these images, where there is one.
pub fn score_of(evaluations: &[Evaluation], kind: EvaluationKind, image_set: ImageSet) -> Option<Score> {
    evaluation_of(evaluations, kind, image_set).map(|evaluation| evaluation.score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cross_entropy_that_is_not_finite_is_absent() {
        assert_eq!(Score::new(0.5, 0.9, 0.25).cross_entropy, Some(0.25));
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Score::new(0.1, 0.5, broken).cross_entropy, None);
        }
    }

    #[test]
    fn names_are_those_of_answers_and_read_back() {
        for kind in EvaluationKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert_eq!(EvaluationKind::named(kind.name()), Some(kind));
        }
        for set in ImageSet::ALL {
            assert_eq!(serde_json::to_value(set).unwrap(), set.name());
            assert_eq!(ImageSet::named(set.name()), Some(set));
        }
        assert_eq!((EvaluationKind::named("Adapted"), ImageSet::named("")), (None, None));
    }

    #[test]
    fn a_score_is_found_by_kind_and_set_and_most_images_count() {
        let evaluation =
            |kind, image_set, images, top1| Evaluation::new(kind, image_set, images, Score::new(top1, 1.0, 1.0));
        let evaluations = [
            evaluation(EvaluationKind::Adapted, ImageSet::Test, 10, 0.1),
            evaluation(EvaluationKind::Unadapted, ImageSet::Scoring, 10, 0.2),
            evaluation(EvaluationKind::Adapted, ImageSet::Scoring, 20, 0.3),
            evaluation(EvaluationKind::Adapted, ImageSet::Scoring, 10, 0.4),
        ];
        let top1 = |kind, set| score_of(&evaluations, kind, set).map(|score| score.top1);
        assert_eq!(top1(EvaluationKind::Adapted, ImageSet::Scoring), Some(0.3));
        assert_eq!(top1(EvaluationKind::Unadapted, ImageSet::Scoring), Some(0.2));
        assert_eq!(top1(EvaluationKind::Unadapted, ImageSet::Test), None);
    }
}

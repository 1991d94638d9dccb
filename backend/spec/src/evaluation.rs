//! How well a network does on images: what one evaluation of a candidate says.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
}

impl Score {
    /// A score whose cross-entropy is absent where it is not finite, as with statistics that do not fit the pruned network.
    pub fn new(top1: f64, top5: f64, cross_entropy: f64) -> Self {
        Self { top1, top5, cross_entropy: Some(cross_entropy).filter(|value| value.is_finite()) }
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
    pub const ALL: [Self; 2] = [Self::Adapted, Self::Unadapted];

    /// The name in rows and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Adapted => "adapted",
            Self::Unadapted => "unadapted",
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

/// One evaluation of a candidate; there is at most one of each kind on each set of images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Evaluation {
    pub kind: EvaluationKind,
    pub image_set: ImageSet,
    /// Images of the set that were scored.
    pub images: u64,
    pub score: Score,
    /// Time that it took, making the network included; 0 where it was not measured apart from the candidate's other
    /// evaluations.
    pub seconds: f64,
}

/// The score of this kind on these images, where there is one.
pub fn score_of(evaluations: &[Evaluation], kind: EvaluationKind, image_set: ImageSet) -> Option<Score> {
    let found = evaluations.iter().find(|evaluation| evaluation.kind == kind && evaluation.image_set == image_set);
    found.map(|evaluation| evaluation.score)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cross_entropy_that_is_not_finite_is_absent() {
        assert_eq!(Score::new(0.5, 0.9, 0.25).cross_entropy, Some(0.25));
        for broken in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Score::new(0.1, 0.5, broken), Score { top1: 0.1, top5: 0.5, cross_entropy: None });
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
    fn a_score_is_found_by_kind_and_images() {
        let evaluation = |kind, image_set, top1| Evaluation {
            kind,
            image_set,
            images: 10,
            score: Score::new(top1, 1.0, 1.0),
            seconds: 0.5,
        };
        let evaluations = [
            evaluation(EvaluationKind::Adapted, ImageSet::Test, 0.1),
            evaluation(EvaluationKind::Unadapted, ImageSet::Scoring, 0.2),
            evaluation(EvaluationKind::Adapted, ImageSet::Scoring, 0.3),
        ];
        let top1 = |kind, set| score_of(&evaluations, kind, set).map(|score| score.top1);
        assert_eq!(top1(EvaluationKind::Adapted, ImageSet::Scoring), Some(0.3));
        assert_eq!(top1(EvaluationKind::Unadapted, ImageSet::Scoring), Some(0.2));
        assert_eq!(top1(EvaluationKind::Unadapted, ImageSet::Test), None);
    }
}

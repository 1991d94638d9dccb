//! Which of a search's candidates is better. The database's order, the engine's best and the page's leaderboard all come from
//! [`RANKING`].

use std::cmp::Ordering;

use serde::Serialize;

use crate::evaluation::{EvaluationKind, ImageSet, Score};

/// The kind of evaluation that candidates are ranked by.
pub const RANKED_KIND: EvaluationKind = EvaluationKind::Adapted;
/// The images that candidates are ranked on.
pub const RANKED_IMAGES: ImageSet = ImageSet::Scoring;

/// What a criterion compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RankedBy {
    /// Scoring images that it was evaluated on: in a race the better ones are evaluated on more.
    Images,
    Top1,
    /// Where it is absent it counts as larger than any number.
    CrossEntropy,
    /// The candidate's number in its search. No two have the same.
    Index,
}

/// One criterion of the ranking; the next one decides where both candidates have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Criterion {
    pub by: RankedBy,
    /// Whether the larger is the better.
    pub descending: bool,
}

/// The order of a search's candidates, best first.
pub const RANKING: [Criterion; 4] = [
    Criterion { by: RankedBy::Images, descending: true },
    Criterion { by: RankedBy::Top1, descending: true },
    Criterion { by: RankedBy::CrossEntropy, descending: false },
    Criterion { by: RankedBy::Index, descending: false },
];

/// What a candidate's place depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    pub index: u32,
    /// Scoring images.
    pub images: u64,
    pub score: Score,
}

impl Ranked {
    /// Less is better: the best of several is their minimum.
    pub fn best_first(&self, other: &Self) -> Ordering {
        let by_criterion = RANKING.iter().map(|criterion| {
            let ascending = self.value(criterion.by).total_cmp(&other.value(criterion.by));
            if criterion.descending { ascending.reverse() } else { ascending }
        });
        by_criterion.fold(Ordering::Equal, Ordering::then)
    }

    fn value(&self, by: RankedBy) -> f64 {
        match by {
            RankedBy::Images => self.images as f64,
            RankedBy::Top1 => self.score.top1,
            RankedBy::CrossEntropy => self.score.cross_entropy.unwrap_or(f64::INFINITY),
            RankedBy::Index => f64::from(self.index),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(index: u32, top1: f64, cross_entropy: f64) -> Ranked {
        Ranked { index, images: 10, score: Score::new(top1, 1.0, cross_entropy) }
    }

    #[test]
    fn top1_decides_then_cross_entropy_then_the_index() {
        let mut candidates = [
            ranked(0, 0.5, 0.1),
            ranked(1, 0.9, f64::NAN),
            ranked(5, 0.9, 0.25),
            ranked(4, 0.9, 0.5),
            ranked(3, 0.9, 0.25),
            ranked(2, 0.9, f64::INFINITY),
        ];
        candidates.sort_by(Ranked::best_first);
        assert_eq!(candidates.map(|candidate| candidate.index), [3, 5, 4, 1, 2, 0]);
        assert_eq!(candidates[0].best_first(&candidates[0]), Ordering::Equal);
    }

    #[test]
    fn who_was_evaluated_on_more_images_is_ahead() {
        let longer = Ranked { images: 20, ..ranked(1, 0.5, 0.5) };
        assert_eq!(longer.best_first(&ranked(0, 0.9, 0.1)), Ordering::Less);
    }

    #[test]
    fn the_last_criterion_leaves_no_ties() {
        assert_eq!(RANKING.last().map(|criterion| criterion.by), Some(RankedBy::Index));
        assert_eq!(ranked(1, 0.5, 0.5).best_first(&ranked(2, 0.5, 0.5)), Ordering::Less);
    }
}

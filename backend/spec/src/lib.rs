//! What can be asked of EagleEye and what is answered: one type for each, which the API documents, the store keeps and the
//! engine takes.
//!
//! Ranges and defaults are stated here and nowhere else. No tokio, libtorch, SQL or HTTP.

pub mod candidate;
pub mod evaluation;
pub mod ranking;
pub mod report;

pub use candidate::{Baseline, Candidate, GroupKeep};
pub use evaluation::{Evaluation, EvaluationKind, ImageSet, Score, score_of};
pub use ranking::{Criterion, RANKED_IMAGES, RANKED_KIND, RANKING, Ranked, RankedBy};

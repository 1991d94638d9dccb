//! What can be asked of EagleEye and what is answered: one type for each, which the API documents, the store keeps and the
//! engine takes.
//!
//! Ranges and defaults are stated here and nowhere else. What is stored carries a version, and is read whatever version wrote
//! it. No tokio, libtorch, SQL or HTTP.

pub mod adaptation;
pub mod budget;
pub mod candidate;
pub mod evaluation;
pub mod field_fault;
pub mod name;
pub mod optional;
pub mod preprocessing;
pub mod ranking;
pub mod report;
pub mod request;
pub mod space;
pub mod stored;

pub use adaptation::{Adaptation, AdaptationMode};
pub use budget::{Budget, Constraint, Measure, TOLERANCE};
pub use candidate::{Baseline, Candidate, GroupKeep};
pub use evaluation::{Evaluation, EvaluationKind, ImageSet, Score, score_of};
pub use field_fault::FieldFault;
pub use preprocessing::Preprocessing;
pub use ranking::{Criterion, RANKED_IMAGES, RANKED_KIND, RANKING, Ranked, RankedBy};
pub use request::{DEFAULT_CANDIDATES, SearchRequest, StrategyName};
pub use space::Space;
pub use stored::StoredError;

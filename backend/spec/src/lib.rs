//! What can be asked of EagleEye and what is answered: one type for each, which the API documents, the store keeps and the
//! engine takes.
//!
//! Ranges and defaults are stated here and nowhere else. What is stored carries a version, and is read whatever version wrote
//! it. No tokio, libtorch, SQL or HTTP.

pub mod adaptation;
pub mod budget;
pub mod budgets;
pub mod candidate;
pub mod candidate_weights;
pub mod card;
pub mod class_order;
pub mod confusion;
pub mod evaluation;
pub mod extension;
pub mod field_fault;
pub mod hits;
pub mod importance;
pub mod interval;
pub mod latency;
pub mod latency_model;
pub mod limits;
pub mod manual;
pub mod name;
pub mod onnx_opset;
pub mod optional;
pub mod paired;
pub mod precheck;
pub mod preprocessing;
pub mod presets;
pub mod racing;
pub mod ranking;
pub mod report;
pub mod request;
pub mod space;
pub mod stored;
pub mod summary;
pub mod tune;
pub mod tuning;
pub mod tuning_result;
pub mod turns;
pub mod warning;

pub use adaptation::{Adaptation, AdaptationMode};
pub use budget::{Budget, Constraint, Measure, TOLERANCE};
pub use budgets::{BudgetRange, Limits};
pub use candidate::{Baseline, Candidate, GroupKeep, Origin};
pub use candidate_weights::CandidateWeights;
pub use card::{CardInput, ModelCard};
pub use class_order::ClassOrder;
pub use confusion::{OneAnswer, best_assignment, best_permutation_gain, class_order_is_suspect, one_answer};
pub use evaluation::{Errors, Evaluation, EvaluationKind, ImageSet, Intervals, Score, evaluation_of, score_of};
pub use extension::SearchExtension;
pub use field_fault::FieldFault;
pub use hits::{Hits, HitsError};
pub use importance::{Aggregate, Criterion, Importance};
pub use interval::Interval;
pub use latency::{Latency, Runtime};
pub use latency_model::{LatencyModel, LatencyOf};
pub use limits::GroupLimit;
pub use manual::{Keep, MANUAL, ManualStrategy};
pub use onnx_opset::{DEFAULT_ONNX_OPSET, ONNX_OPSETS};
pub use paired::{Paired, TIED, paired, tied};
pub use precheck::{BestPreset, ClassAnswers, Precheck, PresetFit};
pub use preprocessing::{ChannelOrder, Filter, Preprocessing, Resize};
pub use presets::{PRESETS, Preset};
pub use racing::Rung;
pub use ranking::{RANKED_IMAGES, RANKED_KIND, RANKING, Ranked, RankedBy};
pub use request::{DEFAULT_CANDIDATES, SearchRequest, StrategyName};
pub use space::Space;
pub use stored::StoredError;
pub use summary::{Report, ReportInput};
pub use tune::{Distillation, Optimizer, TuneOptions};
pub use tuning::{DriftKind, Epoch, Histogram, LayerDrift};
pub use tuning_result::TuningResult;
pub use turns::{Medians, Turns, in_turn};
pub use warning::{Moment, Warning, WarningCode};

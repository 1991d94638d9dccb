//! What a study says: how well figures that are known before fine-tuning predict the accuracy after it, with intervals, the most
//! that could be predicted, and what a choice by each of them costs.

mod analysis;
mod bootstrap;
mod correlation;
mod figure;
mod markdown;
mod members;
mod predictor;
mod report;
mod trained;

pub use analysis::analysed;
pub use correlation::Coefficient;
pub use figure::{FigureError, figure};
pub use markdown::markdown;
pub use members::members;
pub use predictor::{Predictor, ScoreMeasure};
pub use report::{
    BudgetStudy, Correlation, Point, PredictorStudy, Reason, StudyReport, TrainingStudy, TunedAccuracy, Undecided,
};
pub use trained::{Trained, Tuning};

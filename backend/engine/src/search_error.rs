//! Why a search ends early.

use eagleeye_graph::{GroupError, PlanError};
use eagleeye_strategy::StrategyError;
use tch::TchError;

use crate::doubt::Doubt;
use crate::exec::ExecError;
use crate::importance::ImportanceError;
use crate::observer::Flow;
use crate::recipe::RecipeError;
use crate::repair::RepairError;
use crate::rewrite::RewriteError;
use crate::source::ImagesError;
use crate::tune::TuneError;
use crate::weights::WeightsError;
use eagleeye_torchscript::tensors::reason;

/// Why a search ended early.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error("cancelled")]
    Cancelled,
    #[error("the channel groups of the network cannot be determined: {0}")]
    Groups(#[from] GroupError),
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    #[error("the search has no strategy that it can propose")]
    NoLane,
    #[error("the search has a budget of latency, but no latency was measured before it")]
    NoLatencyModel,
    #[error("the strategy `{0}` evaluates probes before it proposes a candidate; use another one, such as uniform")]
    OnlyProbes(String),
    #[error("a strategy does not fit the network: {0}")]
    Plan(#[from] PlanError),
    #[error(
        "the candidate has keep counts for {found} groups, but {expected} groups of the network can be pruned; it \
         was evaluated by another version, so the search must be run again"
    )]
    KeepCounts { expected: usize, found: usize },
    #[error("{0}")]
    Exec(ExecError),
    #[error(transparent)]
    Importance(ImportanceError),
    #[error("the pruned network is inconsistent: {0}")]
    Rewrite(#[from] RewriteError),
    #[error(transparent)]
    Images(#[from] ImagesError),
    /// The scores are not to be believed; what was evaluated stays.
    #[error(transparent)]
    Doubt(#[from] Doubt),
    #[error(transparent)]
    Repair(RepairError),
    #[error(transparent)]
    Tune(TuneError),
    #[error("the candidate cannot be made again: {0}")]
    Recipe(#[from] RecipeError),
    #[error("the tuned weights: {0}")]
    Weights(#[from] WeightsError),
    #[error("libtorch: {0}")]
    Torch(String),
}

impl From<RepairError> for SearchError {
    fn from(error: RepairError) -> Self {
        match error {
            RepairError::Exec(error) => error.into(),
            other => Self::Repair(other),
        }
    }
}

impl From<TuneError> for SearchError {
    fn from(error: TuneError) -> Self {
        match error {
            TuneError::Cancelled => Self::Cancelled,
            TuneError::Exec(error) => error.into(),
            other => Self::Tune(other),
        }
    }
}

impl From<ExecError> for SearchError {
    fn from(error: ExecError) -> Self {
        match error {
            ExecError::Cancelled => Self::Cancelled,
            other => Self::Exec(other),
        }
    }
}

impl From<ImportanceError> for SearchError {
    fn from(error: ImportanceError) -> Self {
        match error {
            ImportanceError::Exec(error) => error.into(),
            other => Self::Importance(other),
        }
    }
}

impl From<TchError> for SearchError {
    fn from(error: TchError) -> Self {
        Self::Torch(reason(&error))
    }
}

/// What an observer's answer means for the search.
pub(crate) fn stop_or_go(flow: Flow) -> Result<(), SearchError> {
    match flow {
        Flow::Go => Ok(()),
        Flow::Stop => Err(SearchError::Cancelled),
    }
}

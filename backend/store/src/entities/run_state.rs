//! Where a run stands: a search, or a tuning.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    Queued,
    Running,
    /// Stopped on the user's wish, until it is taken up again.
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

impl RunState {
    /// True when nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, RunState::Succeeded | RunState::Failed | RunState::Cancelled)
    }
}

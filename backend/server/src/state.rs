//! What handlers share.

use std::sync::Arc;

use axum::extract::FromRef;
use eagleeye_store::Store;
use tokio_util::sync::CancellationToken;

use crate::checker::Checker;
use crate::config::Config;
use crate::followers::Followers;
use crate::outages::Outages;
use crate::study_report::Analyses;
use crate::supervisor::Workers;

/// Shared by all handlers; clones are cheap.
#[derive(Debug, Clone, FromRef)]
pub struct AppState {
    pub store: Store,
    pub checker: Arc<Checker>,
    pub config: Arc<Config>,
    /// How many worker processes are up.
    pub workers: Workers,
    /// What the server has to wait for at the moment.
    pub outages: Outages,
    /// Who follows what as it happens.
    pub followers: Followers,
    /// Whose turn it is to have a study analysed.
    pub analyses: Analyses,
    /// Ends streams that would otherwise stay open for ever when the server stops.
    pub shutdown: CancellationToken,
}

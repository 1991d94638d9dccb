//! Table `jobs`.

use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    /// Nobody is given it until it is restarted.
    Paused,
    Succeeded,
    Failed,
    Cancelled,
}

impl JobState {
    /// The states in which nothing more will happen.
    pub(crate) const ENDED: [JobState; 3] = [JobState::Succeeded, JobState::Failed, JobState::Cancelled];
}

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "jobs")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub kind: String,
    pub subject: Uuid,
    pub payload: Json,
    pub progress: Option<Json>,
    pub state: JobState,
    pub worker: Option<String>,
    pub lease: i64,
    pub attempts: i32,
    pub heartbeat_at_ms: Option<i64>,
    pub cancel_requested: bool,
    pub pause_requested: bool,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    pub set_aside: i32,
    pub not_before_ms: Option<i64>,
    pub avoid: Option<String>,
    pub avoid_until_ms: Option<i64>,
    /// Jobs of the same kind are done in the order of these numbers, and of their ids where they are equal.
    pub turn: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// Whether the user wants it cancelled or paused, and its worker has yet to stop.
    pub(crate) fn is_to_stop(&self) -> bool {
        self.cancel_requested || self.pause_requested
    }
}

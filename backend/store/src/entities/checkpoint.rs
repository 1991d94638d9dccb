//! Table `checkpoints`.

use sea_orm::entity::prelude::*;

use serde::{Deserialize, Serialize};

/// The file format of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum CheckpointFormat {
    TorchScript,
    Onnx,
    Safetensors,
    /// An archive of a `state_dict` and a Python file that rebuilds the network from the original class.
    #[sea_orm(string_value = "state_dict")]
    #[serde(rename = "state_dict")]
    StateDict,
}

impl CheckpointFormat {
    /// Those in which winners and tuned candidates are exported without being asked for. Not every network can be had in the
    /// others.
    pub const AUTOMATIC: [CheckpointFormat; 3] =
        [CheckpointFormat::TorchScript, CheckpointFormat::Onnx, CheckpointFormat::Safetensors];
}

/// Where a checkpoint stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum CheckpointState {
    Queued,
    Running,
    Ready,
    Failed,
}

#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "checkpoints")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub candidate_id: Uuid,
    pub format: CheckpointFormat,
    pub state: CheckpointState,
    pub file_hash: Option<String>,
    pub bytes: Option<i64>,
    #[sea_orm(column_type = "Double", nullable)]
    pub max_difference: Option<f64>,
    #[sea_orm(column_type = "Text", nullable)]
    pub error: Option<String>,
    pub created_at: DateTimeUtc,
    #[sea_orm(column_type = "Text", nullable)]
    pub waiting_for: Option<String>,
    pub tuning_id: Option<Uuid>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

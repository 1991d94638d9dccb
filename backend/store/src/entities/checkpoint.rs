//! Table `checkpoints`.

use std::fmt;
use std::str::FromStr;

use eagleeye_spec::DEFAULT_ONNX_OPSET;
use sea_orm::entity::prelude::*;

use serde::{Deserialize, Serialize};

/// Between the name of a format and a version of its operators.
const OPSET: &str = "-";

/// The file format of a checkpoint. It is stored as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "String(sea_orm::sea_query::StringLen::N(16))")]
#[serde(into = "String", try_from = "String")]
pub enum CheckpointFormat {
    TorchScript,
    /// In the version of its operators that is written by default.
    Onnx,
    /// In another version.
    OnnxAt(u32),
    Safetensors,
    /// An archive of a `state_dict` and a Python file that rebuilds the network from the original class.
    StateDict,
}

/// A text that is no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no format of checkpoints")]
pub struct UnknownFormat(String);

impl fmt::Display for CheckpointFormat {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())?;
        match self {
            CheckpointFormat::OnnxAt(opset) => write!(out, "{OPSET}{opset}"),
            _ => Ok(()),
        }
    }
}

impl FromStr for CheckpointFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let unknown = || UnknownFormat(text.to_owned());
        let named = [
            CheckpointFormat::TorchScript,
            CheckpointFormat::Onnx,
            CheckpointFormat::Safetensors,
            CheckpointFormat::StateDict,
        ];
        if let Some(format) = named.into_iter().find(|format| format.name() == text) {
            return Ok(format);
        }
        let opset = text.strip_prefix(CheckpointFormat::Onnx.name()).and_then(|rest| rest.strip_prefix(OPSET));
        opset.and_then(|opset| opset.parse().ok()).map(CheckpointFormat::OnnxAt).ok_or_else(unknown)
    }
}

impl From<CheckpointFormat> for String {
    fn from(format: CheckpointFormat) -> Self {
        format.to_string()
    }
}

impl TryFrom<String> for CheckpointFormat {
    type Error = UnknownFormat;

    fn try_from(text: String) -> Result<Self, UnknownFormat> {
        text.parse()
    }
}

impl CheckpointFormat {
    /// The name in requests and answers, whatever the version.
    pub fn name(self) -> &'static str {
        match self {
            CheckpointFormat::TorchScript => "torchscript",
            CheckpointFormat::Onnx | CheckpointFormat::OnnxAt(_) => "onnx",
            CheckpointFormat::Safetensors => "safetensors",
            CheckpointFormat::StateDict => "state_dict",
        }
    }

    /// ONNX in a version of its operators.
    pub fn onnx(opset: u32) -> Self {
        if opset == DEFAULT_ONNX_OPSET { CheckpointFormat::Onnx } else { CheckpointFormat::OnnxAt(opset) }
    }

    /// The version of ONNX's operators; `None` for other formats.
    pub fn opset(self) -> Option<u32> {
        match self {
            CheckpointFormat::Onnx => Some(DEFAULT_ONNX_OPSET),
            CheckpointFormat::OnnxAt(opset) => Some(opset),
            CheckpointFormat::TorchScript | CheckpointFormat::Safetensors | CheckpointFormat::StateDict => None,
        }
    }

    /// Those in which winners and tuned candidates are exported without being asked for. Not every network can be had in the
    /// others.
    pub const AUTOMATIC: [CheckpointFormat; 3] =
        [CheckpointFormat::TorchScript, CheckpointFormat::Onnx, CheckpointFormat::Safetensors];
}

/// Which weights a checkpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(sea_orm::sea_query::StringLen::N(16))", rename_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum CheckpointWeights {
    /// The candidate's, with adapted running statistics.
    Adapted,
    /// The candidate's, repaired.
    Repaired,
    /// Those of one of its tunings.
    Tuned,
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
    pub weights: CheckpointWeights,
    pub sha256: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_the_text_that_is_stored() {
        let formats = [
            (CheckpointFormat::TorchScript, "torchscript"),
            (CheckpointFormat::Onnx, "onnx"),
            (CheckpointFormat::onnx(17), "onnx"),
            (CheckpointFormat::onnx(13), "onnx-13"),
            (CheckpointFormat::Safetensors, "safetensors"),
            (CheckpointFormat::StateDict, "state_dict"),
        ];
        for (format, text) in formats {
            assert_eq!((format.to_string().as_str(), text.parse()), (text, Ok(format)));
        }
        assert_eq!(CheckpointFormat::onnx(13).opset(), Some(13));
        for unknown in ["", "onnx-", "onnx-x", "caffe", "state_dict-13"] {
            assert!(unknown.parse::<CheckpointFormat>().is_err(), "{unknown}");
        }
    }
}

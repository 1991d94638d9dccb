//! The report of a model.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::graph::NetworkGraph;
use super::space::PrunableSpace;
use super::stored::{REPORT_VERSION, ReportError};
use super::tensors::NetworkTensors;
use crate::stored::{current, upgraded};

/// All that one inspection of a model finds; what `eagleeye-worker inspect --json` prints and the store keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelInspection {
    #[serde(flatten)]
    pub report: ModelReport,
    /// What a choice of channels needs to know. Absent in what versions before 1 have stored; another inspection finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<PrunableSpace>,
    /// The network as it is drawn. It is stored beside the report, which would grow many times larger with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<NetworkGraph>,
    /// How the values of its tensors are spread; stored with the drawing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<NetworkTensors>,
    /// Why the budget that was asked about cannot be met; absent where it can, or where none was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmet: Option<String>,
}

/// The prunability report of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    #[serde(flatten)]
    pub figures: ModelFigures,
    pub inputs: Vec<Port>,
    pub outputs: Vec<Port>,
    #[serde(flatten)]
    pub details: ModelDetails,
}

/// The figures of a model that lists show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelFigures {
    pub format: ModelFormat,
    /// Whether the shape of the input is a guess from the weights, since neither the file nor anybody had said it. MACs
    /// and the reachable budgets depend on it; set it where it is wrong.
    pub guessed_shape: bool,
    /// MACs (multiply-accumulates) of one image: convolutions and linear layers.
    pub macs: u64,
    /// Trainable parameters.
    pub parameters: u64,
    /// Batch norms in the file; 0 if the exporter folded them into the convolutions.
    pub batch_norms: u32,
    /// The budgets that the model can be pruned to.
    pub reachable: Reachable,
    /// Number of classes: the length of the output. Null if the output is not a list of class scores.
    #[schema(required)]
    pub classes: Option<u32>,
}

/// The structure of a model: its layers and channel groups, and what pruning makes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ModelDetails {
    /// The element type of most weights, by its PyTorch name; exports keep the types of the file.
    #[schema(example = "float32")]
    pub element_type: String,
    /// Notes about the file and its exports, one sentence each.
    pub notices: Vec<String>,
    /// What adaptive batch norm can work with.
    pub batch_norm_state: BatchNormState,
    /// How often each operator occurs.
    #[schema(example = json!({"conv2d": 27, "batch_norm": 27, "linear": 1}))]
    pub operators: BTreeMap<String, u64>,
    /// Convolutions, linear layers and norms in order of execution.
    pub layers: Vec<Layer>,
    /// Groups of channels that can only be pruned together.
    pub groups: Vec<ChannelGroup>,
}

/// File format of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelFormat {
    TorchScript,
    Onnx,
}

/// The budgets that a model can be pruned to, as fractions of the full network's MACs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reachable {
    /// Smallest fraction, with every prunable group at its minimum.
    #[schema(example = 0.011)]
    pub min: f64,
    /// Largest fraction: 1 for the full network.
    #[schema(example = 1.0)]
    pub max: f64,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    pub name: String,
    /// For a batch of one; of an input for images [batch, channels, height, width].
    pub shape: Vec<u64>,
}

/// What adaptive batch norm can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BatchNormState {
    /// Batch norms follow convolutions, or the network has batch norms and no convolutions.
    Present,
    /// No convolution is followed by a batch norm: the exporter folded them, or there never were any. A search inserts
    /// virtual ones.
    Folded,
    /// There is nothing to adapt.
    Absent,
}

/// A layer with weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Layer {
    /// Name in the file.
    #[schema(example = "layer1.0.conv1")]
    pub name: String,
    #[schema(example = "conv2d")]
    pub operator: String,
    /// Shape of its output for a batch of one.
    pub shape: Vec<u64>,
    /// MACs of one image.
    pub macs: u64,
    /// Trainable parameters; shared ones count at the first layer that has them.
    pub parameters: u64,
}

/// Channels of several layers that can only be pruned together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelGroup {
    pub name: String,
    /// Units: the smallest set of channels that must be removed together counts as one.
    pub size: u64,
    /// Whether a search may prune it.
    pub prunable: bool,
    /// Why it is locked. Null if it is prunable.
    #[schema(required)]
    pub reason: Option<String>,
    /// The norm over channels that reads them, whose statistics change when some are removed. Null if there is none.
    #[schema(required)]
    pub normalised_by: Option<String>,
    /// The stored tensors that have these channels on one of their axes.
    pub members: Vec<GroupMember>,
    /// Weights with these channels that the file does not store but computes from its tensors.
    pub computed: Vec<ComputedWeight>,
}

/// An axis of a weight that the file computes: `weight * mask`, a standardised weight, weight norm. Exported files store it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComputedWeight {
    /// Name of the weight in exported files.
    #[schema(example = "layer1.0.conv1.weight")]
    pub weight: String,
    pub axis: u64,
    /// Names of the stored tensors that it is computed from.
    pub from: Vec<String>,
}

/// An axis of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupMember {
    /// Name of the parameter, as it was uploaded.
    #[schema(example = "layer1.0.conv1.weight")]
    pub parameter: String,
    /// 0 for output channels of a weight, 1 for its input channels.
    pub axis: u64,
}

impl ModelFormat {
    /// The name in reports, answers and rows.
    pub fn name(self) -> &'static str {
        match self {
            ModelFormat::TorchScript => "torchscript",
            ModelFormat::Onnx => "onnx",
        }
    }
}

impl fmt::Display for ModelFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ModelReport {
    /// Shape of the first input, where there is one.
    pub fn input_shape(&self) -> Option<&[u64]> {
        self.inputs.first().map(|input| &input.shape[..])
    }
}

impl ModelInspection {
    /// The inspection with its version, as it is stored and printed.
    ///
    /// # Errors
    /// None that an inspection can cause: its keys are texts.
    pub fn to_stored(&self) -> Result<Value, ReportError> {
        current(self, REPORT_VERSION)
    }

    /// Reads what this version or an older one has stored.
    pub fn from_stored(document: Value) -> Result<Self, ReportError> {
        upgraded(document, REPORT_VERSION, |version, fields| {
            if version == 0 {
                complete(fields);
            }
            // Its groups named no layers, and its costs no bytes: a model without a space is inspected once more.
            fields.remove("space");
        })
    }
}

/// Fills in what reports lacked before there were versions: first the element type and the notices, weights that are computed
/// until they were first, and always where there were none.
fn complete(fields: &mut Map<String, Value>) {
    fields.entry("element_type").or_insert_with(|| "float32".into());
    fields.entry("notices").or_insert_with(|| json!([]));
    let groups = fields.get_mut("groups").and_then(Value::as_array_mut);
    for group in groups.into_iter().flatten().filter_map(Value::as_object_mut) {
        group.entry("computed").or_insert_with(|| json!([]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As the first version that stored reports wrote them.
    const FIRST: &str = r#"{"format":"torchscript","inputs":[{"name":"x","shape":[1,1,8,8]}],"outputs":[{"name":"linear",
        "shape":[1,3]}],"guessed_shape":true,"classes":3,"macs":2316,"parameters":55,"batch_norms":1,
        "batch_norm_state":"present","operators":{"batch_norm":1,"conv2d":1,"linear":1},"layers":[{"name":"stem",
        "operator":"conv2d","shape":[1,4,8,8],"macs":2304,"parameters":36}],"groups":[{"name":"stem","size":4,
        "prunable":true,"reason":null,"normalised_by":null,"members":[{"parameter":"stem.weight","axis":0}]},{"name":"fc",
        "size":3,"prunable":false,"reason":"network output","normalised_by":"layer norm","members":[]}],
        "reachable":{"min":0.25,"max":1.0}}"#;

    /// With computed weights, and only where a group has some.
    const WITH_COMPUTED: &str = r#"{"format":"onnx","inputs":[{"name":"x","shape":[1,1,8,8]}],"outputs":[{"name":"y",
        "shape":[1,3]}],"guessed_shape":false,"classes":null,"macs":2316,"parameters":55,"batch_norms":0,
        "batch_norm_state":"folded","operators":{"conv2d":1},"layers":[],"groups":[{"name":"stem","size":4,"prunable":true,
        "reason":null,"normalised_by":null,"members":[],"computed":[{"weight":"stem.weight","axis":0,
        "from":["stem.gain"]}]},{"name":"fc","size":3,"prunable":false,"reason":"network output","normalised_by":null,
        "members":[]}],"reachable":{"min":0.25,"max":1.0}}"#;

    /// The last form without a version.
    const WITH_ELEMENT_TYPE: &str = r#"{"format":"onnx","inputs":[{"name":"x","shape":[1,1,8,8]}],"outputs":[],
        "guessed_shape":false,"classes":3,"macs":2316,"parameters":55,"batch_norms":0,"batch_norm_state":"absent",
        "operators":{},"layers":[],"groups":[],"reachable":{"min":0.25,"max":1.0},"element_type":"float16",
        "notices":["The file computes in float16."]}"#;

    fn read(text: &str) -> ModelInspection {
        ModelInspection::from_stored(serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn reports_of_every_version_are_read() {
        let first = read(FIRST);
        let ModelReport { figures, details, .. } = &first.report;
        assert_eq!((figures.format, figures.macs, figures.classes), (ModelFormat::TorchScript, 2316, Some(3)));
        assert_eq!((details.element_type.as_str(), details.notices.len()), ("float32", 0));
        assert_eq!(details.groups[1].reason.as_deref(), Some("network output"));
        assert!(details.groups.iter().all(|group| group.computed.is_empty()));
        assert_eq!(first.report.input_shape(), Some(&[1, 1, 8, 8][..]));
        assert_eq!(first.space, None);

        let computed = read(WITH_COMPUTED).report.details.groups;
        assert_eq!((computed[0].computed[0].from[0].as_str(), computed[1].computed.len()), ("stem.gain", 0));

        let details = read(WITH_ELEMENT_TYPE).report.details;
        assert_eq!((details.element_type.as_str(), details.notices.len()), ("float16", 1));
    }

    #[test]
    fn what_is_stored_today_comes_back_and_has_a_version() {
        let space = json!({
            "cost": { "units": [4], "sizes": [[0, 0, 1]], "macs": [[576, 0], [12]], "parameters": [[9, 0]] },
            "groups": [{ "name": "stem", "size": 4, "channels_per_unit": 1 }],
        });
        let space = serde_json::from_value(space).unwrap();
        let today = ModelInspection { space: Some(space), ..read(FIRST) };
        let stored = today.to_stored().unwrap();
        assert_eq!(stored["version"], super::super::REPORT_VERSION);
        assert_eq!(ModelInspection::from_stored(stored).unwrap(), today);
    }

    #[test]
    fn a_report_that_is_damaged_or_newer_is_refused() {
        let refused = |place: &str, value: Value| {
            let mut document = read(FIRST).to_stored().unwrap();
            document[place] = value;
            ModelInspection::from_stored(document).unwrap_err().to_string()
        };
        assert!(refused("version", json!(99)).contains("version 99"));
        assert!(refused("macs", json!("many")).contains("many"));
        assert!(refused("space", json!({ "cost": {}, "groups": [] })).contains("units"));
        assert!(matches!(ModelInspection::from_stored(json!([])), Err(ReportError::NoObject)));
    }
}

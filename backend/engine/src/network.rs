//! A network: the graph, its weights, and where it came from.

use std::collections::BTreeMap;

use eagleeye_graph::{ElementType, Graph, Parameter, ParameterId, Precision};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

use eagleeye_torchscript::tensors::kind;

/// A file format for networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    TorchScript,
    Onnx,
    /// Weights alone; written, never read.
    Safetensors,
}

impl Format {
    /// The name used in reports, requests and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::TorchScript => "torchscript",
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// Without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::TorchScript => "pt",
            Self::Onnx => "onnx",
            Self::Safetensors => "safetensors",
        }
    }

    /// The format of a name or a file extension.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "torchscript" | "pt" | "pth" => Some(Self::TorchScript),
            "onnx" => Some(Self::Onnx),
            "safetensors" => Some(Self::Safetensors),
            _ => None,
        }
    }
}

/// A graph with its weights. Never changed in place: pruning, adapting and folding make a new one.
#[derive(Debug)]
pub struct Network {
    pub graph: Graph,
    /// One tensor for each of the graph's parameters, all on one device.
    pub weights: Vec<Tensor>,
    /// The element types of the file, in which exports are written. All weights are `f32` here.
    pub precision: Precision,
    /// What the network was read from.
    pub format: Format,
    /// Travels inside the exported files.
    pub metadata: BTreeMap<String, String>,
}

impl Network {
    /// A network that shares this one's tensors.
    pub fn shallow_clone(&self) -> Self {
        self.with(self.graph.clone(), self.weights.iter().map(Tensor::shallow_clone).collect())
    }

    /// Another graph and other weights from the same source.
    pub fn with(&self, graph: Graph, weights: Vec<Tensor>) -> Self {
        let precision = self.precision.clone();
        Self { graph, weights, precision, format: self.format, metadata: self.metadata.clone() }
    }

    pub fn to_device(&self, device: Device) -> Result<Self, TchError> {
        let weights = self.weights.iter().map(|w| w.f_to_device(device)).collect::<Result<_, _>>()?;
        Ok(self.with(self.graph.clone(), weights))
    }

    pub fn weight(&self, id: ParameterId) -> &Tensor {
        &self.weights[id.index()]
    }

    /// Where the weights are; the CPU for a network without any.
    pub fn device(&self) -> Device {
        self.weights.first().map_or(Device::Cpu, Tensor::device)
    }

    /// The element type that the network computes with: that of its first weight that is not an integer.
    pub fn kind(&self) -> Kind {
        let numbers = [Kind::Float, Kind::Half, Kind::BFloat16, Kind::Double];
        let mut kinds = self.weights.iter().map(Tensor::kind);
        kinds.find(|k| numbers.contains(k)).unwrap_or(Kind::Float)
    }

    /// The weights in the element types that they are stored in, as exports write them.
    ///
    /// A tensor of the network's own code, or statistics that adaptive BN has computed, may have numbers that are too large for
    /// the type; such a tensor stays in `f32`.
    pub fn stored_weights(&self) -> Result<Vec<Tensor>, TchError> {
        let stored = |(parameter, weight): (&Parameter, &Tensor)| -> Result<Tensor, TchError> {
            let element = self.precision.stored(&parameter.name);
            if weight.kind() != Kind::Float || element == ElementType::F32 {
                return Ok(weight.shallow_clone());
            }
            let rounded = weight.f_to_kind(kind(element))?;
            let overflown = rounded.f_isinf()?.f_logical_and(&weight.f_isfinite()?)?;
            Ok(if overflown.f_any()?.f_int64_value(&[])? != 0 { weight.shallow_clone() } else { rounded })
        };
        self.graph.parameters.iter().zip(&self.weights).map(stored).collect()
    }

    /// What an export of a network that is not `f32` throughout does, and what it cannot: a sentence each.
    pub fn precision_notices(&self) -> Vec<String> {
        if self.precision.is_single() {
            return Vec::new();
        }
        let main = self.precision.main();
        let mut notices = Vec::new();
        let mixed = self.precision.parameters.values().chain(self.precision.nodes.values()).any(|e| *e != main);
        let types = if mixed { "several floating-point types".to_owned() } else { main.name().to_owned() };
        notices.push(format!(
            "The file is in {types}. The search computes in float32; exports keep the types of the file."
        ));
        let all = self.precision.parameters.values().chain(self.precision.nodes.values());
        let cannot: Vec<&str> = [ElementType::Bf16, ElementType::F64]
            .into_iter()
            .filter(|element| all.clone().any(|e| e == element))
            .map(ElementType::name)
            .collect();
        if !cannot.is_empty() {
            notices.push(format!(
                "ONNX exports compute in float32 instead of {}, for which ONNX Runtime has no convolution.",
                cannot.join(" or ")
            ));
        }
        if cannot.contains(&"float64") {
            notices.push("Weights in float64 are rounded to float32 when the file is read.".to_owned());
        }
        notices
    }

    /// Number of batch norms in the graph.
    pub fn batch_norms(&self) -> usize {
        self.graph.nodes.iter().filter(|n| matches!(n.op, eagleeye_graph::Op::BatchNorm { .. })).count()
    }
}

//! A network: the graph, its weights, and where it came from.

use std::collections::BTreeMap;

use eagleeye_graph::{Graph, ParameterId};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

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
        Self { graph, weights, format: self.format, metadata: self.metadata.clone() }
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

    /// Number of batch norms in the graph.
    pub fn batch_norms(&self) -> usize {
        self.graph.nodes.iter().filter(|n| matches!(n.op, eagleeye_graph::Op::BatchNorm { .. })).count()
    }
}

//! A network as it is drawn: its operations and what flows between them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A network's operations in order of execution, each after those that it reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkGraph {
    pub nodes: Vec<GraphNode>,
}

/// An input of the network, or an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GraphNode {
    /// Unique in the graph. A layer has the name that it has in the list of layers.
    #[schema(example = "layer1.0.conv1")]
    pub name: String,
    /// The name of the operation; `input` for an input of the network.
    #[schema(example = "conv2d")]
    pub operator: String,
    /// Names of the nodes whose outputs it reads, in their order and each once.
    pub inputs: Vec<String>,
    /// Shape of its first output for a batch of one.
    pub shape: Vec<u64>,
    /// Names of the channel groups that the channels of its first output belong to, locked ones among them where a layer
    /// makes their channels. Several where channels were joined; none where the output has no channels.
    pub groups: Vec<String>,
    /// MACs of one image.
    pub macs: u64,
    /// Trainable parameters; shared ones count at the first node that has them.
    pub parameters: u64,
}

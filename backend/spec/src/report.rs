//! Reports: what the check of an upload finds in a model or a dataset.
//!
//! One type for each, which `eagleeye-worker inspect` and `check-dataset` print, the server reads, the store keeps and the API
//! shows. What is stored carries a version, and [`ModelInspection::from_stored`] and [`DatasetReport::from_stored`] read what
//! every version before this one has written.

mod dataset;
mod graph;
mod model;
mod space;
mod stored;
mod tensors;

pub use dataset::{Class, DatasetContent, DatasetKind, DatasetReport, ImageSize, ImageSizes};
pub use graph::{GraphNode, NetworkGraph};
pub use model::{
    BatchNormState, ChannelGroup, ComputedWeight, GroupMember, Layer, ModelDetails, ModelFigures, ModelFormat,
    ModelInspection, ModelReport, Port, Reachable,
};
pub use space::{PrunableGroup, PrunableSpace, PrunableSpaceFault};
pub use stored::{REPORT_VERSION, ReportError};
pub use tensors::{NetworkTensors, TensorSummary};

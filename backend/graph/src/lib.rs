//! The network as data: one graph for both file formats, its shapes, channel groups, cost and strategies.
//!
//! Nothing here computes with weights, reads files or talks to anybody: everything is arithmetic over shapes and labels.

pub mod builder;
pub mod compose;
pub mod cost;
pub mod count;
pub mod groups;
pub mod infer;
pub mod ir;
mod labels;
pub mod ops;
pub mod plan;
pub mod precision;
pub mod reading;
pub mod shape;
pub mod sound;
pub mod strategy;
pub mod tensor;
pub mod unsupported;

pub use builder::{BuildError, GraphBuilder};
pub use compose::Compose;
pub use cost::{Activations, CostModel, CostModelFault, Rates, Work, macs, macs_by_node};
pub use count::Count;
pub use groups::{ChannelGroups, Channels, Group, Member, channel_groups, gcd};
pub use infer::output_shapes;
pub use ir::{
    Computed, Graph, Node, NodeId, Parameter, ParameterId, ParameterKind, Source, SourceSlices, Value, ValueId,
};
pub use labels::{GroupError, Role};
pub use ops::{Binary, Conv, Interpolation, Op, PadMode, Pool, PoolKind, Reduction, SampleMode, SamplePadding, Unary};
pub use plan::{ParameterSlices, Plan, PlanError, plan};
pub use precision::Precision;
pub use shape::{Dim, Shape, ShapeError};
pub use sound::GraphFault;
pub use strategy::Strategy;
pub use tensor::{ElementType, TensorData};
pub use unsupported::Unsupported;

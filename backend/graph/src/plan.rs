//! What pruning does to a network, as a value: the new graph, and the slices that are cut out of each parameter.

use std::collections::BTreeMap;

use crate::groups::{ChannelGroups, Group};
use crate::ir::{Graph, Source};
use crate::shape::{self, Dim, Shape, ShapeError};

mod attributes;
mod check;
mod kept;

use kept::Kept;

/// Kept indices by axis, ascending. Axes that stay whole are not listed; empty for a parameter that is not touched.
pub type ParameterSlices = BTreeMap<usize, Vec<usize>>;

/// A pruned network without its weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The pruned graph. Nodes, values and parameters have the ids that they have in the full graph.
    pub graph: Graph,
    /// By parameter.
    pub slices: Vec<ParameterSlices>,
    /// Units that stay, ascending, for each group of [`ChannelGroups::groups`].
    pub kept_units: Vec<Vec<usize>>,
}

/// Why a network cannot be pruned as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    #[error("units were given for {found} groups, but the network has {expected}")]
    GroupCount { expected: usize, found: usize },
    #[error("group `{group}` has units 0 to {last}, but unit {unit} was requested")]
    UnknownUnit { group: String, unit: usize, last: usize },
    #[error("the kept units of group `{group}` must be in ascending order and without duplicates")]
    Order { group: String },
    #[error("group `{group}` must keep at least one unit")]
    NothingKept { group: String },
    #[error("group `{group}` is locked and must keep all its units: {reason}")]
    Locked { group: String, reason: String },
    #[error("tensor `{value}` would lose all of its channels")]
    Empty { value: String },
    #[error("node `{node}` does not fit its pruned inputs: {error}")]
    Shape { node: String, error: ShapeError },
    #[error("node `{node}` would make a tensor of shape {found:?}, but the remaining channels require {expected:?}")]
    Size { node: String, expected: Vec<usize>, found: Vec<usize> },
    #[error("node `{node}` would move the remaining channels")]
    Misplaced { node: String },
    #[error("parameter `{parameter}` orders its channels differently from the input of node `{node}`")]
    Weight { node: String, parameter: String },
}

/// Makes the plan that keeps the given units of each group (in the order of [`ChannelGroups::groups`]; locked groups keep all).
///
/// New shapes follow from counting the channels that stay. Before it is returned, every operator that moves data is run with
/// its new attributes on the channels that stay, and every shape is inferred anew: a plan that would compute something else is
/// an error, never a wrong network.
pub fn plan(graph: &Graph, groups: &ChannelGroups, kept_units: &[Vec<usize>]) -> Result<Plan, PlanError> {
    check_units(groups, kept_units)?;
    let kept = Kept::new(graph, groups, kept_units)?;
    let slices = slices(graph, groups, &kept);
    let mut pruned = graph.clone();
    for (id, slices) in slices.iter().enumerate() {
        for (&axis, indices) in slices {
            pruned.parameters[id].shape[axis] = indices.len();
        }
        if !slices.is_empty() {
            // Its slices are not those of the file's tensors any more.
            pruned.parameters[id].computed = None;
        }
    }
    for (index, value) in pruned.values.iter_mut().enumerate() {
        value.shape = match value.source {
            Source::Parameter(id) => shape::fixed(&pruned.parameters[id.index()].shape),
            Source::Input(_) | Source::Node(..) => kept.shape(index, &graph.values[index].shape),
        };
    }
    for (index, node) in graph.nodes.iter().enumerate() {
        pruned.nodes[index].op = attributes::updated(graph, &pruned, node, &kept);
    }
    check::shapes(&pruned)?;
    check::movement(graph, &pruned, &kept)?;
    check::weights(graph, &slices, &kept)?;
    Ok(Plan { graph: pruned, slices, kept_units: kept_units.to_vec() })
}

fn check_units(groups: &ChannelGroups, kept_units: &[Vec<usize>]) -> Result<(), PlanError> {
    if kept_units.len() != groups.groups.len() {
        return Err(PlanError::GroupCount { expected: groups.groups.len(), found: kept_units.len() });
    }
    for (group, kept) in groups.groups.iter().zip(kept_units) {
        check_group(group, kept)?;
    }
    Ok(())
}

fn check_group(group: &Group, kept: &[usize]) -> Result<(), PlanError> {
    let name = || group.name.clone();
    if kept.is_empty() {
        return Err(PlanError::NothingKept { group: name() });
    }
    if let Some(&unit) = kept.iter().find(|&&unit| unit >= group.size) {
        return Err(PlanError::UnknownUnit { group: name(), unit, last: group.size - 1 });
    }
    if !kept.is_sorted_by(|a, b| a < b) {
        return Err(PlanError::Order { group: name() });
    }
    match &group.reason {
        Some(reason) if kept.len() < group.size => Err(PlanError::Locked { group: name(), reason: reason.clone() }),
        _ => Ok(()),
    }
}

fn slices(graph: &Graph, groups: &ChannelGroups, kept: &Kept) -> Vec<ParameterSlices> {
    let mut slices = vec![ParameterSlices::new(); graph.parameters.len()];
    for axis in &groups.axes {
        let indices: Vec<usize> = (0..axis.units.len()).filter(|&i| kept.stays(axis.units[i])).collect();
        if indices.len() < axis.units.len() {
            slices[axis.parameter.index()].insert(axis.axis, indices);
        }
    }
    slices
}

/// A shape with one axis replaced by a count of the same kind.
fn with_count(shape: &Shape, axis: usize, count: usize) -> Shape {
    let mut shape = shape.clone();
    shape[axis] = match shape[axis] {
        Dim::Fixed(_) => Dim::Fixed(count),
        Dim::Batch(_) => Dim::Batch(count),
    };
    shape
}
